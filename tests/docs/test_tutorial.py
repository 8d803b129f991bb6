"""The tutorial does what it says, on a log that is smaller than its own."""

import json
import re

import pytest

from tests.docs.pages import BLOCK, ROOT, run
from tests.serving.server_process import free_port

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
SMALLER = {
    "--rows 200000": "--rows 6000",
    "experts: 4, expert_units: [32]": "experts: 2, expert_units: [8]",
    "epochs: 3, batch_size: 2048": "epochs: 1, batch_size: 512",
    "bootstrap: 50": "bootstrap: 5",
}
COMMANDS = ["simulate", "fit", "evaluate", "report"]


def block(text: str) -> int:
    """Number of the only block that contains a text."""
    (number,) = [number for number, found in enumerate(BLOCK.finditer(PAGE), 1) if text in found["code"]]
    return number


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tutorial")


@pytest.fixture(scope="module")
def printed(folder, warm_python):
    """What each block printed."""
    return run(PAGE, folder, {**SMALLER, "8000": str(free_port())}, timeout=600, training=warm_python)


def test_it_covers_the_way_from_a_log_to_a_request():
    assert re.findall(r"^ranker-train (\w+)", PAGE, re.MULTILINE) == COMMANDS
    assert re.findall(r"^ranker-serve (\w+)", PAGE, re.MULTILINE) == ["artifacts"]


def test_the_commands_write_what_the_page_says(printed, folder):
    assert (folder / "artifacts" / "1" / "manifest.json").exists()
    assert "<h2>Quality by objective" in (folder / "report.html").read_text(encoding="utf-8")
    metrics = json.loads((folder / "metrics.json").read_text())["tasks"]
    assert {task: sorted({"auc", "gauc", "calibration"} & set(found)) for task, found in metrics.items()} == {
        "click": ["auc", "calibration", "gauc"],
        "like": ["auc", "calibration", "gauc"],
        "watch_time": ["calibration"],
    }


def test_the_request_is_ranked(printed):
    ranking = json.loads(printed[block("-d @request.json")])
    assert ranking["fusion"]["parameters"]["power"] == {"click": 1.0, "like": 0.3, "watch_time": 0.5}
    assert len(ranking["ids"]) == 3
    assert ranking["fused"] == sorted(ranking["fused"], reverse=True)


def test_the_fusion_of_a_request_decides_the_order(printed):
    lines = [line.split(": ") for line in printed[block("python fusions.py")].splitlines()]
    assert [name for name, _ in lines] == ["power of like 0", "power of like 0.3", "power of like 2", "additive"]
    orders = [ids.split() for _, ids in lines]
    assert all(len(set(ids)) == 5 for ids in orders)
    assert len(set(map(tuple, orders))) > 1


def test_each_place_is_explained(printed):
    lines = printed[block("python why.py")].splitlines()
    assert [line[:2] for line in lines] == ["1.", "2.", "3."]
    assert all(line.count(f"'{task}': ") == 2 for line in lines for task in ("click", "like", "watch_time"))


@pytest.mark.parametrize("name", re.findall(r"!\[.+?\]\((figures/\S+\.png)\)", PAGE))
def test_its_pictures_are_there_and_small(name):
    picture = (ROOT / "docs" / name).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 150_000
