import os
import subprocess
import sys
import threading
import time

import pytest

from serving.catalogue import Catalogue
from serving.settings import Settings
from serving.shared import Serving, Shared, State, Versions


def test_versions_move_and_go_back():
    state = Versions(current=1, highest=1).moved(2).moved(5)
    assert (state.current, state.previous, state.highest) == (5, (1, 2), 5)
    back = state.back()
    assert (back.current, back.previous, back.highest) == (2, (1,), 5)
    with pytest.raises(LookupError, match="no version was served before"):
        back.back().back()


def test_history_is_bounded():
    state = Versions(current=1, highest=1)
    for version in range(2, 40):
        state = state.moved(version)
    assert state.previous == tuple(range(29, 39))


def test_what_one_writes_another_reads(tmp_path):
    one, other = Shared(tmp_path), Shared(tmp_path)
    assert other.state() is None
    catalogue = Catalogue.of(Settings(artifact=tmp_path))
    versions = {"a": Versions(current=3, highest=3), "b": Versions(current=1, highest=1)}
    one.write(State(catalogue=catalogue, versions=versions))
    assert other.state().versions["a"].current == 3
    with other.alone():
        other.write(other.state().now("a", versions["a"].moved(4)))
    assert one.state().versions["a"].current == 4
    assert one.state().versions["b"].current == 1
    assert one.state().catalogue == catalogue
    assert one.state() is one.state()  # nothing is read again that has not changed


def test_only_one_leads_until_it_leaves(tmp_path):
    one, other = Shared(tmp_path), Shared(tmp_path)
    assert one.leads()
    assert one.leads()
    assert not other.leads()
    one.leave()
    assert other.leads()
    other.leave()


def test_the_dead_are_told_once(tmp_path):
    shared = Shared(tmp_path)
    serving = Serving(models={"a": 2})
    shared.report(serving)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "workers" / f"{ended.pid}.json").write_text("{}")
    assert shared.workers() == {os.getpid(): serving}
    assert shared.buried() == [ended.pid]
    assert shared.buried() == []


def test_one_waits_while_another_changes_the_state(tmp_path):
    one, other, order = Shared(tmp_path), Shared(tmp_path), []

    def later():
        with other.alone():
            order.append("other")

    with one.alone():
        waiting = threading.Thread(target=later)
        waiting.start()
        time.sleep(0.1)
        order.append("one")
    waiting.join()
    assert order == ["one", "other"]
