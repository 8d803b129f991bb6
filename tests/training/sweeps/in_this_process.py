"""Trials of a sweep without a process each: importing TensorFlow anew takes longer than a small trial."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self

import pytest
import tensorflow as tf

from training import own_process


class Here:
    """A ``ProcessPoolExecutor`` whose process is this one."""

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Call the function at once."""
        future: Future[Any] = Future()
        try:
            future.set_result(function(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


def run_trials_here(patch: pytest.MonkeyPatch) -> None:
    """Run trials in this process, on the threads that TensorFlow has."""
    patch.setattr(own_process, "ProcessPoolExecutor", Here)
    for setting in ("set_intra_op_parallelism_threads", "set_inter_op_parallelism_threads"):
        patch.setattr(tf.config.threading, setting, lambda _: None)
