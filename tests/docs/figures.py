"""Makes the pictures of the tutorial by doing what it says: ``python -m tests.docs.figures --output docs/figures``.

It also prints what each block printed, for the page's examples of output. It takes about three minutes on two cores.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

from tests.docs.pages import ROOT, run
from tests.serving.server_process import free_port
from tests.training.reports.browser import OPTIONS, browser

WIDTH = 1120
PICTURES = {"tutorial_report": ("Quality by objective", 560), "tutorial_sliders": ("Try fusion parameters", 470)}
"""File name to the heading of the report that it begins with, and its height in pixels."""


def picture(report: Path, heading: str, height: int, output: Path) -> None:
    """A part of a report as PNG, from a heading on."""
    move = (
        "<script>addEventListener('load', () => { const heading = [...document.querySelectorAll('h2')]"
        f".find(found => found.textContent === {heading!r});"
        "document.body.style.marginTop = `${16 - heading.getBoundingClientRect().top}px`; });</script>"
    )
    page = report.with_name("moved.html")
    page.write_text(report.read_text(encoding="utf-8") + move, encoding="utf-8")
    command = [browser(), *OPTIONS, f"--user-data-dir={report.parent / 'profile'}", "--hide-scrollbars"]
    command += [f"--window-size={WIDTH},{height}", f"--screenshot={output}", page.as_uri()]
    subprocess.run(command, capture_output=True, timeout=120, check=True)


def main() -> None:
    """Run the tutorial at its full size, then take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="Folder for the pictures.")
    output = parser.parse_args().output.resolve()
    page = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, printed in run(page, folder, {"8000": str(free_port())}, timeout=1800).items():
            print(f"## block {number}\n{printed}")
        for file, (heading, height) in PICTURES.items():
            picture(folder / "report.html", heading, height, output / f"{file}.png")


if __name__ == "__main__":
    main()
