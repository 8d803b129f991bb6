"""An ensemble that is trained again on all rows: its members, and what a kill leaves."""

import numpy as np
import pytest

from tests.training.days import CONFIG, rows
from training.config.experiment import checked
from training.evaluation.evaluate import predict
from training.progress_listener import RunListener
from training.trainer.epoch import scorer
from training.trainer.train import Run, reopen, train

ONE_TASK = {**CONFIG["schema"], "tasks": {"click": CONFIG["schema"]["tasks"]["click"]}}
REFIT = {**CONFIG["training"], "refit": True}
ENSEMBLE = checked({**CONFIG, "schema": ONE_TASK, "training": REFIT, "ensemble": {"seeds": 2}})


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    file = tmp_path_factory.mktemp("day") / "day.parquet"
    rows(1, "abcd", 1).to_parquet(file)
    return file


def scores(run: Run) -> np.ndarray:
    """Of the validation rows, on which a refit has been trained, too."""
    return predict(scorer(run.model), run.prepared.validation.chunks(), run.model.schema).scores


def test_members_are_trained_again_and_a_kill_loses_no_finished_member(day, tmp_path):
    class Killed(BaseException):
        pass

    steps: list[tuple[int, int]] = []

    def kill(epoch: int, step: int, *_: object) -> None:
        steps.append((epoch, step))
        if len([each for each in steps if each == (2, 1)]) == 2:  # the second member's
            raise Killed

    with pytest.raises(Killed):
        train(ENSEMBLE, [day], tmp_path / "out", RunListener(refit_step=kill))
    again: list[tuple[int, int]] = []
    run = train(ENSEMBLE, [day], tmp_path / "out", RunListener(refit_step=lambda *step: again.append(step[:2])))
    assert len(again) < len(steps)
    assert run.refit is not None
    assert (run.refit.rows, run.refit.epochs) == (160, 2)
    assert run.refit.first_rows < 160
    assert not (tmp_path / "out" / "run" / "refit" / "members").exists()
    table = run.model.embedding.tables["4"].numpy()
    assert np.abs(table[:, :4] - table[:, 4:]).max() > 0.01  # of members with seeds of their own
    np.testing.assert_allclose(scores(reopen(tmp_path / "out")), scores(run), rtol=1e-6)
