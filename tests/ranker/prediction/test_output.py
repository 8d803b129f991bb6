import json
import os

import pyarrow as pa
import pytest

from ranker.encoding.unseen import IdCounts
from ranker.prediction.output import OutputError, OutputFolder
from tests.training.disk_full import small_files

SCHEMA = pa.schema([("a", pa.int64())])
PLAN = {"artifact": {"version": 1}, "data": [["a.parquet", 10, 7]], "options": {"keep": ["a"], "top_k": None}}


def write(folder, end, ids=None, rows=2):
    with folder.part(SCHEMA) as part:
        part.write(pa.table({"a": list(range(rows))}), end, ids or {})


def names(path):
    return sorted(file.name for file in path.iterdir())


def test_files_and_counts_are_found_again(tmp_path):
    with OutputFolder(tmp_path / "new" / "out", PLAN).opened() as folder:
        write(folder, 5, {"user": IdCounts(5, 1)})
        write(folder, 9, {"user": IdCounts(4, 2)})
        assert not folder.complete
    with OutputFolder(tmp_path / "new" / "out", PLAN).opened() as folder:
        assert [tuple(part) for part in folder.parts] == [(5, 2, {"user": (5, 1)}), (9, 2, {"user": (4, 2)})]
        folder.finish({"files": 2})
        assert folder.complete
    assert names(tmp_path / "new" / "out") == [
        "_SUCCESS", "_plan.json", "_summary.json", "part-00000.parquet", "part-00001.parquet",
    ]  # fmt: skip


def test_files_after_a_missing_one_are_written_again(tmp_path):
    with OutputFolder(tmp_path, PLAN).opened() as folder:
        for end in (1, 2, 3):
            write(folder, end)
        folder.finish({"files": 3})
    (tmp_path / "part-00001.parquet").unlink()
    with OutputFolder(tmp_path, PLAN).opened() as folder:
        assert [part.end for part in folder.parts] == [1]
        assert not folder.complete


@pytest.mark.parametrize("summary", [None, "", "[]", "{}"])
def test_a_folder_without_its_summary_is_not_complete(tmp_path, summary):
    with OutputFolder(tmp_path, PLAN).opened() as folder:
        write(folder, 5)
        folder.finish({"files": 1})
    file = tmp_path / "_summary.json"
    file.unlink() if summary is None else file.write_text(summary)
    with OutputFolder(tmp_path, PLAN).opened() as folder:
        assert [part.end for part in folder.parts] == [5]
        assert not folder.complete


def test_a_file_that_fails_does_not_appear(tmp_path):
    with OutputFolder(tmp_path, PLAN).opened() as folder:
        with pytest.raises(pa.ArrowInvalid), folder.part(SCHEMA) as part:
            part.write(pa.table({"b": ["of another type"]}), 1, {})
        assert folder.parts == []
    assert names(tmp_path) == ["_plan.json"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"data": []}, "differs in data;"),
        ({"options": {"keep": ["b"], "top_k": 3}}, "differs in keep, top_k;"),
        ({"artifact": {"version": 2}, "options": {"keep": [], "top_k": None}}, "differs in artifact, keep;"),
    ],
)
def test_another_plan_is_refused_unless_it_restarts(tmp_path, change, told):
    with OutputFolder(tmp_path, PLAN).opened() as folder:
        write(folder, 5)
        folder.finish({})
    other = {**PLAN, **change}
    with pytest.raises(OutputError, match=told), OutputFolder(tmp_path, other).opened():
        pass
    with OutputFolder(tmp_path, other, restart=True).opened() as folder:
        assert folder.parts == []
    assert names(tmp_path) == ["_plan.json"]
    assert json.loads((tmp_path / "_plan.json").read_text()) == other


def test_a_restart_removes_what_a_killed_job_left_unfinished(tmp_path):
    with OutputFolder(tmp_path, PLAN).opened() as folder:
        write(folder, 5)
    for name in (".part-00001.parquet.123-456", "._summary.json.123-456", "._SUCCESS.123-456"):
        (tmp_path / name).write_bytes(b"half")
    with OutputFolder(tmp_path, {**PLAN, "data": []}, restart=True).opened() as folder:
        assert folder.parts == []
    assert names(tmp_path) == ["_plan.json"]


def test_files_are_on_the_disk_before_they_have_their_names_and_all_before_the_marker(tmp_path, monkeypatch):
    done, sync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: done.append(os.readlink(f"/proc/self/fd/{file}")) or sync(file))
    monkeypatch.setattr(os, "replace", lambda one, other: done.append(other.name) or replace(one, other))
    with OutputFolder(tmp_path, PLAN).opened() as folder:
        write(folder, 5)
        folder.finish({"files": 1})
    [part] = [name for name in done if ".part-" in name]
    assert part.startswith(str(tmp_path / ".part-00000.parquet."))
    assert done == ["_plan.json", part, "part-00000.parquet", "_summary.json", str(tmp_path), "_SUCCESS"]


def test_other_files_are_left_alone(tmp_path):
    (tmp_path / "part-00000.parquet").write_text("mine")
    for restart in (False, True):
        with (
            pytest.raises(OutputError, match=r"holds part-00000\.parquet, which no prediction wrote"),
            OutputFolder(tmp_path, PLAN, restart=restart).opened(),
        ):
            pass
    assert (tmp_path / "part-00000.parquet").read_text() == "mine"


def test_a_file_of_another_job_is_refused(tmp_path):
    with OutputFolder(tmp_path, PLAN).opened() as folder:
        write(folder, 5)
    (tmp_path / "part-00000.parquet").write_text("torn")
    with pytest.raises(OutputError, match=r"part-00000\.parquet: is not a file"), OutputFolder(tmp_path, PLAN).opened():
        pass


def test_one_job_at_a_time(tmp_path):
    with (
        OutputFolder(tmp_path, PLAN).opened(),
        pytest.raises(OutputError, match="another prediction is writing"),
        OutputFolder(tmp_path, PLAN).opened(),
    ):
        pass


def test_a_full_disk_says_what_to_do(tmp_path):
    with OutputFolder(tmp_path, PLAN).opened() as folder:
        write(folder, 5)
        with small_files(50_000), pytest.raises(OutputError, match=r"the disk is full; its 1 complete file\(s\) stay"):
            write(folder, 9, rows=300_000)
        assert names(tmp_path) == ["_plan.json", "part-00000.parquet"]
        write(folder, 9)
    assert len(names(tmp_path)) == 3


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match="cannot be written"), OutputFolder(path, PLAN).opened():
            pass
