"""Files that appear whole or not at all."""

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
