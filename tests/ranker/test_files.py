"""Files that appear whole or not at all."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from ranker.files import replace_file, replacing


def test_a_file_is_replaced_as_a_whole_and_its_folder_is_made(tmp_path):
    file = tmp_path / "folder" / "file"
    for content in (b"one", b"another"):
        replace_file(file, content)
        assert file.read_bytes() == content
    assert [path.name for path in file.parent.iterdir()] == ["file"]


def test_readers_see_the_old_content_until_the_end_of_the_block(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"old")
    with replacing(file) as partial:
        partial.write_bytes(b"new")
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new"


@pytest.mark.parametrize("error", [OSError("no space"), ValueError("no table"), KeyboardInterrupt()])
def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(tmp_path, error):
    file = tmp_path / "file"
    file.write_bytes(b"old")

    def write_half() -> None:
        with replacing(file) as partial:
            partial.write_bytes(b"half")
            raise error

    with pytest.raises(type(error)):
        write_half()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_what_a_killed_process_left_is_removed_and_what_another_writes_is_not(tmp_path):
    file = tmp_path / "file"
    code = (
        "import os, sys; from pathlib import Path; from ranker.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as partial: partial.write_bytes(b'half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(file)], check=False)
    (left,) = tmp_path.iterdir()
    with replacing(file) as other:
        assert not left.exists()
        with ThreadPoolExecutor(1) as pool:  # another writer of the same process
            pool.submit(replace_file, file, b"first").result()
        assert file.read_bytes() == b"first"
        other.write_bytes(b"second")
    assert file.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [file]


def test_many_threads_write_whole_files(tmp_path):
    file = tmp_path / "file"
    contents = [bytes([65 + i]) * 5000 for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            list(pool.map(lambda content: replace_file(file, content), contents))
            assert file.read_bytes() in contents
    assert list(tmp_path.iterdir()) == [file]
