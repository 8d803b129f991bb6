"""Compares the Pareto fronts of PE-LTR and static weights, with equal trainings, seeds, rows, model and epochs.

    python -m benchmarks.pareto_front --output runs/pareto_front

The last simulated day is the test day and used for no choice; each method's front is selected on the validation day
before it. The result is the hypervolume of that front on the test day, relative to an uninformed model.

Contestants: PE-LTR with N bounds, and static weights at the same N points of the simplex; then both with losses
divided by those of the best constant prediction (``scale_by: prior``).
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from training.quiet_imports import quiet_imports

if TYPE_CHECKING:
    from training.config.experiment import Experiment
    from training.sweeps.pareto.objectives import Objective
    from training.sweeps.pareto.summary import Summary

CONFIG = Path(__file__).with_suffix(".yaml")
METHODS = ["pe_ltr", "static"]


def main(
    output: Annotated[Path, typer.Option(help="Folder for logs, trainings and results.")],
    points: Annotated[int, typer.Option(min=4, help="Trainings per contestant and seed.")] = 8,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds, each for a log and its models.")] = 3,
    rows: Annotated[int, typer.Option(min=10_000, help="Impressions in each log, all ten days.")] = 120_000,
    config: Annotated[Path, typer.Option(help="The model.")] = CONFIG,
    total: Annotated[float, typer.Option(help="Sum of PE-LTR's bounds.")] = 0.8,
    figure: Annotated[Path | None, typer.Option(help="Where to write the fronts of the first seed, as SVG.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Number of parallel trainings.")] = 2,
) -> None:
    """Run every seed, print hypervolumes on the test day, write `pareto_front.json`. Resumes a stopped run."""
    with quiet_imports():
        from training.commands import pareto as command
        from training.config.experiment import load
        from training.sweeps import pareto as fronts

    console = Console()
    base, found = load(config), []
    for seed in range(seeds):
        log, test = simulated(output / f"log_{seed}_{rows}", rows, seed)
        of_seed = base.model_copy(update={"training": base.training.model_copy(update={"seed": seed})})
        choice = fronts.choice(of_seed, None, None, None)
        cells = [
            replace(cell, values={**cell.values, "weighting": cell.values["weighting"] + words})
            for words, scaled in (("", "none"), (", scaled", "prior"))
            for cell in fronts.expand(scaled_by(of_seed, scaled), points, total, METHODS)
        ]
        folder = output / f"{config.stem}_{seed}_{rows}"
        summary, _ = command.pareto(of_seed, cells, choice, [log], [test], folder, jobs, console)
        found.append(summary)
        if figure is not None and seed == 0:
            draw(choice.objectives, summary, figure)
    report(found, console)
    content = {"points": points, "rows": rows, "total": total, "seeds": [summary.to_dict() for summary in found]}
    (output / f"{config.stem}.json").write_text(json.dumps(content, indent=1) + "\n")


def simulated(folder: Path, rows: int, seed: int) -> tuple[Path, Path]:
    """Days 1 to 9, and day 10."""
    import numpy as np
    import pyarrow.parquet as pq

    from training.simulator import SimulatorConfig, log_table

    log, test = folder / "log.parquet", folder / "test.parquet"
    if not test.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        world = SimulatorConfig(rows=rows, seed=seed, users=2000, items=1000, authors=100, days=10)
        table = log_table(world)
        dates = np.array(table["date"].to_pylist())
        pq.write_table(table.filter(dates < dates.max()), log)
        pq.write_table(table.filter(dates == dates.max()), test)
    return log, test


def scaled_by(experiment: "Experiment", word: str) -> "Experiment":
    """The experiment with unscaled losses (``none``), or losses divided by those of constants (``prior``)."""
    weighting = experiment.weighting.model_copy(update={"scale_by": word})
    return experiment.model_copy(update={"weighting": weighting})


def report(found: Sequence["Summary"], console: Console) -> None:
    """Hypervolumes by seed and contestant."""
    table = Table(title="hypervolume on the test day (on the validation day)")
    table.add_column("seed")
    contestants = [name for name in found[0].hypervolume if name != "all"]
    for name in contestants:
        table.add_column(name, justify="right")
    tested: list[Mapping[str, float]] = []
    for seed, summary in enumerate(found):
        assert summary.hypervolume_test is not None  # a test day is given
        pairs = [(summary.hypervolume_test[name], summary.hypervolume[name]) for name in contestants]
        table.add_row(str(seed), *(f"{test:.5f} ({validation:.5f})" for test, validation in pairs))
        tested.append(summary.hypervolume_test)
    means = [statistics.fmean(each[name] for each in tested) for name in contestants]
    table.add_row("mean", *(f"{mean:.5f}" for mean in means))
    console.print(table)


def draw(objectives: Sequence["Objective"], summary: "Summary", path: Path) -> None:
    """Plot every pair of objectives on the test day; points outside of their contestant's front are grey."""
    from itertools import combinations

    import altair as alt
    import numpy as np

    from training.evaluation.pareto_front import non_dominated
    from training.reports import front
    from training.reports.pareto import pair_records

    models = []
    for method in summary.hypervolume:
        mine = [model for model in summary.models if model.method == method]
        if not mine:  # "all" of them together
            continue
        gains = np.array([[o.sign * model.validation[o.name] for o in objectives] for model in mine])
        for model, on_front in zip(mine, non_dominated(gains), strict=True):
            assert model.test is not None  # a test day is given
            standing = "on the front" if on_front else "dominated"
            models.append(replace(model, validation=model.test, standing=standing))
    charts = []
    for x, y in combinations(objectives, 2):
        lower = [o.title for o in (x, y) if o.sign < 0]
        records = pair_records(models, x, y)
        charts.append(front(records, x.title, y.title, "setting", "method", lower).properties(width=270, height=230))
    path.parent.mkdir(parents=True, exist_ok=True)
    alt.hconcat(*charts).save(str(path))


if __name__ == "__main__":
    typer.run(main)
