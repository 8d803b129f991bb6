"""The files of the console's page, from the package; they hold no data, so they need no key."""

from importlib.resources import files
from typing import NamedTuple

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
INDEX = "index.html"
ROOT = "ROOT_PATH"
"""Stands in the page for the path prefix of a proxy, which settings restrict to unreserved characters of URLs."""


class PageFile(NamedTuple):
    """Content and media type of a file."""

    content: bytes
    media_type: str


def page_files(root_path: str) -> dict[str, PageFile]:
    """All files by name. ``root_path`` is the path prefix under which a proxy publishes the service."""
    found = {}
    for file in files("serving.console").joinpath("page").iterdir():
        text = file.read_text(encoding="utf-8")
        if file.name == INDEX:
            text = text.replace(ROOT, root_path)
        found[file.name] = PageFile(text.encode(), TYPES[file.name[file.name.rindex(".") :]])
    return found
