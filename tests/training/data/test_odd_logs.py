"""Whatever files a log has, fit reads the right rows or names what it cannot read.

``python -m benchmarks.odd_logs`` draws more of them.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, settings

from ranker.encoding import Encoder
from ranker.log_files.log_reader import DataError, Log
from tests.training.data.odd_logs import OddLog, canonical, logs, number, pieces
from training.config.experiment import Experiment
from training.data.encode import prepare

SLICE = settings(
    max_examples=150,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],  # shrinking takes minutes: the command does that
)
UNSEEN = "<a value that no training row holds>"
Rows = dict[int, dict[str, Any]]


@SLICE
@given(logs(odd=False))
def test_logs_of_any_types_are_read_right(log: OddLog) -> None:
    """Files whose types agree are read, whatever the types are."""
    check(log, must_read=True)


@SLICE
@given(logs(odd=True))
def test_odd_logs_are_read_right_or_named(log: OddLog) -> None:
    """Of other files, what is read is right, and what is not is named."""
    check(log, must_read=False)


def check(log: OddLog, must_read: bool) -> None:
    """Compare what is read with what was written."""
    with tempfile.TemporaryDirectory() as folder:
        paths = log.write(Path(folder))
        try:
            training, validation = _read(log, paths, Path(folder) / "rows")
        except DataError as error:
            told = str(error)
            assert not must_read, told
            named = [*(path.name for path in paths), "tasks.", "data.split"]
            assert any(name in told for name in named), f"names nothing: {told}"
            return
    _compare(log, training, validation)


def _read(log: OddLog, paths: list[Path], folder: Path) -> tuple[Rows, Rows]:
    experiment = Experiment.model_validate(
        {
            "data": {"split": {"by": "random", "fraction": 0.3}},
            "schema": log.schema,
            "architecture": "shared_bottom",
            "evaluation": {"bootstrap": 0},
        }
    )
    prepared = prepare(experiment, Log(paths), folder)
    sides = (prepared.training, prepared.validation)
    training, validation = (_decoded(prepared.encoder, side.chunks()) for side in sides)
    return training, validation


def _compare(log: OddLog, training: Rows, validation: Rows) -> None:
    written = {int(number(row["row"])): row for row in log.rows()}
    assert training.keys() | validation.keys() == written.keys()
    assert not training.keys() & validation.keys()
    columns = {name: f.get("column", name) for side in ("context", "candidate") for name, f in log.schema[side].items()}
    for name in ("user", "item"):
        known = {canonical(written[row][columns[name]]) for row in training}
        for side in (training, validation):
            for row, values in side.items():
                right = canonical(written[row][columns[name]])
                assert values[name] == (right if right in known else UNSEEN if right is not None else None), name
    tags = {tag for row in training for tag in pieces(written[row]["tags"])}
    # Without a null among the training rows there is no input for one: it counts as the mean, here as 0.
    missing = None if any(number(written[row][columns["price"]]) is None for row in training) else 0.0
    for side in (training, validation):
        for row, values in side.items():
            right = number(written[row][columns["price"]])
            assert values["price"] == (missing if right is None else np.float32(right))
            assert values["click"] == number(written[row].get("click"))  # a file may lack a label
            assert values["tags"] == [tag if tag in tags else UNSEEN for tag in pieces(written[row]["tags"])]


def _decoded(encoder: Encoder, chunks: Any) -> Rows:
    """Encoded rows, turned back into values; by the number in the column ``row``."""
    found: Rows = {}
    for chunk in chunks:
        for place in range(len(chunk["labels"])):
            values: dict[str, Any] = {"click": float(chunk["labels"][place, 0]) if chunk["known"][place, 0] else None}
            for side, layout in encoder.layout.sides():
                for field in layout.ids:
                    ids = chunk[f"{side}_ids"][place, field.start : field.start + field.length]
                    decoded = [_value(encoder, field.feature, int(code)) for code in ids]
                    values[field.feature] = [v for v in decoded if v is not None] if field.pooling else decoded[0]
                for field in layout.numbers:
                    first, *missing = chunk[f"{side}_numbers"][place, field.start : field.start + field.length]
                    values[field.feature] = None if missing and missing[0] else first
            found[int(values.pop("row"))] = values
    return found


def _value(encoder: Encoder, feature: str, row: int) -> str | None:
    """The value that has a row of the embedding table of its own."""
    if row < 2:
        return UNSEEN if row else None
    encoding = encoder.encodings[feature]
    coder = encoding.coder
    value = coder.values()[int(np.flatnonzero(encoding.table == row)[0]) - 2]
    if coder.kind == "string":
        return value
    return str(int(np.int64(value).view(np.uint64)) if coder.kind == "unsigned" else int(value))
