"""Options that several commands share."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

Paths = Annotated[
    list[Path] | None,
    typer.Option(
        "--data", "-d", help="Parquet or CSV file, folder or glob; may be repeated. By default those in RANKER_DATA."
    ),
]
More = Annotated[list[Path] | None, typer.Argument(help="More data paths, as a shell expands `--data part-*.parquet`.")]


def sources(data: list[Path] | None, more: list[Path] | None) -> list[Path]:
    """Paths given on the command line, or else those in RANKER_DATA, separated by ``:`` (by ``;`` on Windows)."""
    if data or more:
        return [*(data or []), *(more or [])]
    between = r":(?!//)" if os.pathsep == ":" else re.escape(os.pathsep)  # s3://... is one path, and is refused as one
    return [Path(path.strip()) for path in re.split(between, os.environ.get("RANKER_DATA", "")) if path.strip()]
