"""Backtests configs on KuaiRand's last days, beside LightGBM by the same rule: differences paired by day and seed.

    python -m benchmarks.kuairand_days --data LOG.parquet --history HISTORY.parquet --output runs/days CONFIG...

Runs the peer, then each config, then writes `table.md`. Finished steps are not repeated. A config runs as
`ranker-train backtest`: with `training.refit` it chooses its epochs on the day before, like the peer its rounds, and is
then fitted again. A config with `early_stopping: null` chooses nothing, so that it is fitted once, on all days before,
as its refit would be.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree
from typing import Annotated

import numpy as np
import pandas as pd
import typer
import yaml

from benchmarks.kuairand import DAY, TASKS
from benchmarks.paired import Scores, of_backtest, paired
from training.config import load as load_config
from training.quiet_imports import TRAINING, import_quietly


def main(
    configs: Annotated[list[Path], typer.Argument(help="Configs to backtest, on the log with histories.")],
    data: Annotated[Path, typer.Option(help="KuaiRand-Pure's impression log, Parquet.")],
    history: Annotated[Path, typer.Option(help="Its users' histories, Parquet.")],
    output: Annotated[Path, typer.Option(help="Folder for intermediate and final results.")],
    days: Annotated[int, typer.Option(min=1)] = 4,
    seeds: Annotated[int, typer.Option(min=1)] = 3,
    mode: Annotated[str, typer.Option(help="Of the backtest: full, incremental or both.")] = "full",
    peers_python: Annotated[Path, typer.Option(help="Python interpreter of the peers' environment.")] = Path(
        ".peers/bin/python"
    ),
) -> None:
    """Run what is missing and write the table."""
    output.mkdir(parents=True, exist_ok=True)
    log, peer = output / "log.parquet", output / "lightgbm.json"
    asked = ("--days", days, "--seeds", seeds)
    if not log.is_file():
        _run(sys.executable, "-m", "benchmarks.kuairand_log", data, history, log)
    if not peer.is_file():
        module = "benchmarks.peers.kuairand_days"
        _run(peers_python, "-m", module, "--data", data, "--history", history, "--json", peer, *asked)
    found: dict[str, Scores] = {"LightGBM, statistics + history": _of_peer(peer)}
    for config in configs:
        folder = output / config.stem
        if mode == "full" and load_config(config).early_stopping is None:
            found[config.stem] = {
                (day, seed): fitted(config, log, day, seed, folder)
                for seed in range(seeds)
                for day in range(1 - days, 1)
            }
            continue
        command = (sys.executable, "-m", "training.cli", "backtest", config, "--data", log, "--output", folder)
        held_out = ("--validation-days", 1) if mode == "full" and load_config(config).training.refit else ()
        _run(*command, "--mode", mode, *asked, *held_out)
        results = json.loads((folder / "results.json").read_text())
        for trained, scores in of_backtest(results).items():
            found[config.stem if trained == "full" else f"{config.stem}, {trained}"] = scores
    table = "".join(f"| {' | '.join(line)} |\n" for line in table_of(found))
    (output / "table.md").write_text(table)
    print(table)


def fitted(config: Path, log: Path, day: int, seed: int, folder: Path) -> dict[str, float]:
    """AUC by task on one day, counted back from the last one, of a model of all rows before it."""
    file = folder / f"{day}-{seed}.json"
    if file.is_file():
        return dict(json.loads(file.read_text()))
    import_quietly(TRAINING)
    from training.commands.fit import fit

    experiment = yaml.safe_load(config.read_text())
    experiment["data"] = {"split": {"by": "time", "column": DAY, "last": 1}}
    experiment["training"] |= {"seed": seed, "refit": False}
    rows = pd.read_parquet(log)
    rows = rows[rows[DAY] <= np.sort(rows[DAY].unique())[day - 1]].reset_index(drop=True)
    run = fit(experiment, rows, output=folder / f"run-{file.stem}")
    aucs = {task: float(run.metrics["tasks"][task]["auc"]) for task in TASKS}
    file.write_text(json.dumps(aucs))
    rmtree(folder / f"run-{file.stem}")
    return aucs


def table_of(found: Mapping[str, Scores]) -> list[list[str]]:
    """Mean AUC of each task over days and seeds, and each model's mean difference to the first one."""
    heads = ["model", *TASKS, "mean", "mean - first, 95 %"]
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)]]
    first = next(iter(found.values()))
    for place, (name, scores) in enumerate(found.items()):
        aucs = [np.mean([each[task] for each in scores.values()]) for task in TASKS]
        gain = "" if place == 0 else _shown(paired(scores, first))
        lines.append([name, *(f"{value:.4f}" for value in (*aucs, np.mean(aucs))), gain])
    return lines


def _shown(difference: tuple[float, float]) -> str:
    return f"{difference[0]:+.4f} ± {difference[1]:.4f}"


def _of_peer(file: Path) -> Scores:
    return {(each["day"], each["seed"]): each["auc"] for each in json.loads(file.read_text())["results"]}


def _run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True)


if __name__ == "__main__":
    typer.run(main)
