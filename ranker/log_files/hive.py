"""Hive partition columns: ``date=2024-01-01/part.parquet`` has the column ``date``.

Every ``key=value`` folder of the path counts. Values are text, as in CSV.
"""

import re
from urllib.parse import unquote

from ranker.remote_files import Location

NULL = "__HIVE_DEFAULT_PARTITION__"


def hive_columns(path: Location) -> dict[str, str | None]:
    """Values by column, ``None`` for null; the innermost folder wins for a repeated key."""
    columns: dict[str, str | None] = {}
    for folder in path.parts[:-1]:
        key, equals, value = folder.partition("=")
        if equals and key:
            decoded = unquote(value)
            columns[unquote(key)] = None if decoded in (NULL, "") else decoded
    return columns


def unpadded(value: str | None) -> str | None:
    """Strip the leading zeros of an integer value: ``hour=01`` is 1."""
    return str(int(value)) if value is not None and re.fullmatch(r"-?0[0-9]{1,30}", value) else value
