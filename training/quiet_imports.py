"""Keeps TensorFlow's start-up messages out of the terminal."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

TRAINING = "training.trainer.train"
"""Importing this module imports everything a training process needs."""


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Suppress what native libraries write to stderr during imports; show it if the import fails.

    TensorFlow writes some messages before it reads its log level, so the file descriptor itself is redirected. No
    garbage is collected meanwhile: what modules make stays, and looking through it again and again takes a second.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hides the errors about a missing GPU
    sys.stderr.flush()
    original = os.dup(2)
    with tempfile.TemporaryFile() as withheld:
        os.dup2(withheld.fileno(), 2)
        collected = gc.isenabled()
        gc.disable()
        try:
            yield
        except BaseException:
            withheld.seek(0)
            os.write(original, withheld.read())
            raise
        finally:
            if collected:
                gc.enable()
            sys.stderr.flush()
            os.dup2(original, 2)
            os.close(original)


def import_quietly(module: str) -> None:
    """Import a module without its start-up messages; the initialiser of worker processes."""
    with quiet_imports():
        import_module(module)
