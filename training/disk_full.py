"""Detects a full disk in errors of Python and TensorFlow."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

_CODES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TEXTS = ("No space left on device", "Disk quota exceeded", "File too large")
"""System messages for these codes; TensorFlow's errors contain the message but use their own codes."""


class DiskFullError(RuntimeError):
    """The disk is full; the message says where, what was kept, and what to do."""


def is_disk_full(error: Exception) -> bool:
    """Whether an error of Python or TensorFlow was caused by a full disk."""
    if isinstance(error, OSError):
        return error.errno in _CODES
    return isinstance(error, tf.errors.OpError) and any(text in str(error) for text in _TEXTS)


@contextmanager
def disk_full_as(text: str) -> Iterator[None]:
    """Raise ``DiskFullError`` with this text if the block fails because the disk is full."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        if not is_disk_full(error):
            raise
        raise DiskFullError(text) from None
