"""What the contract test needs to know of a kind: each kind's own test file names an ``EXAMPLE``."""

from typing import Any, NamedTuple


class Example(NamedTuple):
    """A feature's options, three values as a log and a request hold them, and one value that does not fit.

    ``told`` is how the error tells it where it stands in row 1. A feature named ``shared`` of kind categorical, with
    the values 7, 8 and 9, stands beside the example on its side.
    """

    options: dict[str, Any]
    values: list[Any]
    wrong: Any
    told: str
