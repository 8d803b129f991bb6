"""Keeps TensorFlow's start-up notes out of a person's terminal."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

TRAINING = "training.trainer.train"
"""The module that brings all that a training process needs."""


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Withhold what native libraries write to stderr while they are imported; show it all if the import fails.

    TensorFlow writes some notes before its own log level is read, so only the file descriptor can be turned away.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a machine without a GPU is no error
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as withheld:
        os.dup2(withheld.fileno(), 2)
        try:
            yield
        except BaseException:
            withheld.seek(0)
            os.write(kept, withheld.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def import_quietly(module: str) -> None:
    """Import a module; for processes that would otherwise do it at a louder moment."""
    with quiet_imports():
        import_module(module)
