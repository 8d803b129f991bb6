"""Facts about all values of a CSV column, which decide whether undeclared ids are integers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from ranker.log_files.csv_values import PLAIN, WHOLE, as_integers, matches

if TYPE_CHECKING:
    from ranker.log_files.csv import CsvPart

_SAMPLED = 256


@dataclass(frozen=True)
class Facts:
    """Whether all values of a column are signed 64-bit integers, unsigned ones, or numbers.

    Whole floats such as 7.0 count as integers; ``whole`` and ``plain`` say whether some values are whole floats and
    whether some are not.
    """

    integer: bool = True
    unsigned: bool = True
    number: bool = True
    whole: bool = False
    plain: bool = False

    def __and__(self, other: "Facts") -> "Facts":
        return Facts(
            self.integer and other.integer,
            self.unsigned and other.unsigned,
            self.number and other.number,
            self.whole or other.whole,
            self.plain or other.plain,
        )

    @property
    def as_ids(self) -> "Facts":
        """The facts for ids: if all values are whole floats such as 1.0 and 2.0 (versions), they are text."""
        return Facts(False, False, self.number) if self.whole and not self.plain else self

    @property
    def settled(self) -> bool:
        """Whether no further value can change the facts."""
        return not (self.integer or self.unsigned or self.number)


def facts_of(part: "CsvPart", columns: Sequence[str]) -> dict[str, Facts]:
    """Facts by column of a file, read until all are settled. Quoted integers are text."""
    quoted = _quoted(part, columns)
    found = {column: Facts(column not in quoted, column not in quoted) for column in columns}
    with part.opened(columns) as reader:
        for batch in reader:
            for column in columns:
                if not found[column].settled:
                    found[column] &= facts_of_values(batch.column(column))
            if all(facts.settled for facts in found.values()):
                break
    return found


def facts_of_values(text: Any) -> Facts:
    """Facts of an array of text; nulls are ignored."""
    signed = as_integers(text, pa.int64())
    if signed is not None:
        low = pc.min(signed).as_py()
        integer, unsigned = low is None or low > -(2**63), low is None or low >= 0  # -2**63 encodes a missing id
    else:
        natural = as_integers(text, pa.uint64())
        integer = False
        unsigned = natural is not None and not pc.any(pc.equal(natural, pa.scalar(2**63, pa.uint64()))).as_py()
    number = integer or unsigned or pc.all(matches(text, PLAIN)).as_py() in (True, None)
    whole = pc.fill_null(pc.match_substring_regex(text, WHOLE), False) if integer or unsigned else pa.array([False])
    some = pc.any(whole).as_py() is True
    plain = len(text) - text.null_count > pc.sum(whole).as_py() if some else len(text) > text.null_count
    return Facts(integer, unsigned, number, some, plain)


def _quoted(part: "CsvPart", columns: Sequence[str]) -> set[str]:
    """Columns whose first integers are quoted.

    PyArrow does not report quotes, so the file is read again with those integers as null values unless quoted; values
    that remain were quoted.
    """
    found: set[str] = set()
    if part.options.quote is None:
        return found
    first = _first_batch(part, columns, None)
    for column in columns:
        values = first.column(column).unique().drop_null()[:_SAMPLED].to_pylist() if first is not None else []
        if values:
            again = _first_batch(part, [column], values)
            remaining = again.column(0) if again is not None else pa.array([], pa.string())
            if pc.any(pc.is_in(remaining, pa.array(values))).as_py():
                found.add(column)
    return found


def _first_batch(part: "CsvPart", columns: Sequence[str], null_unless_quoted: Sequence[str] | None) -> Any:
    with part.opened(columns, block=1 << 20, quoted=null_unless_quoted, threads=False) as reader:
        return next(iter(reader), None)
