"""KuaiRand's last days, each predicted from all days before it, by LightGBM per task with statistics and histories."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import report
from benchmarks.kuairand import TASKS, load
from benchmarks.peers import user_history
from benchmarks.peers.kuairand import lightgbm


def main(
    data: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="KuaiRand-Pure's impression log, Parquet.")],
    history: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The users' earlier history, Parquet.")],
    json: Annotated[Path, typer.Option(help="Where to write the results.")],
    days: Annotated[int, typer.Option(min=1, help="Number of days to predict, from the end of the log.")] = 4,
    seeds: Annotated[int, typer.Option(min=1)] = 3,
    threads: Annotated[int, typer.Option(min=1, help="Threads that LightGBM may use.")] = 2,
) -> None:
    """Predict each of the last days and report AUC per task, day and seed."""
    log, console = load(data), Console()
    last, earlier = int(log.day.max()), user_history.features(history, log)
    found: list[dict[str, object]] = []
    for day in range(last - days + 1, last + 1):
        for seed in range(seeds):
            result = lightgbm(
                "LightGBM", log, last=day, with_statistics=True, history=earlier, threads=threads, seed=seed
            )
            shown = " ".join(f"{result.auc[task]:.4f}" for task in TASKS)
            console.print(f"{day - last} days from the end, seed {seed}: {shown}, mean {result.mean_auc:.4f}")
            found.append({"day": day - last, "seed": seed, "auc": dict(result.auc), "settings": dict(result.settings)})
    report.write_json(json, {"versions": report.versions("lightgbm", "numpy", "scikit-learn"), "results": found})


if __name__ == "__main__":
    typer.run(main)
