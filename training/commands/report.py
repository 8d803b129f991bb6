"""Writes the page of an artifact."""

from pathlib import Path

from rich.console import Console

from ranker.artifact import load
from training.commands.outputs import check_file
from training.display import status
from training.export.report_data import read as opened

REPORT = "report-{version}.html"


def report_artifact(path: Path, output: Path | None, console: Console) -> Path:
    """Write the page of an artifact, by default beside it, and return where.

    Raises ``ArtifactError``, and ``ValueError`` where no page can be written.
    """
    from training.reports.artifact.page import to_html  # here: other commands need no charts of it

    artifact = load(path)
    page = output or artifact.folder.parent / REPORT.format(version=artifact.manifest.version)
    check_file("--output", page)
    with status(console, f"reading {artifact.folder}"):
        kept = opened(artifact.folder)
    with status(console, "trying parameters of the fusion"):
        text = to_html(artifact, kept)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8")
    return page
