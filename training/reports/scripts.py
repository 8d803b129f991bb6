"""The JavaScript that draws charts, kept between runs."""

import os
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path

import vl_convert

from ranker.files import replace_file
from ranker.urls import cache_folder


@cache
def vega_bundle() -> str:
    """Vega, Vega-Lite and vegaEmbed as one script, safe within a page's ``<script>``.

    Bundling takes seconds of processor time, so the result is kept below ``$XDG_CACHE_HOME`` or ``~/.cache``, by
    version; without a place to write to, it is made again in each process.
    """
    file = _folder() / f"vega-{version('vl-convert-python')}.js"
    with suppress(OSError, UnicodeDecodeError):
        kept = file.read_text(encoding="utf-8")
        if kept and file.stat().st_uid == os.getuid():  # another user's file would become part of reports
            return kept
    bundle: str = vl_convert.javascript_bundle(None)  # type: ignore[arg-type]  # None: the full vegaEmbed bundle
    script = bundle.replace("</script", "<\\/script")
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, script.encode())
    return script


def _folder() -> Path:
    with suppress(RuntimeError):  # no home
        return cache_folder()
    return Path(os.devnull)
