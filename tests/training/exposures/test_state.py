from pathlib import Path

import pytest

from ranker.log_files.log_reader import DataError
from training.exposures.state import FOLDER, Index, ReadFile, Settings, State, check_same, join_folder

SETTINGS = Settings(labels=("click=click:any",), within=1800.0, model=None, columns=("user_id",))


def test_files_and_state_appear_together(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with join_folder(log) as folder:
        assert folder.state == State()
        folder.work.mkdir()
        (folder.work / "a").write_text("rows")
        state = State(run=1, watermark=5, exposures={"x": ReadFile(through=5, done=True)}, settings=SETTINGS)
        folder.commit(state, {folder.work / "a": log / "date=2026-01-31" / "a"})
        assert folder.state == state
    assert (log / "date=2026-01-31" / "a").read_text() == "rows"
    assert {path.name for path in (log / FOLDER).iterdir()} == {"lock", "state.json"}


def test_files_that_the_state_does_not_name_are_removed(tmp_path: Path) -> None:
    with join_folder(tmp_path) as folder:
        for name in ("shown-000001.keys", "shown-000002.keys", "pending-000001.parquet"):
            (folder.folder / name).touch()
        folder.commit(State(shown=(Index(name="shown-000002.keys", until=1),)), {})
    assert {path.name for path in (tmp_path / FOLDER).iterdir()} == {"lock", "state.json", "shown-000002.keys"}


@pytest.mark.parametrize("content", ["{", '{"format": 2}', '{"runs": 1}'])
def test_another_state_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "state.json").write_text(content)
    with pytest.raises(DataError, match=r"state\.json: is (not the state|of format 2)"), join_folder(tmp_path):
        pass


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"within": 60.0}, r"was begun with --within 1800\.0s, and this run has --within 60\.0s"),
        ({"model": "b"}, "was begun with no --model, and this run has --model b"),
        ({"columns": ("user_id", "city")}, "this run has the columns user_id, city"),
        ({"labels": ()}, "was begun with --label click=click:any"),
    ],
)
def test_settings_stay(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    check_same(None, SETTINGS, tmp_path)
    check_same(SETTINGS, SETTINGS, tmp_path)
    with pytest.raises(DataError, match=reason):
        check_same(SETTINGS, SETTINGS.model_copy(update=change), tmp_path)
