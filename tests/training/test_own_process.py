import operator
import os
import signal
import sys

import pytest

from training.own_process import KilledError, in_own_process


def is_imported(module: str) -> bool:
    """Whether this process has a module."""
    return module in sys.modules


def test_a_result_and_an_error_come_back_from_another_process():
    assert len({os.getpid(), in_own_process("json", os.getpid), in_own_process("json", os.getpid)}) == 3
    with pytest.raises(ZeroDivisionError):
        in_own_process("json", operator.truediv, 1, 0)


@pytest.mark.skipif(sys.platform != "linux", reason="others import TensorFlow in each process")
def test_a_process_starts_with_tensorflow_imported():
    assert in_own_process("json", is_imported, "training.trainer.train")


def test_a_process_has_the_environment_of_the_call(monkeypatch):
    for value in ("one", "two"):
        monkeypatch.setenv("RANKER_OF_THE_CALL", value)
        assert in_own_process("json", os.getenv, "RANKER_OF_THE_CALL") == value
    monkeypatch.delenv("RANKER_OF_THE_CALL")
    assert in_own_process("json", os.getenv, "RANKER_OF_THE_CALL") is None


def test_a_killed_process_is_told():
    with pytest.raises(KilledError, match="its process was killed; out of memory"):
        in_own_process("json", signal.raise_signal, signal.SIGKILL)
