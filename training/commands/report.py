"""Writes an artifact's report page."""

from pathlib import Path

from rich.console import Console

from ranker.artifact import load
from training.commands.outputs import check_file
from training.display import status
from training.export.report_data import read as read_report_data

REPORT = "report-{version}.html"


def report_artifact(path: Path, output: Path | None, console: Console) -> Path:
    """Write an artifact's report page, by default next to it, and return its path.

    Raises ``ArtifactError``, and ``ValueError`` if the page cannot be written.
    """
    from training.reports.artifact.page import to_html  # lazy: other commands need no charts

    artifact = load(path)
    page = output or artifact.folder.parent / REPORT.format(version=artifact.manifest.version)
    check_file("--output", page)
    with status(console, f"reading {artifact.folder}"):
        data = read_report_data(artifact.folder)
    with status(console, "trying fusion parameters"):
        text = to_html(artifact, data)
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8")
    return page
