"""Pages of the site that live outside docs/: they keep their places in the repository, and their links work in both.

A link of a page is relative to the file in the repository. On the site, docs/ is the root and the other files lie
below it, so each link is resolved in the repository first and then written anew.
"""

import os
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

PAGES = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "benchmarks/README.md", "deploy/README.md")
DOWNLOADS = ("configs/*.yaml", "deploy/*.yaml", "LICENSE")
"""Files that pages link to, given as they are."""
LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?(\))")
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files."""
    root = Path(config.config_file_path).parent
    found = [*PAGES, *(path.relative_to(root).as_posix() for glob in DOWNLOADS for path in sorted(root.glob(glob)))]
    for name in found:
        files.append(File.generated(config, name, abs_src_path=str(root / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Write the links of a page anew, outside its code."""
    root = Path(config.config_file_path).parent
    source = os.path.relpath(page.file.abs_src_path, root) if page.file.abs_src_path else f"docs/{page.file.src_uri}"
    here = posixpath.dirname(source)
    there = posixpath.dirname(page.file.src_uri)

    def on_site(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(here, link[2]))
        target = target.removeprefix("docs/")
        if files.get_file_from_path(target) is None and files.get_file_from_path(f"{target}/README.md"):
            target = f"{target}/README.md"  # a folder's page
        return f"{link[1]}{posixpath.relpath(target, there or '.')}{link[3] or ''}{link[4]}"

    parts = FENCE.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(on_site, part) for part in parts)
