import io
import shutil

import pytest
from rich.console import Console

from ranker.log_files.log_reader import DataError, Log
from tests.training.conftest import CONFIG, written
from training.commands.fit import fit
from training.config.experiment import load
from training.trainer.run_folder import EXPORTED, MEMBERS, begin, check_replaceable, exported, key_of


@pytest.fixture
def unfinished(trained, tmp_path):
    """What a run of the trained model's config leaves while it is under way."""
    folder = tmp_path / "out" / "run"
    (folder / "checkpoints" / "latest").mkdir(parents=True)
    (folder / "checkpoints" / "latest" / "checkpoint").touch()
    shutil.copy(trained.output / "run" / "run.json", folder)
    return folder


def test_a_finished_run_is_neither_trained_nor_exported_again(trained):
    screen = io.StringIO()
    console = Console(file=screen, width=400)
    artifact = fit(trained.experiment, trained.log, output=trained.output, progress=console).export()
    assert artifact.folder == trained.output / "1"
    assert "this run is finished and was exported as version 1" in screen.getvalue()
    assert "--restart trains it again" in screen.getvalue()
    assert not (trained.output / "2").exists()


def test_an_export_that_is_gone_is_made_again(trained, unfinished):
    shutil.copy(trained.output / "run" / EXPORTED, unfinished)
    key = key_of(trained.experiment, Log([trained.log]))
    assert exported(unfinished, key)[0] is not None
    (unfinished / EXPORTED).write_text((unfinished / EXPORTED).read_text().replace('"manifest": "', '"manifest": "0'))
    artifact, line = exported(unfinished, key)
    assert artifact is None
    assert "its exported version 1 is gone: exporting it again" in line
    assert exported(unfinished, "another key") == (None, None)


def test_an_unfinished_run_of_another_config_is_kept(trained, unfinished, tmp_path):
    log = Log([trained.log])
    assert check_replaceable(unfinished, trained.experiment, log) is None
    other = load(written(tmp_path, CONFIG, training={**CONFIG["training"], "epochs": 5}))
    with pytest.raises(DataError) as refused:
        check_replaceable(unfinished, other, log)
    for part in ("training.epochs (was 3, now 5)", "`fit --restart` discards it", "another --output keeps it"):
        assert part in str(refused.value)
    assert "data files" not in str(refused.value)


def test_an_unfinished_run_of_other_files_is_kept(trained, unfinished, tmp_path):
    shutil.copy(sorted(trained.log.glob("*.parquet"))[0], tmp_path / "more.parquet")
    with pytest.raises(DataError, match="an unfinished run that differs in the data files"):
        check_replaceable(unfinished, trained.experiment, Log([trained.log, tmp_path / "more.parquet"]))


def test_what_has_not_trained_or_is_exported_may_be_replaced(trained, unfinished, tmp_path):
    log = Log([trained.log])
    other = load(written(tmp_path, CONFIG, training={**CONFIG["training"], "epochs": 5}))
    shutil.copy(trained.output / "run" / EXPORTED, unfinished)
    assert "replacing the finished run" in check_replaceable(unfinished, other, log)
    shutil.rmtree(unfinished / "checkpoints")
    (unfinished / EXPORTED).unlink()
    assert check_replaceable(unfinished, other, log) is None


def test_members_of_an_unfinished_ensemble_are_kept(trained, unfinished, tmp_path):
    shutil.rmtree(unfinished / "checkpoints")
    log = Log([trained.log])
    other = load(written(tmp_path, CONFIG, ensemble={"seeds": 2}))
    assert check_replaceable(unfinished, other, log) is None
    (unfinished / MEMBERS).mkdir()
    with pytest.raises(DataError, match=r"members of an unfinished ensemble that differs in ensemble.*--restart"):
        check_replaceable(unfinished, other, log)


def test_a_run_is_discarded_by_the_chief_alone_once_all_have_read_it(trained, unfinished, monkeypatch):
    log, found = Log([trained.log]), []

    def train(*_, restart, **__):
        found.append((restart, (unfinished / "run.json").is_file()))
        raise DataError("enough")

    monkeypatch.setattr("training.commands.fit.train", train)
    with pytest.raises(DataError, match="enough"):
        fit(trained.experiment, trained.log, output=unfinished.parent, restart=True, progress=False)
    assert found == [(True, True)]
    begin(trained.experiment, log, unfinished, None, None, writes=False, readers=1, restart=True)
    assert (unfinished / "checkpoints").is_dir()
    begin(trained.experiment, log, unfinished, None, None, writes=True, readers=2, restart=True)
    assert [file.name for file in unfinished.iterdir()] == ["run.json"]


def test_a_run_goes_on_with_as_many_readers_and_in_the_folder_of_worker_0(trained, unfinished, tmp_path):
    log = Log([trained.log])
    begin(trained.experiment, log, unfinished, None, None, writes=False, readers=1)
    with pytest.raises(
        DataError, match=r"have 1 reader\(s\), and now they would have 2; set training.distribute.readers"
    ):
        begin(trained.experiment, log, unfinished, None, None, writes=True, readers=2)
    with pytest.raises(DataError, match="is not what worker 0 has written; all workers need the same config and data"):
        begin(trained.experiment, log, tmp_path / "elsewhere", None, None, writes=False, readers=1)
    assert not (tmp_path / "elsewhere").exists()
