"""Ranges of a log's rows that several processes read, each its own, in the blocks that one process would read."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ranker.log_files.chunks import ArrowChunk
from ranker.log_files.lists import Block, ListKeys, SeenLists, starts_of, whole_lists


class Span(NamedTuple):
    """Rows of one file from ``start`` to the next span's; ``number`` is the first one's index in the log.

    The number is too low after text files, whose length is unknown.
    """

    file: int
    start: int
    number: int


def span_blocks(
    read: Callable[[Span], Iterator[ArrowChunk]], spans: Sequence[Span], index: int, keys: ListKeys
) -> Iterator[Block]:
    """Blocks of whole lists that belong to the span at ``index``, as :func:`whole_lists` makes them of all spans.

    A chunk of several lists ends a block at the start of its last one, whatever was before. So a span's blocks are
    those after the first such chunk in it, up to that of the next span which has one; the first span's are all from its
    start. Every block then belongs to one span. Raises ``DataError`` as :func:`whole_lists`, which knows the lists of
    this span only.
    """
    ended = False

    def chunks() -> Iterator[ArrowChunk]:
        nonlocal ended
        begun = index == 0
        for place in range(index, len(spans)):
            if place > index and not begun:
                return  # no list starts here after another one: an earlier span has these rows
            for chunk in read(spans[place]):
                if not chunk.rows:
                    continue
                if begun and place == index:
                    yield chunk
                    continue
                starts = starts_of(keys.of(chunk))
                if begun:
                    ended = len(starts) > 1
                    yield chunk
                elif len(starts) > 1:
                    begun = True
                    yield chunk.rows_from(int(starts[-1]), chunk.rows)

    for block in whole_lists(chunks(), keys, SeenLists()):
        yield block
        if ended:
            return
