import errno
import os
import shutil
import subprocess
import sys
import threading
import time

import pytest

from serving.process.procfs import start_time
from serving.registry.catalog import Catalogue
from serving.registry.shared_state import LastRefused, Refused, Serving, SharedState, State, StateError, Versions
from serving.settings import Settings


def test_versions_move_and_go_back():
    state = Versions(current=1, highest=1).moved_to(2).moved_to(5)
    assert (state.current, state.previous, state.highest) == (5, (1, 2), 5)
    back = state.rolled_back()
    assert (back.current, back.previous, back.highest) == (2, (1,), 5)
    with pytest.raises(LookupError, match="no version was served before"):
        back.rolled_back().rolled_back()


def test_a_version_tells_since_when_it_is_served():
    first = Versions(current=1, highest=1)
    second = first.moved_to(2)
    back = second.rolled_back()
    assert first.since < second.since < back.since
    assert second.with_digest("x").since == second.since


def test_the_last_refused_version_is_kept_when_others_are_served():
    last = LastRefused.of(3, "scores", "x" * 2000)
    versions = Versions(current=1, highest=1, last_refused=last).moved_to(2)
    assert versions.moved_to(4).rolled_back().last_refused == last
    assert (last.version, last.cause, len(last.reason)) == (3, "scores", 1000)
    assert Versions.model_validate_json(versions.model_dump_json()) == versions


def test_history_is_bounded():
    state = Versions(current=1, highest=1)
    for version in range(2, 40):
        state = state.moved_to(version)
    assert state.previous == tuple(range(29, 39))


def test_what_one_writes_another_reads(tmp_path):
    one, other = SharedState(tmp_path), SharedState(tmp_path)
    assert other.state() is None
    catalogue = Catalogue.of(Settings(artifact=tmp_path))
    versions = {"a": Versions(current=3, highest=3), "b": Versions(current=1, highest=1)}
    one.write(State(catalogue=catalogue, versions=versions))
    assert other.state().versions["a"].current == 3
    with other.alone():
        other.write(other.state().with_versions("a", versions["a"].moved_to(4)))
    assert one.state().versions["a"].current == 4
    assert one.state().versions["b"].current == 1
    assert one.state().catalogue == catalogue
    assert one.state() is one.state()  # nothing is read again that has not changed


def test_only_one_leads_until_it_leaves(tmp_path):
    one, other = SharedState(tmp_path), SharedState(tmp_path)
    assert one.is_leader()
    assert one.is_leader()
    assert not other.is_leader()
    one.leave()
    assert other.is_leader()
    other.leave()


def test_the_dead_are_told_once(tmp_path):
    shared = SharedState(tmp_path)
    serving = Serving(models={"a": 2})
    shared.report(serving)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / "workers" / f"{ended.pid}-77.json").write_text("{}")
    assert shared.workers() == {os.getpid(): serving}
    assert shared.dead_workers() == [ended.pid]
    assert shared.dead_workers() == []


def test_a_process_that_has_a_dead_workers_id_is_no_worker(tmp_path):
    shared = SharedState(tmp_path)
    shared.report(Serving(models={"a": 1}))
    (own,) = (tmp_path / "workers").iterdir()
    later = start_time(os.getpid()) - 1
    own.rename(own.with_name(f"{os.getpid()}-{later}.json"))  # as of one that began earlier
    assert shared.workers() == {}
    assert shared.dead_workers() == [os.getpid()]


def agreed(folder):
    shared = SharedState(folder)
    state = State(catalogue=Catalogue.of(Settings(artifact=folder)), versions={"a": Versions(current=3, highest=3)})
    with shared.alone():
        shared.write(state)
    shared.report(Serving(models={"a": 3}))
    return shared


def test_what_a_cleaner_removes_is_written_again(tmp_path):
    one, other = agreed(tmp_path), SharedState(tmp_path)
    assert other.state().versions["a"].current == 3
    for file in ("state.json", "state.lock"):
        (tmp_path / file).unlink()
    assert one.state().versions["a"].current == 3  # as it was seen last
    (own,) = (tmp_path / "workers").iterdir()
    own.unlink()
    assert one.mend() == [own.name, "state.json"]
    assert one.mend() == other.mend() == []
    assert other.workers() == {os.getpid(): Serving(models={"a": 3})}
    assert SharedState(tmp_path).state().versions["a"].current == 3


@pytest.mark.parametrize("content", [b"", b'{"catalogue": 1}'])
def test_a_damaged_state_is_written_again(tmp_path, content, caplog):
    one = agreed(tmp_path)
    (tmp_path / "state.json").write_bytes(content)
    assert SharedState(tmp_path).state() is None  # a service that begins has no other
    assert one.state().versions["a"].current == 3
    assert one.mend() == ["state.json"]
    assert one.mend() == []
    assert SharedState(tmp_path).state().versions["a"].current == 3
    assert "state not readable" in [record.message for record in caplog.records]


def test_an_id_that_a_living_worker_has_is_not_buried(tmp_path):
    shared = SharedState(tmp_path)
    shared.report(Serving(models={"a": 1}))
    (tmp_path / "workers" / f"{os.getpid()}-1.json").write_text("{}")
    (tmp_path / "workers" / "999999-1.json").write_text("{}")
    assert shared.dead_workers() == [999999]
    assert list(shared.workers()) == [os.getpid()]
    assert len(list((tmp_path / "workers").iterdir())) == 1


def test_the_folder_is_made_anew_where_it_was_removed(tmp_path):
    one = agreed(tmp_path / "runtime")
    assert one.is_leader()
    shutil.rmtree(tmp_path / "runtime")
    with one.alone():
        one.write(one.state().with_new_items())
    shutil.rmtree(tmp_path / "runtime")
    assert str(tmp_path / "runtime") in one.mend()
    assert one.is_leader()
    assert SharedState(tmp_path / "runtime").state().items == 1


def test_a_leader_whose_lock_was_removed_takes_its_turn_with_others(tmp_path):
    one, other = SharedState(tmp_path), SharedState(tmp_path)
    assert one.is_leader()
    (tmp_path / "watch.lock").unlink()
    assert other.is_leader()
    assert not one.is_leader()


def test_refused_versions_are_forgotten_once_a_higher_one_is_served():
    refused = {version: Refused(stamp="x", cause="scores") for version in (2, 4)}
    versions = Versions(current=1, highest=1).with_refused(refused)
    assert Versions.model_validate_json(versions.model_dump_json()) == versions
    assert list(versions.moved_to(3).refused) == [4]
    assert list(versions.moved_to(5).rolled_back().refused) == []


def test_one_waits_while_another_changes_the_state(tmp_path):
    one, other, order = SharedState(tmp_path), SharedState(tmp_path), []

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


def test_a_worker_that_cannot_be_listed_is_told_once_and_listed_later(tmp_path, monkeypatch, caplog):
    shared = SharedState(tmp_path)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        shared.report(Serving(models={"a": 1}))
        assert shared.mend() == shared.mend() == []
    assert [record.message for record in caplog.records] == ["worker not listed"]
    assert shared.mend() == []
    assert shared.workers() == {os.getpid(): Serving(models={"a": 1})}


def test_a_state_that_cannot_be_written_is_named_and_the_old_one_stays(tmp_path, monkeypatch):
    shared = SharedState(tmp_path)
    before = State(
        catalogue=Catalogue.of(Settings(artifact=tmp_path)), versions={"default": Versions(current=1, highest=1)}
    )
    shared.write(before)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        with pytest.raises(StateError, match=rf"{tmp_path} cannot be written to: No space left on device"):
            shared.write(before.with_versions("default", before.versions["default"].moved_to(2)))
    assert SharedState(tmp_path).state() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".state")] == []
