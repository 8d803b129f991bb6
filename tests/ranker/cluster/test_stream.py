"""What a job does while no result comes; the rest is in test_on_ray.py."""

from threading import Event
from types import SimpleNamespace

import pytest

from ranker.cluster import stream
from ranker.cluster.ordered import Piece
from ranker.cluster.session import Cluster, ClusterError
from ranker.cluster.size import Pool
from ranker.cluster.stream import COLUMN, _pieces, _row, results

POOL = Pool(4, 1)
"""Four actors, which claim two processors."""


class Waiting:
    """Rows that come only once the cluster has been looked at, which then has so many processors left."""

    def __init__(self, left):
        self.left, self.looked = left, Event()

    def cluster_resources(self):
        self.looked.set()
        return self.left

    def iter_rows(self):
        assert self.looked.wait(300)
        yield {COLUMN: _row(Piece(0, 0, "late"))[COLUMN][0]}


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(stream, "PATIENCE", 0.01)


def pieces(left):
    rows = Waiting(left)
    return _pieces(Cluster(SimpleNamespace(cluster_resources=rows.cluster_resources), 5.0, False), rows, POOL)


def test_a_job_waits_as_long_as_its_actors_have_room(impatient):
    assert list(pieces({"CPU": 2.0})) == [Piece(0, 0, "late")]


@pytest.mark.parametrize(("left", "told"), [({"CPU": 1.5}, "1.5"), ({}, "0")])
def test_a_job_whose_actors_have_no_room_left_ends(impatient, left, told):
    with pytest.raises(ClusterError, match=rf"^the cluster has lost machines: {told} processors are left, less than"):
        list(pieces(left))


def test_nothing_to_read_needs_no_cluster():
    assert list(results(Cluster(None, 1.0, False), 0, pytest.fail, pytest.fail, (), pytest.fail, {})) == []
