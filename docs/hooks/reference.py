"""The reference, made while the site is built: config, commands, HTTP API, Python API. None of it is committed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import commands_page
import config_page
import http_page
import python_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from training.quiet_imports import quiet_imports

PYTHON = "reference/python"
ROLE = re.compile(r":(?:class|func|mod|meth):<code>~?")
"""Sphinx's roles in docstrings, which Markdown leaves as text."""


def _config() -> str:
    from training.config.experiment import json_schema

    return config_page.page(json_schema())


def _commands() -> str:
    from serving.cli import app as serve
    from training.cli import app as train

    return commands_page.page({"ranker-train": train, "ranker-serve": serve})


PAGES: dict[str, Callable[[], str]] = {
    "reference/config.md": _config,
    "reference/commands.md": _commands,
    "reference/http.md": lambda: http_page.page(http_page.document()),
}
"""What makes each page. Imports are inside: they load TensorFlow."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the pages of the Python API where the navigation has their index."""
    root = Path(config.config_file_path).parent
    pages = [{name: f"{PYTHON}/{name}.md"} for name in python_pages.modules(root)]
    for section in config.nav or ():
        for entry in section.get("Reference", ()) if isinstance(section, dict) else ():
            if entry.get("Python API") == f"{PYTHON}/index.md":
                entry["Python API"] = [f"{PYTHON}/index.md", *pages]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    root = Path(config.config_file_path).parent
    found = python_pages.modules(root)
    with quiet_imports():
        contents = {name: make() for name, make in PAGES.items()}
    contents |= {f"{PYTHON}/{name}.md": python_pages.page(root, name) for name in found}
    contents[f"{PYTHON}/index.md"] = python_pages.index(found)
    for name, content in contents.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_content(html: str, **_: Any) -> str:
    """Show what a role names as code."""
    return ROLE.sub("<code>", html)
