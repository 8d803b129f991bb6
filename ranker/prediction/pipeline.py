"""Runs a function on a stream of items in several threads; results come in the order of the items."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(function: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield ``function(item)`` in order, while further items are read and up to ``2 * threads`` results wait.

    Raises what the function or the iterator raises, after the results of the items before; none is started then.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="predict") as pool:
        try:
            error: Exception | None = None
            remaining = iter(items)
            while error is None:
                try:
                    waiting.append(pool.submit(function, next(remaining)))
                except StopIteration:
                    break
                except Exception as raised:
                    error = raised
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
            if error is not None:
                raise error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
