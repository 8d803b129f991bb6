"""A folder that can be filled to its last byte: a file system of its own, or one where reserving space fails."""

import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

KINDS = ("tmpfs", "reserving fails")
"""``tmpfs`` needs the right to mount; the other stands in for it, and shows no write to space that is not reserved."""

FAILING = """
import errno, os
reserve = os.posix_fallocate
def posix_fallocate(descriptor, offset, size):
    if os.path.exists({mark!r}):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    reserve(descriptor, offset, size)
os.posix_fallocate = posix_fallocate
"""


class SmallDisk:
    """A folder on it, and its filling up; servers that are started meanwhile have their temporary files there."""

    def __init__(self, folder: Path, mark: Path | None) -> None:
        self.folder, self._mark = folder, mark

    def fill(self) -> None:
        """Leave no room."""
        if self._mark is not None:
            self._mark.touch()
            return
        with (self.folder / "filler").open("ab", buffering=0) as file:
            size = 2**20
            while size:
                try:
                    file.write(bytes(size))
                except OSError:
                    size //= 2

    def free(self) -> None:
        """Make room again."""
        (self._mark or self.folder / "filler").unlink()


def mounted(folder: Path, size: str) -> bool:
    """Mount a file system of a size; whether that is allowed here."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def small_disk(root: Path, monkeypatch, kind: str, size: str = "4m"):
    """Yield a :class:`SmallDisk`, or ``None`` where its kind is not allowed here."""
    folder = root / "small"
    folder.mkdir()
    tempfile.gettempdir()  # the tests' own stays where it is
    monkeypatch.setenv("TMPDIR", str(folder))
    if kind != "tmpfs":
        mark = root / "full"
        (root / "python").mkdir()
        (root / "python" / "sitecustomize.py").write_text(FAILING.format(mark=str(mark)))
        path = os.pathsep.join(filter(None, [str(root / "python"), os.environ.get("PYTHONPATH")]))
        monkeypatch.setenv("PYTHONPATH", path)
        yield SmallDisk(folder, mark)
        return
    if not mounted(folder, size):
        yield None
        return
    try:
        yield SmallDisk(folder, None)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
