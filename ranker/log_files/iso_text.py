"""Vectorised ISO 8601 parsing of Arrow text columns; :mod:`ranker.iso_times` defines the accepted forms."""

from typing import Any

import pyarrow.compute as pc

from ranker.iso_times import FORM, PLAIN, REWRITES


def is_iso(text: Any) -> Any:
    """Mask [N] of rows that are ISO 8601 dates or times; null for null."""
    return pc.match_substring_regex(text, FORM)


def plain(text: Any) -> Any:
    """Rewrite ISO 8601 dates and times [N] in the form that PyArrow and pandas read."""
    if pc.all(pc.match_substring_regex(text, PLAIN)).as_py() is False:
        for pattern, replacement in REWRITES:
            text = pc.replace_substring_regex(text, pattern, replacement)
    return text
