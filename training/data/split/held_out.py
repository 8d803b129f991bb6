"""Splits a log into training rows and rows held out for validation."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Mask
from ranker.encoding.text import splitmix64
from ranker.log_files.log_reader import Chunk, DataError, Log
from training.config.data import SplitAtRandom, SplitByFiles, SplitByGroup, SplitRule
from training.data.split.group_column import GroupColumn
from training.data.split.time_column import TimeColumn
from training.data.split.time_split import Window, window

HeldOut: TypeAlias = Callable[[Chunk], Mask]


@dataclass(frozen=True)
class Split:
    """Training rows are the rows of ``log`` not held out; with ``other``, all its rows are the validation rows."""

    log: Log
    held_out: HeldOut
    columns: tuple[str, ...] = ()
    other: Log | None = None
    window: Window | None = None
    """Time range of a split by time."""

    def training(self, columns: list[str], optional: Sequence[str] = ()) -> Iterator[tuple[Chunk, Mask]]:
        """Chunks with masks of the rows to train on."""
        for chunk in self.log.chunks(self._with_own(columns), optional):
            yield chunk, ~self.held_out(chunk)

    def validation(self, columns: list[str], optional: Sequence[str] = ()) -> Iterator[tuple[Chunk, Mask]]:
        """Chunks with masks of the rows to validate on."""
        if self.other is not None:
            for chunk in self.other.chunks(columns, optional):
                yield chunk, np.ones(chunk.rows, dtype=bool)
            return
        for chunk in self.log.chunks(self._with_own(columns), optional):
            yield chunk, self.held_out(chunk)

    def counted(self, columns: list[str]) -> str:
        """Row counts of both sides as text; reads one of ``columns``."""
        training = sum(int(mask.sum()) for _, mask in self.training(columns[:1]))
        validation = sum(int(mask.sum()) for _, mask in self.validation(columns[:1]))
        return f"{training:,} row(s) for training and {validation:,} for validation"

    def _with_own(self, columns: list[str]) -> list[str]:
        return list(dict.fromkeys([*columns, *self.columns]))


def split(log: Log, rule: SplitRule, seed: int) -> Split:
    """Apply a split rule to a log; a split by time reads its column first. Raises ``DataError``."""
    if isinstance(rule, SplitByFiles):
        return Split(log, _none, other=_validation(log, rule))
    if isinstance(rule, SplitAtRandom):
        return Split(log, partial(_at_random, rule.fraction, seed))
    if isinstance(rule, SplitByGroup):
        log = log.typed({rule.column: "id"})
        held_out = partial(_by_group, GroupColumn(rule.column), rule.fraction, seed)
        return Split(log, held_out, columns=(rule.column,))
    log = log.typed({rule.column: "time"})
    times = TimeColumn(rule.column, rule.format)
    found = window(log, rule, times)
    return Split(log, partial(_from_time, times, found.start), columns=(rule.column,), window=found)


# Functions of the module, so that a split can be pickled for another process.


def _none(chunk: Chunk) -> Mask:
    return np.zeros(chunk.rows, dtype=bool)


def _at_random(fraction: float, seed: int, chunk: Chunk) -> Mask:
    return uniform(chunk, seed) < fraction


def _by_group(groups: GroupColumn, fraction: float, seed: int, chunk: Chunk) -> Mask:
    return unit(groups.whole(chunk), seed) < fraction


def _from_time(times: TimeColumn, start: float, chunk: Chunk) -> Mask:
    later: Mask = times.of(chunk).values >= start
    return later


def _validation(log: Log, rule: SplitByFiles) -> Log:
    """The log of the validation files. Raises ``DataError`` for a file that is also trained on."""
    other = log.beside(rule.paths)
    for path in other.shared(log):
        raise DataError(f"{path}: is both a training file and, by data.split.paths, a validation file")
    return other


def uniform(chunk: Chunk, seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) per row, determined by its position in the log and the seed."""
    return unit(np.arange(chunk.number, chunk.number + chunk.rows, dtype=np.uint64), seed)


def unit(values: NDArray[np.uint64], seed: int) -> NDArray[np.float64]:
    """A number in [0, 1) per value, determined by the value and the seed."""
    salt = splitmix64(np.array([seed], dtype=np.uint64))
    return (splitmix64(values ^ salt) >> np.uint64(11)) / float(1 << 53)
