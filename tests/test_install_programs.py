"""What `make test` does on a machine that lacks programs."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("install_programs.sh")


@pytest.fixture
def machine(tmp_path):
    """Run the script where there are only some programs; those named do nothing but tell of it."""

    def run(*programs, user="0"):
        folder = tmp_path / "bin"
        folder.mkdir()
        (folder / "id").write_text(f"#!/bin/sh\necho {user}\n")
        for name in ("bash", "env", "true"):
            (folder / name).symlink_to(shutil.which(name))
        for name in programs:
            (folder / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {tmp_path}/calls\n')
        for file in folder.iterdir():
            if not file.is_symlink():
                file.chmod(0o755)
        ended = subprocess.run(
            [shutil.which("bash"), SCRIPT], env={"PATH": str(folder)}, capture_output=True, text=True, check=False
        )
        calls = (tmp_path / "calls").read_text().splitlines() if (tmp_path / "calls").exists() else []
        return ended, calls

    return run


def test_nothing_is_installed_if_nothing_is_missing(machine):
    ended, calls = machine("chromium", "redis-server", "promtool", "curl", "apt-get")
    assert (ended.returncode, ended.stdout, ended.stderr, calls) == (0, "", "", [])


def test_root_installs_only_the_missing_programs(machine):
    ended, (update, install) = machine("chromium", "curl", "apt-get")
    assert ended.returncode == 0, ended.stderr
    assert update == "apt-get update -qq"
    assert install.startswith("apt-get install -y")
    assert {*install.split()[-2:]} == {"redis-server", "prometheus"}


@pytest.mark.parametrize(("programs", "user"), [((), "0"), (("apt-get",), "1000")])
def test_without_root_or_apt_it_prints_what_to_install(machine, programs, user):
    ended, calls = machine("redis-server", "curl", *programs, user=user)
    assert (ended.returncode, calls) == (1, [])
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: the tests need programs that are not installed; as root: apt-get install ")
    assert {*line.split()[-2:]} == {"chromium", "prometheus"}
