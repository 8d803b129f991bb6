import operator
import os
import signal

import pytest

from training.own_process import KilledError, in_own_process


def test_a_result_and_an_error_come_back_from_another_process():
    assert in_own_process("json", os.getpid) != os.getpid()
    with pytest.raises(ZeroDivisionError):
        in_own_process("json", operator.truediv, 1, 0)


def test_a_killed_process_is_told():
    with pytest.raises(KilledError, match="its process was killed; out of memory"):
        in_own_process("json", signal.raise_signal, signal.SIGKILL)
