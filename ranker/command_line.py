"""Error reporting of the commands: one line and an exit status instead of a stack trace."""

import os
import select
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn, TextIO

import typer
from typer.core import TyperCommand, TyperGroup

from ranker.lost_process import LOST, LostProcessError

FAILED = 1
"""Exit status of an error that the user can fix."""
REFUSED = 3
"""Exit status of a command that ran but refused to write an unverified result."""
INTERNAL = 70
"""Exit status of an internal error: EX_SOFTWARE of sysexits.h."""
INTERRUPTED = 130
"""Exit status after Ctrl-C: 128 + SIGINT."""

DEFAULTS = {"--ray": "local"}
"""Values of options that may be given without one."""

DEBUG = "RANKER_DEBUG"
"""Environment variable that enables stack traces of all errors."""
PACKAGES = ("ranker", "training", "serving")

_HERE = Path(__file__).resolve()
_ROOT = _HERE.parent.parent
_MEANT: tuple[type[BaseException], ...] = (typer.Exit, typer.Abort, *typer.BadParameter.__mro__[:-3])
"""Exceptions that typer itself reports: exits, and usage errors up to ``ClickException``."""


class _Reporting:
    stopped = "stopped"
    """Message after Ctrl-C."""

    def invoke(self, ctx: Any) -> Any:
        with reported(self.stopped):
            result = super().invoke(ctx)  # type: ignore[misc]
            sys.stdout.flush()  # detect a closed pipe here, not at interpreter exit
            return result


class WithDefaults(TyperCommand):
    """A command whose options in :data:`DEFAULTS` may go without a value, if another option or nothing follows."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Fill in values that were left out."""
        known = {name for option in self.params for name in option.opts}
        filled = []
        for place, arg in enumerate(args):
            filled.append(arg)
            alone = place + 1 == len(args) or args[place + 1].startswith("-")
            if arg in DEFAULTS and arg in known and alone:
                filled.append(DEFAULTS[arg])
        parsed: list[str] = super().parse_args(ctx, filled)
        return parsed


class Command(_Reporting, WithDefaults):
    """A program with one command and error reporting."""


class Commands(_Reporting, TyperGroup):
    """A program with several commands and error reporting."""


@contextmanager
def reported(stopped: str = "stopped") -> Iterator[None]:
    """Print an error on stderr as one line and exit.

    Status 1 is for errors that the user can fix (``ValueError``, ``OSError``, ``RuntimeError``, no memory), 75 for
    another process that was lost, 70 for internal errors, 130 for Ctrl-C. Raises ``typer.Exit``.
    """
    try:
        yield
    except _MEANT:
        raise
    except KeyboardInterrupt:
        typer.echo(stopped, err=True)
        raise typer.Exit(INTERRUPTED) from None
    except MemoryError as error:
        _fail(error, f"out of memory{f': {error}' if str(error) else ''}")
    except (RecursionError, NotImplementedError) as error:  # subclasses of RuntimeError that users cannot fix
        _fail_internally(error)
    except LostProcessError as error:
        _fail(error, _text(error), LOST)
    except (ValueError, OSError, RuntimeError) as error:
        if isinstance(error, BrokenPipeError) and any(_abandoned(stream) for stream in (sys.stdout, sys.stderr)):
            raise typer.Exit(FAILED) from None
        _fail(error, _text(error))
    except Exception as error:
        _fail_internally(error)


def internal_error(error: Exception) -> str:
    """Write the stack trace to a temporary file; return one line with the source location and the file."""
    message = " ".join(str(error).split())[:500]
    line = f"{type(error).__name__}: {message}{_place(error)}"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="ranker-error-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(f"{sys.argv}\n{_trace(error)}")
    except OSError as problem:
        return f"{line}; the trace could not be written ({problem}): --debug shows it"
    return f"{line}; please report it with the trace in {file.name}"


def debug(on: bool) -> None:
    """Enable stack traces of errors in this process and its children, as ``--debug`` does."""
    if on:
        os.environ[DEBUG] = "1"


def _fail(error: Exception, text: str, status: int = FAILED) -> NoReturn:
    _print("error:", text, error)
    raise typer.Exit(status) from None


def _fail_internally(error: Exception) -> NoReturn:
    _print("internal error:", internal_error(error), error)
    raise typer.Exit(INTERNAL) from None


def _print(title: str, text: str, error: Exception) -> None:
    if os.environ.get(DEBUG, "0") not in ("", "0"):
        typer.echo(_trace(error), err=True, nl=False)
    colour = False if os.environ.get("NO_COLOR") else None
    typer.echo(f"{typer.style(title, fg='red', bold=True)} {text}", err=True, color=colour)


def _text(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def _trace(error: Exception) -> str:
    return "".join(traceback.format_exception(error))


def _place(error: Exception) -> str:
    """File and line of the last call in the project's packages, or else of the last call."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        path = Path(frame.filename)
        if path.is_relative_to(_ROOT) and path != _HERE and path.relative_to(_ROOT).parts[0] in PACKAGES:
            return f" ({path.relative_to(_ROOT).as_posix()}:{frame.lineno})"
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def _abandoned(stream: TextIO) -> bool:
    """Whether the reader of a stream has closed it; remaining output is then dropped."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return False
    poll = select.poll()
    poll.register(descriptor, 0)  # errors and hang-ups are always reported
    gone = any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
    return gone
