"""How many processors of a cluster score, and how many are left to those who read."""

from typing import NamedTuple

SHARE = 8
"""Processors of which one reads: reading rows takes about an eighth of the time of encoding and scoring them."""


class Pool(NamedTuple):
    """Number of actors that work, of a processor each, and of readers at a time."""

    actors: int
    readers: int


def pool_of(cpus: float, share: int = SHARE) -> Pool:
    """The pool for a number of processors: one in ``share`` is left to readers, at least one of two or more.

    There is at least one actor and one reader, who then have to share a single processor.
    """
    whole = max(int(cpus), 1)
    readers = max(-(-whole // share), 1)
    return Pool(max(whole - readers, 1), readers)
