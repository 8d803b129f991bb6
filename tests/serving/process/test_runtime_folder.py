"""Folders of services that were killed."""

import multiprocessing
import os
import signal

import pytest

from serving.process.runtime_folder import hold, new_folder, owned, remove_stale, runtime_folder
from serving.settings import SettingsError


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def _service(pipe):
    with runtime_folder() as folder:
        (folder / "items.npy").write_bytes(b"x" * 1000)
        pipe.send(str(folder))
        pipe.recv()


@pytest.fixture
def killed(temporary):
    """A folder whose service was killed."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_service, args=(there,))
    process.start()
    folder = temporary / here.recv().rsplit("/", 1)[1]
    remove_stale(temporary)
    assert folder.is_dir()  # it lives
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert (folder / "items.npy").is_file()
    return folder


def test_the_folder_of_a_killed_service_is_removed_by_the_next_one(killed, temporary):
    with runtime_folder() as folder:
        assert list(temporary.iterdir()) == [folder]
    assert list(temporary.iterdir()) == []


def test_a_folder_in_which_a_worker_lives_on_is_left_alone(killed, temporary):
    lock = hold(killed)
    remove_stale(temporary)
    assert killed.is_dir()
    os.close(lock)
    remove_stale(temporary)
    assert not killed.exists()


def test_a_folder_that_another_service_removes_while_it_is_made_is_made_again(temporary, monkeypatch):
    made = []

    def removed_at_once(folder):
        made.append(folder)
        if len(made) == 1:
            remove_stale(temporary)
        return hold(folder)

    monkeypatch.setattr("serving.process.runtime_folder.hold", removed_at_once)
    folder, lock = new_folder()
    assert made == [made[0], folder]
    assert not made[0].exists()
    assert folder.is_dir()
    os.close(lock)


def test_a_folder_of_ones_own_has_one_service(tmp_path):
    folder = tmp_path / "new" / "runtime"
    reason = rf"RANKER_SERVE_RUNTIME: {folder} is used by another running service"
    with owned(folder), pytest.raises(SettingsError, match=reason), owned(folder):
        pass
    with owned(folder):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"file cannot be written to: File exists"), owned(tmp_path / "file"):
        pass


def test_what_only_has_the_name_is_left_alone(temporary):
    (temporary / "ranker-serve-run-file").write_text("not a folder")
    (temporary / "elsewhere").mkdir()
    (temporary / "ranker-serve-run-link").symlink_to(temporary / "elsewhere")
    remove_stale(temporary)
    assert sorted(path.name for path in temporary.iterdir()) == [
        "elsewhere",
        "ranker-serve-run-file",
        "ranker-serve-run-link",
    ]
