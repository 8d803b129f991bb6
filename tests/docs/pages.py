"""Pages of the documentation as programs: their blocks of code, run in order by one shell."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)

RUN = {"sh": "{}", "python": "python - <<'END OF BLOCK'\n{}\nEND OF BLOCK"}
"""How a block of each language is run."""

TRAIN = ("-c", "from training.cli import app; app()")
COMMANDS = {"python": (), "ranker-train": TRAIN, "ranker-serve": ("-c", "from serving.cli import app; app()")}
"""What an environment has on its path once the project is installed, and the interpreter's arguments for it."""


def script(page: str) -> str:
    """A Bash program that does what a page says.

    Blocks with a title are written to files of that name; those of ``sh`` and Python without one run. The output of
    each begins with a line ``## N``, where N counts the blocks. What the page starts is ended with the program.
    """
    lines = ["set -euo pipefail", "trap 'jobs -p | xargs -r kill 2> /dev/null || true' EXIT"]
    for number, block in enumerate(BLOCK.finditer(page), 1):
        if block["title"]:
            lines.append(f"printf %s {shlex.quote(block['code'])} > {shlex.quote(block['title'])}")
        elif block["language"] in RUN:
            lines += [f"printf '\\n## %s\\n' {number}", RUN[block["language"]].format(block["code"].rstrip())]
    return "\n".join(lines) + "\n"


def run(
    page: str,
    folder: Path,
    changes: Mapping[str, str],
    timeout: float,
    training: Sequence[str] = (sys.executable,),
) -> dict[int, str]:
    """Run a page's program in a folder, with texts of it changed. What each block that ran printed, by its number.

    ``training`` is the Python of ``ranker-train``, as the beginning of a command line: it may be a warm one.

    Raises AssertionError for a text that is not in the page, and for a program that fails.
    """
    program = script(page)
    for old, new in changes.items():
        assert old in program, f"{old!r} is not in the page"
        program = program.replace(old, new)
    commands = folder / ".commands"
    commands.mkdir()
    for name, arguments in COMMANDS.items():
        python = training if arguments == TRAIN else (sys.executable,)
        (commands / name).write_text(f'#!/bin/sh\nexec {shlex.join([*python, *arguments])} "$@"\n')
        (commands / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{commands}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "120",
    }
    ended = subprocess.run(
        ["bash", "-c", program],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    parts = re.split(r"(?:^|\n)## (\d+)\n", ended.stdout)[1:]
    return {int(number): printed for number, printed in zip(parts[::2], parts[1::2], strict=True)}
