"""URLs of files, told apart from local paths without loading PyArrow, and the place of local copies."""

import os
import re
from pathlib import Path

SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs")
"""Schemes of stores that are read and written where they are."""
URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)")


def scheme_of(source: str | Path) -> str | None:
    """Scheme of a URL in lower case; ``None`` for a local path."""
    match = URL.fullmatch(str(source))
    return match[1].lower() if match else None


def is_remote(source: str | Path) -> bool:
    """Whether a path is the URL of a store."""
    return scheme_of(source) in SCHEMES


def normal(url: str | Path) -> str:
    """A URL as it is written: ``Path`` makes ``s3:/bucket`` of ``s3://bucket``."""
    scheme, _, rest = str(url).partition(":")
    return f"{scheme.lower()}://{rest.lstrip('/')}"


def cache_folder() -> Path:
    """Where local copies are kept: ``$XDG_CACHE_HOME/ranker`` or ``~/.cache/ranker``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ranker"
