"""What all values of a CSV column have in common; it decides whether undeclared ids are integers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from training.data.files.csv_values import PLAIN, WHOLE, as_integers, matches

if TYPE_CHECKING:
    from training.data.files.csv import CsvPart

_SAMPLED = 256


@dataclass(frozen=True)
class Facts:
    """Whether all values of a column are integers of 64 bits, the same without sign, numbers; none if it is empty.

    Among the integers are whole floats; ``whole`` and ``plain`` say whether some value is one, and some is not.
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
        """The same, where ids such as 1.0 and 2.0 alone, as of versions, are text."""
        return Facts(False, False, self.number) if self.whole and not self.plain else self

    @property
    def settled(self) -> bool:
        """Whether no further value can change anything."""
        return not (self.integer or self.unsigned or self.number)


def facts_of(part: "CsvPart", columns: Sequence[str]) -> dict[str, Facts]:
    """Facts by column of a file, read to where all are settled. Integers in quotes are text."""
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
    """Facts of an array of text; null is no value."""
    signed = as_integers(text, pa.int64())
    if signed is not None:
        low = pc.min(signed).as_py()
        integer, unsigned = low is None or low > -(2**63), low is None or low >= 0  # the former: bits of a missing id
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
    """Columns whose first integers stand in quotes.

    PyArrow does not tell what was quoted. But where it is told that those integers stand for null unless they are
    quoted, what is left of them was.
    """
    found: set[str] = set()
    if part.options.quote is None:
        return found
    first = _first_batch(part, columns, None)
    for column in columns:
        values = first.column(column).unique().drop_null()[:_SAMPLED].to_pylist() if first is not None else []
        if values:
            again = _first_batch(part, [column], values)
            left = again.column(0) if again is not None else pa.array([], pa.string())
            if pc.any(pc.is_in(left, pa.array(values))).as_py():
                found.add(column)
    return found


def _first_batch(part: "CsvPart", columns: Sequence[str], null_unless_quoted: Sequence[str] | None) -> Any:
    with part.opened(columns, block=1 << 20, quoted=null_unless_quoted, threads=False) as reader:
        return next(iter(reader), None)
