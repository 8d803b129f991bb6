"""Arrow columns of text in ISO 8601, as :mod:`ranker.iso_times` says, at the speed of C."""

from typing import Any

import pyarrow.compute as pc

from ranker.iso_times import FORM, PLAIN, REWRITES


def is_iso(text: Any) -> Any:
    """Which rows [N] are dates or times in ISO 8601; null for null."""
    return pc.match_substring_regex(text, FORM)


def plain(text: Any) -> Any:
    """Dates and times [N] in ISO 8601 -> the same in the form that PyArrow and pandas read."""
    if pc.all(pc.match_substring_regex(text, PLAIN)).as_py() is False:
        for pattern, replacement in REWRITES:
            text = pc.replace_substring_regex(text, pattern, replacement)
    return text
