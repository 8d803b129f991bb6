"""Calls a function in a process of its own, since TensorFlow frees a model's memory only when its process ends."""

import multiprocessing
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing.context import BaseContext
from typing import Any

from training.quiet_imports import import_quietly


class KilledError(RuntimeError):
    """The process was killed before it returned."""


def in_own_process(module: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns in a fresh process, which first imports ``module`` without start-up messages.

    Raises the function's own error, and ``KilledError`` if the process is killed.
    """
    start = (module, dict(os.environ))
    with ProcessPoolExecutor(1, mp_context=_context(), initializer=_begin, initargs=start) as process:
        try:
            return process.submit(function, *arguments).result()
        except BrokenProcessPool:
            raise KilledError("its process was killed; out of memory?") from None


@cache
def _context() -> BaseContext:
    """Processes are forks of one that has imported TensorFlow and has never used it, which saves each its seconds.

    Other systems than Linux fork what they have loaded at their own risk, and import anew.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["training.imported_once"])
    return context


def _begin(module: str, environment: Mapping[str, str]) -> None:
    """Take over the caller's environment, which may have changed since the first process; import ``module``."""
    os.environ.clear()
    os.environ.update(environment)
    import_quietly(module)
