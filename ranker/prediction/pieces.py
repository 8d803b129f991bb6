"""Cuts the chunks of a log into pieces that one thread or actor scores at a time."""

from collections.abc import Iterable, Iterator

from ranker.log_files.chunks import ArrowChunk


def cut(chunks: Iterable[ArrowChunk], start: int, most: int) -> Iterator[ArrowChunk]:
    """Chunks of at most ``most`` rows, from row ``start`` of the log on; cuts do not depend on ``start``."""
    for chunk in chunks:
        for first in range(0, chunk.rows, most):
            stop = min(first + most, chunk.rows)
            begin = max(first, start - chunk.number)
            if begin < stop:
                yield chunk.rows_from(begin, stop)
