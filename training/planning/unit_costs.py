"""Unit costs: what a row, a request, a candidate or a byte costs, as ``benchmarks.unit_costs`` measures it."""

import datetime
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, ValidationError

from ranker.config.closed import Closed

Cost: TypeAlias = Annotated[float, Field(ge=0, le=1e15)]
Spread: TypeAlias = Annotated[
    float, Field(ge=0, description="Half of the range over the rounds, relative to the median; of the worst size.")
]


class CostsError(ValueError):
    """A file of unit costs that cannot be used."""


class Line(Closed):
    """``fixed + each * size``, from the medians of the smallest and the largest size measured."""

    fixed: Cost
    each: Cost
    sizes: tuple[float, float] | None = None
    spread: Spread | None = None

    def at(self, size: float) -> float:
        """The cost of a size."""
        return self.fixed + self.each * size


class Pull(Closed):
    """``step + row * R + byte * B`` for a step that reads and moves R rows of tables of B bytes in all."""

    step: Cost
    row: Cost
    byte: Cost
    spread: Spread | None = None

    def at(self, rows: float, row_bytes: float) -> float:
        """The cost of a step of ``rows`` rows of ``row_bytes`` bytes each."""
        return self.step + (self.row + self.byte * row_bytes) * rows


class Machine(Closed):
    """Where the costs were measured."""

    processor: str
    cores: int = Field(ge=1)
    memory_gib: float = Field(gt=0)


class Model(Closed):
    """The model that the costs are of."""

    config: str
    rounds: int = Field(ge=1)
    dense_bytes: float = Field(gt=0, description="Bytes of the variables outside of embedding tables.")
    reads: float = Field(gt=0, description="Rows of embedding tables that a row of the log reads.")
    log_bytes: float = Field(gt=0, description="Bytes of a row of the log, as joined: Parquet, with all features.")


class Logged(Closed):
    """The exposure log, by rows that a request returns."""

    cpu_s: Line
    bytes: Line


class Joined(Closed):
    """The join, by exposures, in bounded memory; memory is that of the largest size."""

    cpu_s: Line
    memory_bytes: Cost


class OfRows(Closed):
    """A stage that reads rows in bounded memory and writes files, by rows; memory is that of the largest size."""

    cpu_s: Line
    bytes: Line
    memory_bytes: Cost


class Encoded(OfRows):
    """Encoding, by rows of the log: one pass to fit, one to encode."""

    fit_cpu_s: Line


class Ids(Closed):
    """The encoder, by ids that it knows: memory of the process that fits it, bytes of the fitted encoder."""

    memory_bytes: Line
    bytes: Line


class Trained(Closed):
    """Training on one thread, by rows of a step."""

    cpu_s: Line
    memory_bytes: Line


class Tables(Closed):
    """Reading and moving rows of tables on servers, by step."""

    server_cpu_s: Pull
    worker_cpu_s: Pull
    wire_bytes: Pull


class Ranked(Closed):
    """Requests over HTTP, by candidates; answers by the rows that they return."""

    cpu_s: Line
    request_bytes: Line
    answer_bytes: Line
    memory_bytes: Cost


class UnitCosts(Closed):
    """All unit costs. Seconds are of one core, sizes are bytes."""

    format: Literal[1]
    measured: datetime.date
    machine: Machine
    model: Model
    log: Logged
    join: Joined
    encode: Encoded
    ids: Ids
    train: Trained
    tables: Tables
    score: OfRows
    rank: Ranked

    def rows(self) -> Iterator[tuple[str, str, str, str, str]]:
        """Lines of a table: name, what is spent once, what each costs, of what, and the spread."""
        for stage, unit in UNITS.items():
            costs: Closed = getattr(self, stage)
            for name in type(costs).model_fields:
                cost = getattr(costs, name)
                title = f"{stage} {name.removesuffix('_s').replace('_', ' ')}"
                if isinstance(cost, Line):
                    of = "row returned" if name == "answer_bytes" else unit
                    yield title, shown(cost.fixed, name), shown(cost.each, name), of, _spread(cost.spread)
                elif isinstance(cost, Pull):
                    yield title, shown(cost.step, name), shown(cost.row, name), "row of a table", _spread(cost.spread)
                    yield "", "", shown(cost.byte, name), "byte of it", ""
                else:
                    yield title, shown(cost, name), "", "", ""


UNITS = {
    "log": "row returned", "join": "exposure", "encode": "row", "ids": "id", "train": "row of a step",
    "tables": "", "score": "row", "rank": "candidate",
}  # fmt: skip
"""What the sizes of each stage count, in the order of a table."""


def shown(value: float, name: str) -> str:
    """A cost in units of a fitting size; ``name`` ends with ``_s`` for seconds, else it is of bytes."""
    units = ("s", "ms", "µs", "ns") if name.endswith("_s") else ("GB", "MB", "kB", "B")
    scale = 1.0 if name.endswith("_s") else 1e9
    for unit in units:
        if value >= scale * 0.9995 or unit == units[-1]:
            return f"{value / scale:.3g} {unit}" if value else "0"
        scale /= 1e3
    raise AssertionError(units)


def _spread(value: float | None) -> str:
    return "" if value is None else f"±{value:.0%}"


def read_costs(path: Path) -> UnitCosts:
    """The costs in a file of ``benchmarks.unit_costs``. Raises ``CostsError``."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise CostsError(f"{path}: cannot be read: {error}") from None
    return _parsed(text, str(path))


def shipped_costs() -> UnitCosts:
    """The costs that come with this package, measured on two cores of a virtual machine."""
    return _parsed(
        files("training.planning").joinpath("unit_costs.json").read_text(encoding="utf-8"), "unit_costs.json"
    )


def _parsed(text: str, name: str) -> UnitCosts:
    try:
        return UnitCosts.model_validate_json(text)
    except ValidationError as error:
        first: Any = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        where = f"{place}: " if place else ""
        raise CostsError(f"{name}: {where}{first['msg']}; python -m benchmarks.unit_costs makes such a file") from None
