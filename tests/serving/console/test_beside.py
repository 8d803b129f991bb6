"""Versions that are loaded for the bench alone: one at a time, and not for ever."""

from types import SimpleNamespace

import pytest

from serving.console import bench
from serving.console.bench import Bench
from serving.protocol.errors import Refusal
from serving.registry.version_loader import RefusedError


class Loader:
    """Loads versions 1 to 3 of a model, of which the third is broken; counts what it loads."""

    def __init__(self):
        self.loaded = []

    def versions(self):
        return {1: "1", 2: "2", 3: "3"}

    def beside(self, version):
        self.loaded.append(version)
        if version == 3:
            raise RefusedError(3, "scores", "scores differ")
        return f"ranker of {version}"


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
def beside(loader):
    served = SimpleNamespace(rankers={"shop": "served", "other": "served, too"}, default="shop", version=lambda _: 4)
    return Bench(SimpleNamespace(served=served, loaders={"shop": loader, "other": loader}, default="shop"))


def test_the_served_version_is_not_loaded_again(beside, loader):
    assert beside.chosen(None) == ("shop", "served")
    assert beside.chosen("other", 4) == ("other", "served, too")
    assert loader.loaded == []


def test_one_version_at_a_time_stays_loaded(beside, loader):
    for version in (1, 1, 2, 2, 1):
        assert beside.chosen("shop", version) == ("shop", f"ranker of {version}")
    assert loader.loaded == [1, 2, 1]
    beside.chosen("other", 1)
    assert loader.loaded == [1, 2, 1, 1]


def test_it_is_forgotten_once_nobody_has_used_it_for_long(beside, loader, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(bench.time, "monotonic", lambda: now[0])
    beside.chosen("shop", 1)
    now[0] += bench.IDLE - 1
    beside.forget()
    beside.chosen("shop", 1)
    now[0] += bench.IDLE - 1
    beside.forget()
    beside.chosen("shop", 1)
    assert loader.loaded == [1]
    now[0] += bench.IDLE
    beside.forget()
    beside.chosen("shop", 1)
    assert loader.loaded == [1, 1]


def test_what_cannot_be_loaded_is_refused_and_leaves_nothing(beside, loader):
    with pytest.raises(Refusal, match="scores differ") as refused:
        beside.chosen("shop", 3)
    assert refused.value.status == 409
    with pytest.raises(Refusal, match=r"there is no version 9 \(there are: \[1, 2, 3\]\)"):
        beside.chosen("shop", 9)
    with pytest.raises(Refusal, match="no model is named 'shpo'"):
        beside.chosen("shpo", 1)
    assert loader.loaded == [3]
