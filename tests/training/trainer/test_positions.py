"""What a correction starts from, and the curve that is read of it."""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

from ranker.log_files.log_reader import DataError
from ranker.model import INPUTS
from ranker.position import POSITION
from ranker.position.base import GAIN
from tests.ranker.models import layout as layout_of
from tests.training.conftest import QUICK
from training.config.experiment import checked
from training.data.batches import EncodedRows, EncodedWriter
from training.trainer.build_model import build_model
from training.trainer.positions import position_curve, start_positions

LAYOUT = layout_of()


class Rows(NamedTuple):
    training: EncodedRows
    validation: EncodedRows


def rows_of(folder, positions, clicks):
    count, written = len(positions), []
    for side in ("training", "validation"):
        writer, random = EncodedWriter(folder / side), np.random.default_rng(0)
        batch = {
            name: (
                random.integers(0, 4, (count, width)) if name.endswith("ids") else random.normal(size=(count, width))
            )
            for name, width in zip(INPUTS, LAYOUT.widths(), strict=True)
        }
        arrays = {name: a.astype(np.int32 if name.endswith("ids") else np.float32) for name, a in batch.items()}
        labels = np.stack([clicks, clicks, clicks], axis=1).astype(np.float32)
        arrays |= {"labels": labels, "known": np.ones_like(labels)}
        if side == "training":
            arrays[POSITION] = np.asarray(positions, np.int32)
        writer.write(arrays)
        written.append(writer.close())
    return Rows(*written)


def experiment(method, **options):
    return checked({**QUICK, "position": {"column": "position", "method": method, "positions": 5, **options}})


@pytest.mark.parametrize(("method", "options"), [("additive", {"dropout": 0.0}), ("multiplicative", {})])
def test_the_first_curve_is_that_of_rates_by_place(method, options, tmp_path):
    positions = np.repeat([1, 2, 4, -1], [4000, 4000, 4000, 3])
    clicks = np.concatenate([np.arange(4000) < 4000 * rate for rate in (0.4, 0.2, 0.1)] + [np.zeros(3)])
    rows, chosen = rows_of(tmp_path, positions, clicks), experiment(method, **options)
    model = build_model(chosen, LAYOUT)
    start_positions(model, chosen, rows)
    curve = position_curve(model, rows)
    assert (curve["positions"], curve["rows"]) == ([1, 2, 3, 4], [4000, 4000, 0, 4000])
    assert (curve["unknown"], curve["shared"], curve["method"]) == (3, False, method)
    found = curve["tasks"]["click"]
    if method == "multiplicative":
        np.testing.assert_allclose(found["relative"], [1, 0.5, 0.583, 0.25], rtol=0.01)
        assert "odds_ratio" not in found
    else:
        mean = clicks.mean()
        rates = np.array([(4000 * rate + 20 * mean) / 4020 for rate in (0.4, 0.2, mean, 0.1)])
        odds = rates / (1 - rates)
        np.testing.assert_allclose(found["odds_ratio"], odds / odds[0], rtol=1e-4)
        chance = tf.sigmoid(model.task_logits(next(iter(rows.validation.chunks())))[0]).numpy()
        shifted = [np.mean(r * chance / (1 - chance + r * chance)) for r in odds / odds[0]]
        np.testing.assert_allclose(found["relative"], np.array(shifted) / shifted[0], rtol=0.01)


def test_a_score_that_is_an_order_alone_has_odds_and_no_ratios(tmp_path):
    grade = {"kind": "relevance", "rank_loss": {"name": "softmax", "group": "request_id"}}
    schema = QUICK["schema"] | {"tasks": {**QUICK["schema"]["tasks"], "buy": grade}}
    position = {"column": "position", "method": "additive", "positions": 5, "tasks": ["buy"], "dropout": 0.0}
    chosen = checked({**QUICK, "schema": schema, "position": position})
    model = build_model(chosen, LAYOUT)
    model.position.towers["buy"].table.assign(np.array([0, 0, -1, -2, 0, 0]) / GAIN)
    curve = position_curve(model, rows_of(tmp_path, [1, 2, 3], np.array([1, 1, 0])))
    assert list(curve["tasks"]["buy"]) == ["odds_ratio"]
    np.testing.assert_allclose(curve["tasks"]["buy"]["odds_ratio"], np.exp([0, -1, -2]), rtol=1e-4)


def test_a_log_without_the_first_place_is_refused(tmp_path):
    rows, chosen = rows_of(tmp_path, [2, 3], np.array([0, 1])), experiment("multiplicative")
    with pytest.raises(DataError, match=r"no training row has position 1 .* set position.first: 2"):
        start_positions(build_model(chosen, LAYOUT), chosen, rows)


def test_without_a_correction_there_is_no_curve(tmp_path):
    chosen = checked(QUICK)
    model = build_model(chosen, LAYOUT)
    rows = rows_of(tmp_path, [1, 2], np.array([0, 1]))
    start_positions(model, chosen, rows)
    assert position_curve(model, rows) is None
