"""What a fork of a process that has imported everything makes again, to be as if it had been started anew."""

import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence


def begin_anew(folder: str, environment: Mapping[str, str], streams: Sequence[int]) -> None:
    """Take over a folder, an environment, and files as standard input, output and error, which are closed."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    sys.stdin = sys.__stdin__ = os.fdopen(0, closefd=False)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # TMPDIR may be another
    signal.signal(signal.SIGINT, signal.default_int_handler)
