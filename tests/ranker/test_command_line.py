import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from ranker.command_line import INTERNAL, Command, Commands, WithDefaults, debug, internal_error, reported
from ranker.data_options import RayAddress
from ranker.lost_process import LostProcessError
from ranker.registry import nearest


def failed():
    try:
        {}["a"]
    except KeyError as error:
        return error


@pytest.fixture(autouse=True)
def quiet(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("RANKER_DEBUG", "0")


def program(error, kind=Commands):
    app = typer.Typer(cls=kind)

    @app.command(cls=None if kind is Commands else kind)
    def work():
        raise error

    if kind is Commands:
        app.command("other")(lambda: None)
    return app


def test_the_trace_goes_to_a_file_and_a_line_to_the_user(tmp_path):
    line = internal_error(failed())
    (file,) = tmp_path.glob("ranker-error-*.txt")
    assert line.startswith("KeyError: 'a' (test_command_line.py:")
    assert str(file) in line
    assert "report" in line
    assert "\n" not in line
    assert "Traceback" in file.read_text()


def test_the_place_is_the_last_call_within_the_project():
    with pytest.raises(TypeError) as found:
        nearest(3, ["a"])
    assert "(ranker/registry.py:" in internal_error(found.value)


def test_without_a_place_for_the_trace_the_line_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(Path(tmp_path) / "none"))
    assert "could not be written" in internal_error(failed())


STATUSES = [
    (TypeError("x"), INTERNAL, "internal error: TypeError: x"),
    (RecursionError("x"), INTERNAL, "internal error: RecursionError: x"),
    (NotImplementedError("x"), INTERNAL, "internal error: NotImplementedError: x"),
    (ValueError("x [bold]y"), 1, "error: x [bold]y\n"),
    (RuntimeError(), 1, "error: RuntimeError\n"),
    (LostProcessError("worker 1 is gone"), 75, "error: worker 1 is gone\n"),
    (PermissionError(13, "Permission denied", "out"), 1, "error: out: Permission denied\n"),
    (MemoryError(), 1, "error: out of memory\n"),
    (MemoryError("7 GiB"), 1, "error: out of memory: 7 GiB\n"),
    (KeyboardInterrupt(), 130, "stopped\n"),
    (typer.Exit(3), 3, ""),
]


@pytest.mark.parametrize("kind", [Command, Commands])
@pytest.mark.parametrize(("error", "status", "text"), STATUSES, ids=lambda value: type(value).__name__)
def test_an_error_ends_in_one_line_and_a_status(error, status, text, kind):
    ended = CliRunner().invoke(program(error, kind), ["work"] if kind is Commands else [])
    assert ended.exit_code == status
    assert ended.stderr.startswith(text)
    assert "Traceback" not in ended.output
    assert ended.stderr.count("\n") == bool(text)


def test_usage_errors_keep_their_message():
    ended = CliRunner().invoke(program(None), ["wrk"])
    assert ended.exit_code == 2
    assert "Did you mean 'work'?" in ended.stderr


def test_debug_shows_the_trace_too(monkeypatch, capsys):
    debug(False)
    with pytest.raises(typer.Exit), reported():
        raise ValueError("x")
    assert "Traceback" not in capsys.readouterr().err
    debug(True)
    with pytest.raises(typer.Exit), reported():
        raise ValueError("x")
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("buffered", ["", "-u"])
@pytest.mark.parametrize("lines", [1, 100_000])
def test_a_reader_that_leaves_early_ends_the_command_in_silence(lines, buffered, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    text = (
        "import sys, time, typer\nfrom ranker.command_line import Command\napp = typer.Typer()\n"
        "@app.command(cls=Command)\ndef work():\n    time.sleep(0.3)\n"
        f"    for _ in range({lines}):\n        print('x' * 80)\napp()\n"
    )
    command = [sys.executable, *([buffered] if buffered else []), "-c", text]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], None),
        (["--ray"], "local"),
        (["--ray", "--other"], "local"),
        (["--other", "--ray"], "local"),
        (["--ray", "head:6379", "--other"], "head:6379"),
        (["--ray=auto"], "auto"),
    ],
)
def test_an_address_may_be_left_out(words, expected):
    app, found = typer.Typer(), []

    @app.command(cls=WithDefaults)
    def command(ray: RayAddress = None, other: bool = False) -> None:
        found.append((ray, other))

    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 0, ended.output
    assert found == [(expected, "--other" in words)]


def test_a_command_without_such_an_option_reads_its_words_as_they_are():
    app = typer.Typer()

    @app.command(cls=WithDefaults)
    def command(other: bool = False) -> None:
        del other

    assert CliRunner().invoke(app, ["--ray"]).exit_code == 2
