"""A real Ray of two processors: predictions and encoding, with actors that are killed."""

import os
import pickle
import re
import shutil
import signal
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pytest

import ranker
from ranker.cluster import tries
from ranker.cluster.ordered import Piece
from ranker.cluster.session import ClusterError
from ranker.cluster.shipped import Shipped
from ranker.cluster.size import Pool
from ranker.cluster.stream import Terms, _Actor, _Reader, results
from ranker.cluster.tries import Tries
from ranker.cluster.versions import versions
from ranker.log_files.errors import DataError
from ranker.log_files.log_reader import Log
from ranker.prediction.job import predict_files
from ranker.prediction.on_ray import Source
from ranker.prediction.options import PredictOptions
from ranker.prediction.predictor import Predictor
from tests.ranker.prediction.request_rows import requests_of, table_of, write_files

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
"""Ray Data warns of settings of its own that nobody has set."""
SIZES = (5, 40, 1, 17, 60, 2, 30, 45) * 4
RANKED = PredictOptions(("list",), keep=("row",), engine="onnxruntime")
BEST = PredictOptions(("list",), top_k=3, engine="onnxruntime")


@pytest.fixture(scope="module")
def log(artifact, tmp_path_factory):
    """Files of 90 rows, so that lists span them."""
    folder = tmp_path_factory.mktemp("log")
    write_files(folder, table_of(requests_of(artifact, SIZES)), 90, 16)
    return folder


def actors():
    """Actors that the Ray of this process has started."""
    parents, names = {}, {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                names[int(folder.name)] = (folder / "cmdline").read_text()

    def is_own(pid):
        return pid == os.getpid() or (pid in parents and is_own(parents[pid]))

    return [pid for pid, name in names.items() if "MapWorker" in name and is_own(pid)]


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*.parquet"))}


class Slow:
    """Squares numbers, and notes in a file which; the process that first meets 7 is killed at it."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, number):
        with open(self.folder / "seen", "a") as file:
            file.write(f"{number}\n")
        if number == 7 and not (self.folder / "killed").exists():
            (self.folder / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if number == 30:
            raise DataError("number 30 is bad")
        return number * number


def numbers(span):
    yield from range(span * 5, span * 5 + 5 - span % 2)


class Deadly:
    """Ends its process at 7, each time, and none at other numbers."""

    def __init__(self):
        return

    def __call__(self, number):
        if number == 7:
            os._exit(1)
        return number


def named(span, number):
    return f"number {number} of span {span}"


def test_work_that_ends_its_process_each_time_is_given_up_and_named(cluster, monkeypatch):
    monkeypatch.setattr(tries, "MOST", 2)
    found = results(cluster, 8, numbers, Deadly, (), named, versions(), Pool(1, 1))
    good = [number for span in range(2) for number in numbers(span)][:7]
    assert list(islice(found, 7)) == good
    with pytest.raises(ClusterError, match=r"^number 7 of span 1: 2 processes of the cluster have ended at it"):
        next(found)


def test_a_machine_with_another_version_neither_reads_nor_works(cluster):
    terms = Terms(named, {**versions(), "numpy": "0.1"}, Tries.of(cluster))
    read = [pickle.loads(row["piece"][0]) for row in _Reader(numbers, terms)({"span": [3]})]
    assert [(piece.span, piece.place) for piece in read] == [(3, 0), (3, 1)]
    worked = _Actor(terms, Deadly)({"piece": [pickle.dumps(Piece(0, 0, 5))]})
    for piece in (read[0], pickle.loads(worked["piece"][0])):
        with pytest.raises(ClusterError, match=r"has numpy \d.*, and this one has 0\.1; results depend on it"):
            raise piece.result.error
    assert read[1].result is None


def test_what_ended_may_begin_again_and_what_did_not_only_so_often(cluster):
    counted = Tries.of(cluster)
    for _ in range(tries.MOST + 1):
        with pytest.raises(KeyError), counted.trying(("work", 1, 2), "it"):
            raise KeyError("an error is an end")
    lost = [counted.trying(("work", 1, 3), "rows 3 to 4 of a.parquet") for _ in range(tries.MOST + 1)]
    for each in lost[: tries.MOST]:
        each.__enter__()  # and its process is gone
    with pytest.raises(ClusterError, match=rf"^rows 3 to 4 of a\.parquet: {tries.MOST} processes"):
        lost[-1].__enter__()


def test_a_killed_actor_loses_and_doubles_nothing_and_errors_come_in_the_order_of_the_items(cluster, tmp_path):
    """With as many actors as processors, which leaves none to the reader."""
    found = results(cluster, 8, numbers, Slow, (tmp_path,), named, versions(), Pool(2, 1))
    good = [number for span in range(6) for number in numbers(span)]
    assert list(islice(found, len(good))) == [number * number for number in good]
    assert (tmp_path / "killed").exists()
    assert (tmp_path / "seen").read_text().split().count("7") >= 2
    with pytest.raises(DataError, match=r"^number 30 is bad$"):
        next(found)


def test_files_are_those_of_predict_though_an_actor_is_killed(cluster, artifact, log, tmp_path):
    options = RANKED
    predict_files(artifact.folder, [log], tmp_path / "own", options, rows_per_file=100)
    killed = []

    def kill(_):
        if not killed and (found := actors()):
            killed.append(found[0])
            os.kill(found[0], signal.SIGKILL)

    seen = []
    summary = predict_files(
        artifact.folder, [log], tmp_path / "far", options, rows_per_file=100, ray="auto",
        progress=lambda rows: (kill(rows), seen.append(rows)),
    )  # fmt: skip
    assert killed
    assert contents(tmp_path / "far") == contents(tmp_path / "own")
    assert len(contents(tmp_path / "own")) > 4
    assert summary.read == sum(seen) == sum(SIZES)
    assert (tmp_path / "far" / "_SUCCESS").exists()
    assert (tmp_path / "far" / "_summary.json").read_bytes() == (tmp_path / "own" / "_summary.json").read_bytes()


def test_a_job_goes_on_where_the_other_way_has_stopped(cluster, artifact, log, tmp_path):
    how = {"rows_per_file": 100, "restart": False}
    predict_files(artifact.folder, [log], tmp_path / "own", BEST, **how)
    predict_files(artifact.folder, [log], tmp_path / "far", BEST, **how)
    for name in sorted(contents(tmp_path / "own"))[2:]:
        (tmp_path / "far" / name).unlink()
    notes = []
    predict_files(artifact.folder, [log], tmp_path / "far", BEST, ray="auto", note=notes.append, **how)
    assert "goes on after 2 complete file(s)" in notes[0]
    assert contents(tmp_path / "far") == contents(tmp_path / "own")


def test_a_list_that_comes_back_in_another_span_is_found(cluster, artifact, tmp_path):
    rows = table_of(requests_of(artifact, SIZES[:8]))
    (tmp_path / "log").mkdir()
    write_files(tmp_path / "log", pa.concat_tables([rows, rows.slice(0, 3)]), 100, 100)
    with pytest.raises(DataError, match=r"002\.parquet, row 0: the list of list 'r0' began before"):
        predict_files(artifact.folder, [tmp_path / "log"], tmp_path / "out", BEST, ray="auto")
    assert not (tmp_path / "out" / "_SUCCESS").exists()


def test_tables_are_scored_in_memory(cluster, artifact):
    table = table_of(requests_of(artifact, SIZES[:8]))
    how = {"rank_by": "list", "keep": ["row"], "top_k": 2, "engine": "onnxruntime"}
    assert ranker.predict(artifact, table, ray="auto", **how).equals(ranker.predict(artifact, table, **how))
    with pytest.raises(DataError, match="a cluster scores a DataFrame or an Arrow table"):
        ranker.predict(artifact, iter(table.to_batches()), ray="auto", **how)


def test_the_artifact_travels_to_machines_that_lack_it(cluster, artifact, log, tmp_path):
    shutil.copytree(artifact.folder, tmp_path / "gone")
    shipped = Shipped.of(ranker.artifact.load(tmp_path / "gone"), cluster._replace(own=False))
    shutil.rmtree(tmp_path / "gone")
    found = shipped.opened()
    assert found.folder != tmp_path / "gone"
    assert found.manifest == artifact.manifest
    assert not (found.folder / "state").exists()
    assert shipped.opened().folder == found.folder


def test_blocks_are_named_by_their_files_and_rows(artifact, log):
    source = Source.of(Log([log]), Predictor(artifact, RANKED), 0, 16_384)
    first, second = (re.escape(path) for path in source.log.paths()[:2])
    (blocks,) = source.read(0)
    assert re.fullmatch(rf"{first}, from row 0", source.place(0, None))
    assert re.fullmatch(rf"{first}, rows 0 to \d+ of {second}", source.place(0, blocks))
    (chunk,) = blocks[0].chunks[:1]
    assert source.place(0, [blocks[0]._replace(chunks=(chunk,))]) == f"{chunk.source}, rows 0 to {chunk.rows - 1}"
