"""Options shared by several commands."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

Paths = Annotated[
    list[Path] | None,
    typer.Option("--data", "-d", help="Parquet or CSV file, folder or glob; may be repeated. Default: RANKER_DATA."),
]
More = Annotated[list[Path] | None, typer.Argument(help="More data paths, as from a shell-expanded glob.")]
RayAddress = Annotated[
    str | None,
    typer.Option(
        "--ray",
        help="Work on a Ray cluster: its HOST:PORT, or auto for the one of this machine; --ray alone, or local, starts "
        "Ray here.",
        metavar="[ADDRESS]",
    ),
]
_NEEDS_PORT = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://(?:[^/?]+|.*[?&]\w+_(?:override|authority)=[^&/]+)")
"""A URL up to a colon that a port may follow: it ends in a host, or in an option for one."""
_PORT = re.compile(r"[0-9]{1,5}(?:[/?&].*)?")


def sources(data: list[Path] | None, more: list[Path] | None) -> list[Path]:
    """Paths from the command line, else from RANKER_DATA, separated by ``:`` (``;`` on Windows)."""
    if data or more:
        return [*(data or []), *(more or [])]
    return [Path(path.strip()) for path in _split(os.environ.get("RANKER_DATA", "")) if path.strip()]


def _split(listed: str) -> list[str]:
    """The paths of a list; colons before ``//`` and before the port of a URL separate none."""
    if os.pathsep != ":":
        return listed.split(os.pathsep)
    found: list[str] = []
    for part in re.split(r":(?!//)", listed):
        if found and _NEEDS_PORT.fullmatch(found[-1].strip()) and _PORT.fullmatch(part):
            found[-1] += f":{part}"
        else:
            found.append(part)
    return found
