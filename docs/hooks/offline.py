"""Pages load nothing from elsewhere: a site that would is an error of the build."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

LOADED = re.compile(
    r"<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=[\"']?((?:https?:)?//[^\"'\s>]+)", re.IGNORECASE
)
STYLES = re.compile(r"(?:@import|url\()\s*[\"']?((?:https?:)?//[^\"')\s]+)")


def on_post_build(config: MkDocsConfig) -> None:
    """Look through all pages and style sheets of the site."""
    site = Path(config.site_dir)
    for pattern, files in ((LOADED, site.rglob("*.html")), (STYLES, site.rglob("*.css"))):
        for file in sorted(files):
            if found := pattern.search(file.read_text(encoding="utf-8")):
                raise PluginError(
                    f"{file.relative_to(site)} loads {found[1]} from another host; put the file into docs/"
                )
