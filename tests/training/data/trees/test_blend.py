import re
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from ranker.artifact import load
from ranker.inference import Model
from ranker.log_files.log_reader import DataError
from ranker.model import RankingModel
from tests.training.conftest import trained_once
from tests.training.data.trees.conftest import TREES
from training.commands.evaluate import evaluate
from training.commands.fit import fit
from training.data.cache import opened_rows
from training.trainer.build_model import build_model
from training.trainer.train import RUN

BLEND = 0.25


@pytest.fixture(scope="session")
def blended(log, shared, tmp_path_factory):
    """Of ``TREES`` blended with two members, one of whose tasks has no trees."""
    config = deepcopy(TREES) | {"ensemble": {"seeds": 2}}
    config["trees"] |= {"blend": BLEND, "rounds": "auto", "of": ["click", "watch_time"]}
    return trained_once("blended", config, log, shared, tmp_path_factory.mktemp("blended"))


@pytest.fixture(scope="session")
def rows(blended):
    return opened_rows(blended.experiment, blended.output / RUN / "rows")


@pytest.fixture(scope="session")
def network(blended, rows) -> RankingModel:
    """A model of the same config, with initial weights."""
    return build_model(blended.experiment, rows.encoder.layout)


@pytest.fixture
def batch(rows):
    chunk = next(rows.validation.chunks())
    return {name: tf.constant(array[:60]) for name, array in chunk.items()}


def logits(model: RankingModel, batch) -> list[tf.Tensor]:
    return model.architecture.logits(model._trunk(batch, training=False))


def test_task_logits_are_the_weighted_mean_of_network_and_trees(network, rows, batch):
    fields = rows.encoder.layout.candidate.trees
    assert [field.blend for field in fields] == [BLEND, BLEND]
    click, like, watched = (logit.numpy() for logit in logits(network, batch))
    trees = [batch["candidate_numbers"].numpy()[:, f.start] / f.scale + f.shift for f in fields]
    click = 1 / (1 + np.exp(-(BLEND * trees[0] + (1 - BLEND) * click)))
    watched = np.expm1(BLEND * trees[1] + (1 - BLEND) * watched)
    expected = np.stack([click, click / (1 + np.exp(-like)), click * np.maximum(watched, 0)], axis=1)
    np.testing.assert_allclose(network(batch), expected, rtol=1e-4, atol=1e-5)
    assert np.std(trees[0]) > 0.05


def test_the_network_does_not_read_the_trees_scores(network, rows, batch):
    numbers = batch["candidate_numbers"].numpy()
    first = rows.encoder.layout.candidate.trees[0].start
    assert first > 0
    other = batch | {"candidate_numbers": tf.concat([numbers[:, :first], numbers[:, first:] + 3.0], axis=1)}
    np.testing.assert_array_equal(logits(network, other), logits(network, batch))
    np.testing.assert_array_equal(network.compute_loss(other), network.compute_loss(batch))
    assert np.abs(network(other).numpy() - network(batch).numpy()).min(axis=0)[0] > 1e-4


def test_only_the_fold_that_chooses_the_rounds_is_left_out(blended, rows):
    for task in ("click", "watch_time"):
        (chosen,) = re.findall(rf"trees of {task} on all but fold \d of 3: (\d+) rounds", blended.printed)
        (final,) = re.findall(rf"trees of {task} on all rows: (\d+) rounds", blended.printed)
        assert chosen == final
    first = rows.encoder.layout.candidate.trees[0].start
    assert not any(chunk["candidate_numbers"][:, first:].any() for chunk in rows.training.chunks())


def test_the_artifact_scores_as_trained(blended):
    artifact = load(blended.output)
    assert artifact.encoder.trees.blend == BLEND
    Model.load(artifact.folder)  # replays golden requests
    again = evaluate(artifact, str(blended.log), validation=True, bootstrap=0, progress=False)
    for task, report in artifact.manifest.metrics["tasks"].items():
        key = "rmse" if task == "watch_time" else "auc"
        assert again["tasks"][task][key] == pytest.approx(report[key], abs=1e-5)


def test_fixed_rounds_need_no_fold(log, tmp_path):
    """As many trees as in all other tests, of one day that `fold_by` cannot divide."""
    rows = pd.read_parquet(log)
    config = deepcopy(TREES)
    config["data"] = {"split": {"by": "random", "fraction": 0.2}}
    day = rows[rows["date"] == rows["date"].min()]
    with pytest.raises(DataError, match="one value of 'date', so that no fold"):
        fit(config, day, output=tmp_path / "inputs", progress=False)
    config["trees"] |= {"blend": BLEND}
    run = fit(config, day, output=tmp_path / "blended", progress=False)
    (trees,) = {field.blend for field in run.trained.prepared.encoder.layout.candidate.trees}
    assert trees == BLEND
