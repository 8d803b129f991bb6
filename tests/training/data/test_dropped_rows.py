"""Rows that `given_conflicts: drop` leaves out, in every place where rows are read."""

import numpy as np
import pandas as pd
import pytest

from ranker.log_files.log_reader import Log
from training.config.experiment import Experiment
from training.data.encode import columns_at, encode_all, encode_held_out, prepare, rows_of
from training.data.label_counts import LabelCounts
from training.data.split.held_out import split

ROWS = 60


def experiment(meant):
    return Experiment.model_validate(
        {
            "data": {"split": {"by": "random", "fraction": 0.3}},
            "schema": {
                "context": {"user": {"kind": "categorical"}, "recent": {"kind": "sequence", "shares": "item"}},
                "candidate": {"item": {"kind": "categorical"}, "price": {"kind": "numeric"}},
                "tasks": {
                    "cart": {"kind": "binary"},
                    "buy": {"kind": "binary", "given": "cart", "given_conflicts": meant},
                },
                "label_statistics": {"of": ["item"], "folds": 2},
            },
            "architecture": {"name": "shared_bottom"},
            "evaluation": {"group_by": "user"},
        }
    )


def frame(seed, first):
    random = np.random.default_rng(seed)
    cart = random.integers(0, 2, ROWS)
    return pd.DataFrame(
        {
            "row": np.arange(first, first + ROWS),
            "user": random.integers(0, 5, ROWS),
            "recent": [[1, 2]] * ROWS,
            "item": random.integers(0, 9, ROWS),
            "price": random.random(ROWS),
            "cart": cart,
            "buy": cart * random.integers(0, 2, ROWS),
        }
    )


@pytest.fixture(params=["first", "middle", "last"])
def log(request, tmp_path):
    """Three files, of which one holds nothing but contradictions; and the numbers of its rows."""
    place = ["first", "middle", "last"].index(request.param)
    frames = [frame(i, i * ROWS) for i in range(3)]
    frames[place][["cart", "buy"]] = [0, 1]
    for i, table in enumerate(frames):
        table.to_parquet(tmp_path / f"{i}.parquet")
    return Log([tmp_path]), set(frames[place]["row"])


def test_a_chunk_may_lose_all_of_its_rows(log, tmp_path):
    log, gone = log
    plan = experiment("drop")
    schema = plan.log_schema
    prepared = prepare(plan, log, tmp_path / "out")
    rows = rows_of(schema, split(log, plan.data.split, plan.training.seed))
    held_out = columns_at(schema, rows, ["row", "item"])["row"].tolist()
    assert gone.isdisjoint(held_out)
    assert len(prepared.validation) == len(held_out)
    assert len(prepared.training) + len(held_out) == 2 * ROWS
    counts = LabelCounts(schema)
    batches = list(encode_all(schema, prepared.encoder, log, "user", counts=counts))
    assert sum(len(batch["labels"]) for batch in batches) == 2 * ROWS
    assert counts.conflicts_of() == {"buy": ROWS}
    whole = split(log, plan.data.split, plan.training.seed)
    assert sum(len(b["labels"]) for b in encode_held_out(schema, prepared.encoder, whole, "user")) == len(held_out)


def test_nothing_is_dropped_where_it_is_not_meant(log, tmp_path):
    log, _ = log
    plan = experiment("keep")
    rows = split(log, plan.data.split, plan.training.seed)
    assert rows_of(plan.log_schema, rows) is rows
    prepared = prepare(plan, log, tmp_path / "out")
    assert len(prepared.training) + len(prepared.validation) == 3 * ROWS
