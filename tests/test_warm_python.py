"""A command that a warm Python runs cannot tell that it is not a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.warm_python import warm_python as block

SAYS = """
import json, os, sys
from training.cli.terminal import console
print(json.dumps({
    "warm": "tensorflow" in sys.modules, "arguments": sys.argv, "folder": os.getcwd(), "name": __name__,
    "set": os.environ.get("SET"), "path": os.environ.get("PATH"), "width": console.width, "input": sys.stdin.read(),
}))
print("an error", file=sys.stderr)
sys.exit(3)
"""


def run(*command, **how):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **how)


@pytest.mark.parametrize("kind", ["-c", "-m", "file"])
def test_it_has_the_arguments_streams_folder_environment_and_status_of_a_process_of_its_own(
    warm_python, tmp_path, kind
):
    file = tmp_path / "says.py"
    file.write_text(SAYS)
    start = {"-c": ["-c", SAYS], "-m": ["-m", "says"], "file": [str(file)]}[kind]
    environment = {"SET": "a value", "COLUMNS": "93", "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    ended = run(*warm_python, *start, "--one", "two words", cwd=tmp_path, env=environment, input="given")
    assert (ended.returncode, ended.stderr) == (3, "an error\n")
    said = json.loads(ended.stdout)
    first = "-c" if kind == "-c" else str(file)
    assert said == {
        "warm": True, "arguments": [first, "--one", "two words"], "folder": str(tmp_path), "name": "__main__",
        "set": "a value", "path": None, "width": 93, "input": "given",
    }  # fmt: skip


def test_errors_end_it_with_a_trace_and_what_one_does_is_not_seen_by_the_next(warm_python):
    failed = run(*warm_python, "-c", "import json; json.left = 1; raise ValueError('wrong')")
    assert failed.returncode == 1
    assert failed.stderr.endswith("ValueError: wrong\n")
    assert run(*warm_python, "-c", "import atexit, json; print(hasattr(json, 'left'))").stdout == "False\n"
    at_exit = "import atexit; atexit.register(print, 'at the end')"
    assert run(*warm_python, "-c", at_exit).stdout == "at the end\n"


def test_a_warm_python_is_one_for_all_who_name_its_folder(warm_python, shared):
    parent = "import os; print(os.getpgid(0) != os.getpgrp(), open(f'/proc/{os.getppid()}/stat').read().split()[3])"
    with block(shared) as again:
        assert again == warm_python
        assert run(*again, "-c", parent).stdout == run(*warm_python, "-c", parent).stdout


def waiting(command, tmp_path):
    """A command that has begun, and the id of the process that runs it."""
    file = tmp_path / "pid"
    code = f"import os, time; open({str(file)!r}, 'w').write(f'{{os.getpid()}} '); time.sleep(600)"
    process = subprocess.Popen([*command, "-c", code], stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not (file.exists() and file.read_text().endswith(" ")):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
    return process, int(file.read_text())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_signals_end_it(warm_python, tmp_path, number):
    process, found = waiting(warm_python, tmp_path)
    process.send_signal(number)
    assert process.wait(60) == -number
    until = time.monotonic() + 60
    while os.path.exists(f"/proc/{found}"):  # it is gone a moment after one that was killed
        assert time.monotonic() < until
        time.sleep(0.01)


def test_where_it_cannot_start_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="no warm Python"), block(tmp_path):
        pass
