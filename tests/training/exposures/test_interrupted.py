"""A join that is killed anywhere and run again writes the same rows."""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ranker.file_locks import lock
from ranker.log_files.log_reader import DataError
from tests.training.exposures.conftest import LABELS
from tests.training.exposures.shown import events, joined, log_of, shown, write
from training.exposures.log_columns import LogColumns
from training.exposures.spill import Spill


class Killed(BaseException):
    """Stands for a SIGKILL: nothing but what the block itself ensures is done behind it."""


class Bomb:
    """Kills after so many steps that touch the disk; before or after the step itself."""

    def __init__(self, steps: int, *, after: bool) -> None:
        self.left, self.after = steps, after

    def around(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **more: Any) -> Any:
            self.left -= 1
            if self.left < 0 and not self.after:
                raise Killed
            result = step(*arguments, **more)
            if self.left < 0:
                raise Killed
            return result

        return watched


def prepared(folder: Path) -> tuple[Path, Path]:
    write(shown(("a", "u1", 0, [5, 6]), ("b", "u1", 20, [5]), ("c", "u2", 2000, [7])), folder / "exposures")
    found = folder / "events"
    events(found / "1.parquet", ("a", 5, "click", 1), ("b", 5, "watch_time", 21, 2.0), ("c", 7, "click", 2001))
    return folder / "exposures", found


def more(exposures: Path, found: Path) -> None:
    write(shown(("d", "u1", 40, [5])), exposures)
    events(found / "2.parquet", ("d", 5, "click", 41), ("a", 6, "click", 1))


@pytest.mark.parametrize("after", [False, True])
def test_killed_at_any_step_and_run_again_it_writes_the_same(
    tmp_path: Path, columns: LogColumns, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    exposures, found = prepared(tmp_path)
    joined(exposures, found, columns, tmp_path / "begun", LABELS, now=40)
    first = rows(tmp_path / "begun")
    more(exposures, found)
    shutil.copytree(tmp_path / "begun", tmp_path / "whole")
    joined(exposures, found, columns, tmp_path / "whole", LABELS, now=3000)
    expected = rows(tmp_path / "whole")
    assert (len(first), len(expected)) == (2, 5)

    for steps in range(100):
        log = tmp_path / f"{steps}"
        shutil.copytree(tmp_path / "begun", log)
        bomb = Bomb(steps, after=after)
        with monkeypatch.context() as patched, suppress(Killed):
            for owner, name in (
                (os, "replace"), (Path, "unlink"), (Spill, "add"), (pq.ParquetWriter, "write_table"), (os, "fsync"),
            ):  # fmt: skip
                patched.setattr(owner, name, bomb.around(getattr(owner, name)))
            joined(exposures, found, columns, log, LABELS, now=3000)
        between = rows(log)
        assert set(first) <= set(between) <= set(expected)
        assert len(between) == len(set(between))
        joined(exposures, found, columns, log, LABELS, now=3000)
        assert rows(log) == expected
        left = {path.name for path in (log / "_join").iterdir()}
        assert not left & {"work", "next.json"}
        if bomb.left >= 0:  # nothing was left to be killed
            assert steps > 20
            return
    raise AssertionError("a join takes more steps than expected")


def rows(log: Path) -> list[tuple[Any, ...]]:
    found = log_of(log)[["request_id", "item_id", "click", "watch_time"]]
    return list(found.itertuples(index=False, name=None))


def test_one_process_at_a_time_joins_into_a_folder(tmp_path: Path, columns: LogColumns) -> None:
    exposures, found = prepared(tmp_path)
    (tmp_path / "log" / "_join").mkdir(parents=True)
    with (tmp_path / "log" / "_join" / "lock").open("a") as handle:
        lock(handle)
        with pytest.raises(DataError, match="another process joins into this folder"):
            joined(exposures, found, columns, tmp_path / "log", LABELS)
    assert joined(exposures, found, columns, tmp_path / "log", LABELS).rows == 4


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path, columns: LogColumns) -> None:
    exposures, found = prepared(tmp_path)
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "mine.parquet").touch()
    with pytest.raises(DataError, match="holds files, but none of a join"):
        joined(exposures, found, columns, tmp_path / "log", LABELS)
