"""The whole loop on simulated users, from clicks alone to what all objectives want: ``make loop``.

A service ranks by clicks, as many do at first. An online search finds the powers of all objectives on its users; what
was shown and what came of it is joined into a log; the model goes on learning from it; the new version is promoted,
reloaded, and served to new users. It prints the true utility of a request and of a user before and after.

Every step is a command that it prints, so that any of them can be run by hand. It runs on two cores in under ten
minutes, most of which is simulated users waiting for a service on the same cores.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml
from rich.console import Console
from rich.table import Table

from ranker.artifact import Artifact, load, with_fusions
from ranker.fusion import DEFAULT

BIN = Path(sys.executable).parent
CONSOLE = Console()
MODEL, KEY = "shop", "RANKER_LOOP_KEY"
OBJECTIVES = ("click", "long_view", "like", "share", "watch_time")
TODAY = {name: float(name == "click") for name in OBJECTIVES}
"""Powers of the fusion that the loop begins with."""
VARY = tuple(f"power.{name}=0:2" for name in OBJECTIVES if name != "click")
"""What is searched: an order depends on the powers' ratios alone, so that of clicks stays."""
METHOD = {"name": "cross_entropy", "sets": 6, "deviation": 0.3}
REWARD = "(click + 1.5*long_view + 8*like + 15*share + 0.03*watch_time.value) / requests"
"""The true utility's weights, on what users do: the goal is known, the best parameters are not."""
WITHIN = 3
"""Seconds after an exposure in which its events count."""
PACE = 250
"""How many times as fast users live. The longest video takes ten minutes, which has to be less than ``WITHIN``: else
what is watched long would not count, and a search that favours it would seem to fail."""
LEAST = 200
"""Fewest visits of a part, whatever the scale."""
CANDIDATES = 50
"""Of a request; ten are shown."""
BEGUN = time.monotonic()
STATUSES = {
    "online": {0: "goes on, or has found better parameters", 3: "ended without better parameters"},
    "experiment": {0: "win, or no harm", 3: "harm", 4: "not trusted", 5: "undecided"},
    "promote": {0: "promoted, and served", 3: "not promoted: the service stays with what it has"},
}
"""Exit statuses that do not end the loop, in words; of other commands it is 0."""


@dataclass(frozen=True)
class Sizes:
    """Visits of each part.

    Attributes
    ----------
    before, after
        Visits whose true utility is compared.
    round, confirm
        Visits of a round of the search, and of its confirmation.
    rounds
        Most rounds.
    """

    before: int = 2000
    round: int = 3000
    rounds: int = 4
    confirm: int = 6000
    after: int = 2000


class Loop:
    """A folder with a service's files, logs and versions."""

    def __init__(self, folder: Path, demo: Path, seed: int, sizes: Sizes) -> None:
        self.folder, self.demo, self.seed, self.sizes = folder, demo, seed, sizes
        self.versions, self.models = folder / "versions", folder / "models.yaml"
        self.exposures, self.users = folder / "exposures", folder / "users"
        self.blocks = 0

    def prepare(self) -> None:
        """The demo's model with a fusion that ranks by clicks, the models file, and the search's config."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        demo = load(self.demo / "artifacts")
        plan = demo.fusions[DEFAULT].replaced({"power": TODAY})
        options = plan.stored().options.model_dump(mode="json")
        with_fusions(demo, {DEFAULT: plan}, {**demo.manifest.experiment, "fusion": options}, self.versions)
        self.models.write_text(yaml.safe_dump({"models": {MODEL: {"artifact": "versions"}}}))

    def search_config(self, url: str) -> Path:
        """Write the config of the online search."""
        config = {
            "name": "powers",
            "artifact": str(self.versions),
            "vary": list(VARY),
            "service": {"models": str(self.models), "urls": [url], "admin_key_env": KEY, "unit": "user_id"},
            "logs": {
                "exposures": str(self.exposures),
                "events": [str(self.users / "*" / "events")],
                "within": f"{WITHIN}s",
            },
            "reward": REWARD,
            "guardrails": {"clicks": {"metric": "click / requests", "most_loss": 0.3}},
            "method": METHOD,
            "control": 0.2,
            "round": {"requests": int(0.95 * self.sizes.round), "period": "1h"},
            "confirm": {"requests": int(0.95 * self.sizes.confirm), "period": "1h"},
            "budget": {"rounds": self.sizes.rounds},
            "winner": DEFAULT,
            "export": str(self.versions),
            "seed": self.seed,
        }
        path = self.folder / "online.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return path

    def training_config(self, served: Artifact) -> Path:
        """Write the demo's config to train on from what was joined, with the winner's fusion if it was confirmed."""
        config: dict[str, Any] = yaml.safe_load(Path("configs/demo.yaml").read_text())
        config["fusion"] = served.fusion.stored().options.model_dump(mode="json")
        config["data"]["split"] = {"by": "group", "column": "request_id", "fraction": 0.2}
        config["daily"] = {"day": "date", "epochs": 1}
        config["promotion"] = {
            **{f"{name}.auc": {"least": -0.005} for name in OBJECTIVES if name != "watch_time"},
            "fused(default).ndcg@10(like)": {"least": -0.02},
        }
        path = self.folder / "next.yaml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        return path

    def visit(self, url: str, requests: int) -> list[Path]:
        """Simulate users of the service; return the files with the truth."""
        self.blocks += 1
        output = self.users / f"{self.blocks:03}"
        train(
            "simulate", "--live", url, "--world", self.demo / "log", "--requests", requests, "--output", output,
            "--visit-seed", 1000 * self.seed + self.blocks, "--pace", PACE, "--connections", 8,
            "--candidates", CANDIDATES,
        )  # fmt: skip
        time.sleep(WITHIN + 2)  # until the last exposures are in finished files and their events count
        return sorted((output / "truth").rglob("*.parquet"))

    def run(self) -> dict[str, Any]:
        """Run all steps; return what to print at the end."""
        self.prepare()
        with self.serving() as url:
            say("Users of today, who get what is clicked")
            before = utility(self.visit(url, self.sizes.before))
            say("Online search: rounds of six sets of powers beside control")
            config, rounds = self.search_config(url), 0
            search = self.folder / "search"
            while True:
                ended = train("online", config, "--output", search, "--once")
                if (search / "outcome.json").is_file() or ended:
                    break
                confirming = rounds == self.sizes.rounds
                self.visit(url, self.sizes.confirm if confirming else self.sizes.round)
                rounds += 1
            say("Join what was shown and what came of it")
            log = self.folder / "log"
            train(
                "join", "--artifact", self.versions, "--exposures", self.exposures, "--events",
                self.users / "*" / "events", "--within", f"{WITHIN}s", "--output", log,
            )  # fmt: skip
            say("Judge the confirmation once more, by users")
            train(
                "experiment", "--exposures", self.exposures, "--events", str(self.users / "*" / "events"),
                "--within", f"{WITHIN}s", "--experiment", "powers-confirm", "--metric", f"utility = {REWARD}",
                "--output", self.folder / "experiment.html",
            )  # fmt: skip
            say("Go on learning from what was shown")
            served = load(self.versions)
            train(
                "fit", self.training_config(served), "--data", log, "--from", self.versions, "--output", self.versions
            )
            say("Promote, and have the service reload it")
            train(
                "promote", self.versions, "--against", served.folder, "--data", log, "--validation",
                "--output", self.folder / "promotion.html", "--activate", url, "--admin-key-env", KEY,
            )  # fmt: skip
            say("New users")
            after = utility(self.visit(url, self.sizes.after))
        return {"before": before, "after": after}

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The service, as a process of its own."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        words = [
            BIN / "ranker-serve", "--models", self.models, "--port", port, "--drain", 0, "--exposures", self.exposures,
            "--exposures-features", "all", "--exposures-unit", "user_id", "--exposures-roll-seconds", 1,
        ]  # fmt: skip
        show(words)
        environment = os.environ | {"RANKER_SERVE_ADMIN_KEYS": os.environ[KEY]}
        with (self.folder / "service.log").open("w") as log:
            service = subprocess.Popen([str(word) for word in words], env=environment, stderr=log, stdout=log)
        try:
            wait(url, service)
            yield url
        finally:
            service.terminate()
            service.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=Path("demo"), help="Folder of `make demo`.")
    parser.add_argument("--output", type=Path, default=Path("loop"))
    parser.add_argument("--seed", type=int, default=0, help="Seed of the search and of the visits.")
    parser.add_argument("--scale", type=float, default=1.0, help="Multiplies all numbers of visits.")
    arguments = parser.parse_args()
    os.environ.setdefault(KEY, os.urandom(16).hex())
    scale = arguments.scale
    whole = Sizes()
    before, round_, confirm, after = (
        max(int(scale * count), LEAST) for count in (whole.before, whole.round, whole.confirm, whole.after)
    )
    sizes = Sizes(before, round_, whole.rounds, confirm, after)
    found = Loop(arguments.output, arguments.demo, arguments.seed, sizes).run()
    table = Table("true expected utility", "before", "after", "gain", title="What users got")
    for name in ("of a request", "of a user"):
        old, new = found["before"][name], found["after"][name]
        table.add_row(name, f"{old:.2f}", f"{new:.2f}", f"{new / old - 1:+.1%}")
    table.add_row("answered by version", *(", ".join(map(str, found[name]["versions"])) for name in found), "")
    CONSOLE.print(table)
    CONSOLE.print(f"{(time.monotonic() - BEGUN) / 60:.1f} minutes; pages, logs and versions are in {arguments.output}")
    (arguments.output / "utility.json").write_text(json.dumps(found, indent=2) + "\n")


def train(*words: object) -> int:
    """Run a command of ``ranker-train`` and return its exit status; one that is not in ``STATUSES`` ends the loop."""
    command = [BIN / "ranker-train", *words]
    show(command)
    status = subprocess.run([str(word) for word in command], check=False).returncode
    known = STATUSES.get(str(words[0]), {0: ""})
    if status not in known:
        raise SystemExit(f"error: the command above ended with status {status}")
    if known[status]:
        CONSOLE.print(f"exit status {status}: {known[status]}", style="cyan", highlight=False)
    return status


def utility(files: list[Path]) -> dict[str, Any]:
    """True expected utility of a request, and of a user over all of the user's requests; versions that answered."""
    truth = pq.read_table(files, columns=["user", "utility", "version"]).to_pandas()
    return {
        "versions": sorted(int(version) for version in truth["version"].dropna().unique()),
        "of a request": float(truth["utility"].mean()),
        "of a user": float(truth.groupby("user")["utility"].sum().mean()),
    }


def say(text: str) -> None:
    CONSOLE.rule(f"{(time.monotonic() - BEGUN) / 60:.1f} min: {text}")


def show(words: list[Any]) -> None:
    shown = " ".join(f'"{word}"' if " " in str(word) else str(word) for word in (Path(words[0]).name, *words[1:]))
    CONSOLE.print(f"[bold]$ {shown}[/bold]", highlight=False, soft_wrap=True)


def wait(url: str, service: subprocess.Popen[bytes], patience: float = 120) -> None:
    """Until the service is ready."""
    until = time.monotonic() + patience
    while service.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"{url}/health/ready"):
                return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("error: the service does not start; see service.log in the output folder")


if __name__ == "__main__":
    main()
