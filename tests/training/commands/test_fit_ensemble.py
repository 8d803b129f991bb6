"""`fit` with members: the run, what is taken up after a kill, the artifact, and why it is not carried on."""

import io

import numpy as np
import pytest
from rich.console import Console

from ranker.artifact import ArtifactError
from ranker.log_files.log_reader import DataError
from tests.training.conftest import QUICK
from training.commands.fit import fit

CONFIG = {**QUICK, "training": {"epochs": 1, "batch_size": 512}, "ensemble": {"seeds": 2}}


def fitted(config, log, output, **options):
    screen = io.StringIO()
    run = fit(config, log, output=output, progress=Console(file=screen, width=400), **options)
    return run, screen.getvalue()


@pytest.fixture(scope="module")
def ensemble(log, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble")
    run, printed = fitted(CONFIG, log, folder)
    return folder, run, run.export(), printed


def test_members_are_served_in_one_artifact(ensemble):
    folder, run, artifact, printed = ensemble
    epochs = [printed.index(f"{name}, epoch 1: ") for name in ("member 1 of 2", "member 2 of 2", "ensemble")]
    assert epochs == sorted(epochs)
    assert not (folder / "run" / "members").exists()
    tables = run.trained.model.embedding.tables
    first, second = (tables["4"].numpy()[:, i : i + 4] for i in (0, 4))
    assert np.abs(first - second).max() > 0.01  # of members with seeds of their own
    assert artifact.manifest.metrics["mean_auc"] == run.metrics["mean_auc"]
    assert artifact.manifest.experiment["ensemble"] == {"seeds": 2}


def test_an_ensemble_is_taken_up_but_not_carried_on(ensemble, log, tmp_path):
    folder, run, artifact, _ = ensemble
    (folder / "run" / "exported.json").unlink()
    again, printed = fitted(CONFIG, log, folder)
    assert again.metrics == run.metrics
    assert "member" not in printed
    with pytest.raises(ArtifactError, match="as an ensemble"):
        fitted(QUICK, log, tmp_path / "on", from_artifact=artifact)


def test_members_do_not_all_start_from_one_artifact(quickly_trained, log, tmp_path):
    with pytest.raises(DataError, match="leave out ensemble, or train from scratch"):
        fitted(CONFIG, log, tmp_path / "on", from_artifact=quickly_trained.output)
    assert not (tmp_path / "on" / "run").exists()
