"""Calls a function in a process of its own, since TensorFlow frees a model's memory only when its process ends."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from training.quiet_imports import import_quietly


class KilledError(RuntimeError):
    """The process was killed before it returned."""


def in_own_process(module: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns in a fresh process, which first imports ``module`` without start-up messages.

    Raises the function's own error, and ``KilledError`` if the process is killed.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=import_quietly, initargs=(module,)) as process:
        try:
            return process.submit(function, *arguments).result()
        except BrokenProcessPool:
            raise KilledError("its process was killed; out of memory?") from None
