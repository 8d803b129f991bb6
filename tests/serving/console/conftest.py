"""A service behind a proxy with two versions, an experiment, rules and re-ranking; its newest version is refused."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from serving.experiments.assignment import Split
from serving.experiments.config import Experiment
from tests.artifacts import shop_log, written
from tests.browser_tab import Tab, tab
from tests.serving.asking import CLIENT
from tests.serving.conftest import Server, server

LARGEST = 100_000
"""Largest body in bytes."""
ADMIN, RANK = "a key for administrators", "a key for the shop front"
FUSION = {
    "parameters": {"share": {"buy": 2.0}},
    "rules": {"special": {"kind": "boost", "where": "shelf == 2", "add": 0.5}},
    "rerank": {"diverse": {"kind": "mmr", "of": "tags", "lambda": 0.6}},
}
GROUPS = {
    "control": {"share": 0.5},
    "bold": {"share": 0.25, "fusion": {"parameters": {"share": {"click": 4.0}}, "rerank": False}},
    "calm": {"share": 0.25, "fusion": "calm"},
}
CURIOUS = {"options": {"explore": {"kind": "plackett_luce", "temperature": 1.0}}}
CALM = {"options": {"name": "multiplicative", "parameters": {"power": {"watch": 0.5}}}}


@dataclass
class Console:
    """A running service with a console, and a request that it ranks."""

    running: Server
    request: dict[str, Any]
    folder: Path

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def page(self) -> str:
        """The page's address as the proxy publishes it."""
        return f"{self.url}/ranker/console"

    @property
    def reports(self) -> Path:
        """Where it looks for reports of experiments."""
        return self.folder / "reports"

    def get(self, path: str) -> Any:
        """An admin route's answer."""
        return CLIENT.get(f"{self.url}{path}", headers=bearer(ADMIN)).raise_for_status().json()

    def post(self, path: str, body: Any, key: str = ADMIN) -> httpx.Response:
        """An answer to JSON, or to text as it is."""
        content = body if isinstance(body, str) else json.dumps(body)
        return CLIENT.post(f"{self.url}{path}", content=content, headers=bearer(key), timeout=60)

    def rank(self, body: Any, key: str = RANK) -> httpx.Response:
        """An answer of ``/rank``."""
        return self.post("/rank", body, key)


def salt_for(user: Any) -> str:
    """A salt by which the user is in the group without changes."""

    def group(salt: str) -> str | None:
        experiment = Experiment.model_validate({"name": "june", "unit": "user", "groups": GROUPS, "salt": salt})
        return Split(experiment).group_of(str(user))

    return next(salt for salt in map(str, range(100)) if group(salt) == "control")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@contextmanager
def console_of(folder: Path) -> Iterator[Console]:
    """Versions 1 and 2 are sound, and 3 is not."""
    written(folder, **shop_log(), fusion={**FUSION, "parameters": {"share": {"watch": 5.0}}}, calm=CALM)
    sound = written(folder, **shop_log(), fusion=FUSION, calm=CALM, curious=CURIOUS)
    written(folder, **shop_log(), change_scores=0.01, fusion=FUSION, calm=CALM, curious=CURIOUS)
    models = folder / "models.json"
    golden = sound.golden[0]
    experiment = {"name": "june", "unit": "user", "groups": GROUPS, "salt": salt_for(golden.context["user"])}
    models.write_text(json.dumps({"models": {"shop": {"artifact": str(folder)}}, "experiment": experiment}))
    settings = {"admin_keys": ADMIN, "api_keys": RANK, "root_path": "/ranker", "max_body_bytes": LARGEST, "workers": 2}
    settings["console_reports"] = folder / "reports"
    settings |= {"exposures": folder / "log", "exposures_features": "all", "exposures_flush": 0.05}
    with server(models=models, console="true", **settings) as running:
        yield Console(running, {"context": golden.context, "candidates": golden.candidates}, folder)


@pytest.fixture(scope="session")
def console(tmp_path_factory) -> Iterator[Console]:
    with console_of(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="session")
def browser_tab() -> Iterator[Tab]:
    with tab() as opened:
        yield opened


@pytest.fixture
def page(console, browser_tab) -> Tab:
    """The console's page, loaded anew at the overview; the tab stays signed in from test to test."""
    browser_tab.open("about:blank")
    browser_tab.errors.clear()
    browser_tab.requested.clear()
    browser_tab.show_as(1280)
    browser_tab.open(console.page)
    if (
        browser_tab.until(
            "document.querySelector('#key, .tiles .value') !== null && (document.querySelector('#key') ? 'out' : 'in')"
        )
        == "out"
    ):
        sign_in(browser_tab)
    return browser_tab


def sign_in(opened: Tab, key: str = ADMIN) -> None:
    """Sign in by the keyboard."""
    opened.until("document.activeElement?.id === 'key'")
    opened.type(key)
    opened.key("Enter")
    opened.until("document.querySelector('.tiles .value') !== null")
