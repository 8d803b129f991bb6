"""Makes the console's pictures: ``python -m tests.docs.console_figures demo/artifacts --output docs/figures``.

``demo/artifacts`` is what ``make demo`` leaves. Simulated users ask a service of it, and their experiment is judged,
which takes two minutes.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson

from ranker.artifact import Artifact, load
from ranker.exposures import open_files
from tests.browser_tab import Tab, tab
from tests.docs.small_pictures import shrink
from tests.serving.asking import CLIENT, patiently
from tests.serving.conftest import server
from tests.serving.console import shown
from tests.serving.console.conftest import sign_in
from training.experiments.judgement import STATUS

KEY = "a key for administrators"
WIDE, NARROW = 1280, 390
VISITS, ASKED = 4000, 200
EXPERIMENT = {
    "name": "more-likes",
    "unit": "user_id",
    "groups": {
        "control": {"share": 0.5},
        "likes": {"share": 0.25, "fusion": {"parameters": {"power": {"like": 1.5}}}},
        "time": {"share": 0.25, "fusion": {"parameters": {"power": {"watch_time": 1.5}}}},
    },
}


def versions(artifacts: Path, folder: Path) -> Artifact:
    """Copies of an artifact as versions 1 and 2, and a version 3 whose graph was cut short."""
    source = load(artifacts).folder
    for version in (1, 2, 3):
        copy = folder / str(version)
        shutil.copytree(source, copy)
        manifest = orjson.loads((copy / "manifest.json").read_bytes())
        (copy / "manifest.json").write_bytes(orjson.dumps({**manifest, "version": version}))
    graph = folder / "3" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1000])
    return load(folder / "2")


def ranker_train(*arguments: object) -> None:
    """Run a command of training, and let it say how an experiment ended by its status."""
    run = "from training.cli import app; app()"
    ended = subprocess.run(
        [sys.executable, "-c", run, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert ended.returncode in STATUS.values(), ended.stderr


def visit(url: str, folder: Path) -> None:
    """Simulated users ask and respond; their experiment is judged into a report."""
    asked = ("--requests", VISITS, "--candidates", 50, "--pace", 1000, "--late", 0)
    ranker_train("simulate", "--live", url, *asked, "--output", folder / "users")
    patiently(lambda: not open_files(folder / "log"))
    judged = (
        "--experiment",
        EXPERIMENT["name"],
        "--metric",
        "like / requests",
        "--metric",
        "watch_time.value / requests",
    )
    events = ("--events", folder / "users" / "events", "--guardrail", "click / requests >= -5%")
    report = folder / "reports" / "first-day.json"
    report.parent.mkdir()
    ranker_train(
        "experiment",
        "--exposures",
        folder / "log",
        *events,
        *judged,
        "--models",
        folder / "models.json",
        "--json",
        report,
    )


def ask(url: str, artifact: Artifact) -> None:
    """Requests of many users, a few of them wrong."""
    for number in range(ASKED):
        request = artifact.golden[number % len(artifact.golden)]
        body: dict[str, Any] = {"context": {**request.context, "user_id": number}, "candidates": request.candidates}
        if number % 97 == 0:
            body["context"]["user_age"] = "young"
        CLIENT.post(f"{url}/rank", content=orjson.dumps(body))


def pictures(opened: Tab, url: str, artifact: Artifact, output: Path) -> None:
    """One picture a view, and one of a dark phone."""
    opened.show_as(WIDE, 800)
    opened.open(f"{url}/console")
    sign_in(opened)
    for _ in range(6):  # polls, for the lines of the last minutes
        ask(url, artifact)
        seen = opened.run("document.querySelector('#session').textContent")
        opened.until(f"document.querySelector('#session').textContent !== {seen!r}")
    opened.picture(output / "console_overview.png")
    opened.show_as(NARROW, 844, "dark")
    opened.picture(output / "console_phone.png", {"x": 0, "y": 0, "width": NARROW, "height": 1100})
    opened.show_as(WIDE, 400)
    shown.go(opened, "experiment")
    shown.table(opened, "Differences to control")
    opened.picture(output / "console_experiment.png")
    shown.bench(opened)
    opened.run("[...document.querySelectorAll('button')].find((one) => one.textContent.startsWith('Compare')).click()")
    shown.ranked(opened, "B")
    shown.choose(opened, ".lane:nth-child(2) .choices select", "group likes", index=2)
    shown.choose(opened, ".lane:nth-child(1) .choices select", "group control", index=2)
    opened.until("document.querySelectorAll('.used')[1].textContent.includes('multiplicative')")
    opened.run("document.querySelectorAll('details')[1].open = true")
    opened.run("document.querySelector('#request').rows = 8")
    opened.run("document.querySelectorAll('.legend input').forEach((one) => one.click())")
    shown.ranked(opened, "B")
    opened.run("document.querySelectorAll('.lane')[1].querySelectorAll('tbody td button')[0].click()")
    opened.picture(output / "console_bench.png", {"x": 0, "y": 0, "width": WIDE, "height": 1600})
    for picture in output.glob("console_*.png"):
        shrink(picture)


def main() -> None:
    """Start the service, ask it, and take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifacts", type=Path, help="Folder of the artifact that `make demo` trains.")
    parser.add_argument("--output", type=Path, required=True, help="Folder for the pictures.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as running:
        folder = Path(name)
        artifact = versions(given.artifacts, folder / "shop")
        models = folder / "models.json"
        source = {"artifact": str(folder / "shop")}
        models.write_text(json.dumps({"models": {"shop": source}, "experiment": EXPERIMENT}))
        settings = {"admin_keys": KEY, "console": "true", "console_reports": folder / "reports", "workers": 2}
        logging = {"exposures": folder / "log", "exposures_roll_seconds": 1, "exposures_features": "all"}
        url = running.enter_context(server(models=models, **settings, **logging)).url
        visit(url, folder)
        pictures(running.enter_context(tab()), url, artifact, given.output.resolve())


if __name__ == "__main__":
    main()
