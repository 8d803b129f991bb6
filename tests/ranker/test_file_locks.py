"""Locks on files: two opens of one file stand for two processes, since flock(2) tells descriptors apart."""

import errno
import fcntl
from threading import Thread

import pytest

from ranker.file_locks import is_still, lock, locked


def test_exclusive_locks_exclude_and_shared_ones_do_not(tmp_path):
    file = tmp_path / "lock"
    with file.open("a") as one, file.open("a") as other:
        assert lock(one, wait=False)
        assert not lock(other, wait=False)
        assert not lock(other, shared=True, wait=False)
        assert lock(one, shared=True)  # the lock is changed
        assert lock(other, shared=True, wait=False)
        assert not lock(other, wait=False)
    with file.open("a") as another:
        assert lock(another, wait=False)  # closing ends a lock


def test_a_block_has_the_lock_alone_and_gives_it_back(tmp_path):
    file = tmp_path / "folder" / "lock"

    def raise_inside() -> None:
        with locked(file), file.open("a") as other:
            assert not lock(other, wait=False)
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        raise_inside()
    with file.open("a") as other:
        assert lock(other, wait=False)


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_not_enough(tmp_path):
    file, had = tmp_path / "lock", []

    def wait_for_it() -> None:
        with locked(file), file.open("a") as same:
            had.append(not lock(same, wait=False))

    waiting = Thread(target=wait_for_it)
    with locked(file):
        waiting.start()
        waiting.join(0.1)
        assert not had  # it waits for the file that is there
        file.unlink()
    waiting.join(10)
    assert had == [True]  # the file that it holds is the one at the path


def test_a_path_leads_to_what_was_opened_until_it_is_replaced(tmp_path):
    file = tmp_path / "file"
    with file.open("w") as opened:
        assert is_still(file, opened.fileno())
        file.unlink()
        assert not is_still(file, opened.fileno())
        file.touch()
        assert not is_still(file, opened.fileno())


def test_without_locks_a_required_one_is_an_error_and_another_is_done_without(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(OSError, match="no locks available"), locked(tmp_path / "lock"):
        pass
    with locked(tmp_path / "lock", required=False):
        assert (tmp_path / "lock").exists()
