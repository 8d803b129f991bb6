import shutil
from dataclasses import replace

import lightgbm
import numpy as np
import pandas as pd
import pytest

from ranker.artifact import ArtifactError, load
from ranker.encoding.tree_scores import TreeColumns
from ranker.inference import Model
from ranker.trees import Trees
from training.commands.evaluate import evaluate
from training.config.trees import TreeOptions
from training.data.cache import opened_rows, prepared_rows
from training.data.experiment_log import open_log
from training.data.trees.boost import Boosting, targets_of
from training.data.trees.folds import tree_folds
from training.data.trees.scores import packed_of
from training.progress_listener import RunListener
from training.trainer.train import RUN

TASKS = ["click", "like", "watch_time"]


@pytest.fixture(scope="session")
def rows(with_trees):
    return opened_rows(with_trees.experiment, with_trees.output / RUN / "rows")


@pytest.fixture(scope="session")
def artifact(with_trees):
    return load(with_trees.output)


@pytest.fixture(scope="session")
def folds(with_trees):
    return tree_folds(with_trees.experiment, open_log(with_trees.experiment, [str(with_trees.log)]), 3)


def raw_scores(rows, encoder):
    """Scores [N, T] of the training rows, in log odds and transformed labels."""
    fields = encoder.layout.candidate.trees
    inputs = np.concatenate([chunk["candidate_numbers"][:, fields[0].start :] for chunk in rows.training.chunks()])
    return inputs / [f.scale for f in fields] + [f.shift for f in fields]


def test_each_task_has_one_more_input_and_training_rows_have_standardised_ones(rows):
    assert [field.feature for field in rows.encoder.layout.candidate.trees] == [f"tree_score({t})" for t in TASKS]
    start = rows.encoder.layout.candidate.trees[0].start
    inputs = np.concatenate([chunk["candidate_numbers"][:, start:] for chunk in rows.training.chunks()])
    assert inputs.shape == (len(rows.training), 3)
    np.testing.assert_allclose(inputs.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(inputs.std(axis=0), 1, atol=1e-4)


def test_a_training_rows_score_is_of_trees_that_have_not_seen_its_day(rows, folds):
    layout = rows.encoder.layout
    chunks = list(rows.training.chunks())
    values = np.concatenate([np.concatenate(TreeColumns(layout).of(packed_of(c, layout)), axis=1) for c in chunks])
    labels, known = (np.concatenate([chunk[name] for chunk in chunks]) for name in ("labels", "known"))
    options = {"num_leaves": 6, "learning_rate": 0.05, "min_data_in_leaf": 20, "verbosity": -1, "seed": 0}
    options |= {"num_threads": 1, "deterministic": True, "force_row_wise": True}
    data = lightgbm.Dataset(values, np.zeros(len(values)), params=options).construct()
    found = raw_scores(rows, rows.encoder)
    for fold in range(3):
        own = folds == fold
        clicked = (known[:, 2] > 0) & (labels[:, 0] > 0)
        for place, objective, counted in ((0, "cross_entropy", known[:, 0] > 0), (2, "regression", clicked)):
            seen = np.flatnonzero(counted & ~own).astype(np.int32)
            target = np.log1p(labels[:, 2]) if place == 2 else labels[:, 0]
            subset = data.subset(seen).construct()
            subset.set_label(target[seen].astype(float))
            booster = lightgbm.train(options | {"objective": objective}, subset, 6)
            np.testing.assert_allclose(found[own, place], booster.predict(values[own], raw_score=True), atol=1e-4)


def test_rows_of_one_day_are_of_one_fold(folds, with_trees):
    log, last = pd.read_parquet(with_trees.log), 2
    dates = log["date"][log["date"] < np.unique(log["date"])[-last]]
    assert len(dates) == len(folds)
    assert (pd.Series(folds).groupby(dates.to_numpy()).nunique() == 1).all()
    assert set(folds.tolist()) == {0, 1, 2}


def test_validation_rows_have_what_the_artifact_computes_of_raw_rows(rows, artifact, with_trees):
    log = pd.read_parquet(with_trees.log)
    held = log[log["date"] >= np.unique(log["date"])[-2]].head(50)
    columns = {name: held[name].tolist() for name in artifact.schema.input_columns()}
    packed = artifact.encoder.encode(columns, columns)
    first = next(rows.validation.chunks())["candidate_numbers"]
    np.testing.assert_allclose(packed.candidate_numbers, first[:50], rtol=0, atol=1e-6)
    place = artifact.encoder.layout.candidate.trees[0].start
    assert np.std(first[:, place:], axis=0).min() > 0.1


def test_items_encoded_before_the_context_is_known_get_the_same_scores(artifact, with_trees):
    log = pd.read_parquet(with_trees.log).head(40)
    context = {artifact.schema.column(n): log[artifact.schema.column(n)].tolist()[:1] for n in artifact.schema.context}
    items = {artifact.schema.column(n): log[artifact.schema.column(n)].tolist() for n in artifact.schema.candidate}
    at_once = artifact.encoder.encode(context, items)
    encoded = artifact.encoder.encode_items(items)
    trees = artifact.encoder.layout.candidate.trees
    assert not encoded.numbers[:, trees[0].start :].any()
    joined = artifact.encoder.join(context, encoded)
    np.testing.assert_array_equal(joined.candidate_numbers, at_once.candidate_numbers)
    repeated = artifact.encoder.encode({name: values * 40 for name, values in context.items()}, items)
    np.testing.assert_array_equal(repeated.candidate_numbers, at_once.candidate_numbers)
    none = artifact.encoder.join(context, artifact.encoder.encode_items({name: [] for name in items}))
    assert none.candidate_numbers.shape == (0, artifact.encoder.layout.candidate.number_width)


def test_the_artifact_scores_as_trained_with_its_own_trees_only(artifact):
    model = Model.load(artifact.folder)  # replays golden requests
    cut = {task: replace(one, trees=one.trees[:1]) for task, one in artifact.encoder.trees.boosters.items()}
    other = replace(artifact.encoder, trees=replace(artifact.encoder.trees, boosters=cut))
    with pytest.raises(ArtifactError, match="differ"):
        Model(replace(artifact, encoder=other), model.engine)


def test_evaluation_of_the_artifact_gives_the_runs_metrics(artifact, with_trees):
    again = evaluate(artifact, str(with_trees.log), validation=True, bootstrap=0, progress=False)
    for task, report in artifact.manifest.metrics["tasks"].items():
        assert again["tasks"][task]["rows"] == report["rows"]
        key = "rmse" if task == "watch_time" else "auc"
        assert again["tasks"][task][key] == pytest.approx(report[key], abs=1e-5)


def test_only_boosters_that_are_missing_are_fitted_again(with_trees, tmp_path):
    assert with_trees.printed.count("trees of click on all but fold") == 3
    assert with_trees.printed.count("trees of like on all rows: 6 rounds") == 1
    folder, told = tmp_path / "rows", []
    shutil.copytree(with_trees.output / RUN / "rows", folder)
    (trees,) = (folder / "trees").iterdir()
    expected = {file.name: file.read_bytes() for file in trees.glob("*/*.npy")}
    (trees / "trees.json").unlink()
    (trees / "like.1.npz").unlink()
    shutil.rmtree(trees / "training")
    log = open_log(with_trees.experiment, [str(with_trees.log)])
    prepared_rows(with_trees.experiment, log, folder, RunListener(note=told.append))
    assert [line for line in told if line.startswith("trees")] == [line for line in told if "like on all but" in line]
    assert len(told) == 2
    assert {file.name: file.read_bytes() for file in trees.glob("*/*.npy")} == expected


def test_rounds_are_chosen_on_a_fold(with_trees, rows, folds, tmp_path):
    options = TreeOptions(rounds="auto", max_rounds=80, leaves=20, learning_rate=0.5, least_rows=2)
    values, layout = tmp_path / "values.npy", rows.encoder.layout
    chunks = [packed_of(chunk, layout) for chunk in rows.training.chunks()]
    np.save(values, np.concatenate([np.concatenate(TreeColumns(layout).of(c), axis=1) for c in chunks]))
    boosting, targets = Boosting(values, options, 0, 1), targets_of(with_trees.experiment.log_schema, rows.training)
    held, click = folds == 0, targets["click"]

    def loss(trees):
        score = Trees(np.load(values).shape[1], trees)(np.load(values)[held])
        return np.mean(np.logaddexp(0, score) - click.target.labels[held] * score)

    best = boosting.fit(click, ~held, None, held)
    assert 1 <= len(best) < 40
    assert loss(best) < min(loss(boosting.fit(click, ~held, 2 * len(best))), loss(best[: len(best) // 2]))
