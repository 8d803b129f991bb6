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


def sources(data: list[Path] | None, more: list[Path] | None) -> list[Path]:
    """Paths from the command line, else from RANKER_DATA, separated by ``:`` (``;`` on Windows)."""
    if data or more:
        return [*(data or []), *(more or [])]
    separator = r":(?!//)" if os.pathsep == ":" else re.escape(os.pathsep)  # keeps s3://... whole; it is rejected later
    return [Path(path.strip()) for path in re.split(separator, os.environ.get("RANKER_DATA", "")) if path.strip()]
