"""A disk that is full, whoever tells of it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

_CODES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_TEXTS = ("No space left on device", "Disk quota exceeded", "File too large")
"""How the system's texts for these codes appear in TensorFlow's errors, which have codes of their own."""


class DiskFullError(RuntimeError):
    """No space is left; the text says where, what is kept, and what to do."""


def is_disk_full(error: Exception) -> bool:
    """Whether an error of Python or TensorFlow says that no more can be written."""
    if isinstance(error, OSError):
        return error.errno in _CODES
    return isinstance(error, tf.errors.OpError) and any(text in str(error) for text in _TEXTS)


@contextmanager
def telling(text: str) -> Iterator[None]:
    """Raise ``DiskFullError`` with this text where what runs within finds the disk full."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        if not is_disk_full(error):
            raise
        raise DiskFullError(text) from None
