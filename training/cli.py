"""``ranker-train``: simulate, fit, evaluate, export, compare, pareto, search, inspect, report, schema."""

import json
import os
import re
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from ranker.command_line import REFUSED, Commands, debug
from training.early_checks import FRONT_METHODS, SEARCH_METHODS, check_config, check_name, split_variation
from training.outputs import check_file, check_folder
from training.quiet import quiet_imports


class _Commands(Commands):
    stopped = "stopped; the same command goes on where it was"


app = typer.Typer(
    name="ranker-train",
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Train one ranking model for several objectives, measure it per objective, export it for `ranker-serve`.",
)
console = Console()

Paths = Annotated[
    list[Path] | None,
    typer.Option(
        "--data", "-d", help="Parquet or CSV file, folder or glob; may be repeated. By default those in RANKER_DATA."
    ),
]
More = Annotated[list[Path] | None, typer.Argument(help="More data paths, as a shell expands `--data part-*.parquet`.")]


@app.callback()
def main(
    debug_errors: Annotated[
        bool, typer.Option("--debug", help="Show the stack trace of an error; so does RANKER_DEBUG=1.")
    ] = False,
) -> None:
    """Take the options that stand before the command."""
    debug(debug_errors)


@app.command()
def simulate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the Parquet files.")],
    rows: Annotated[int, typer.Option(min=1, help="Impressions to draw.")] = 1_000_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same log.")] = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier simulation in the folder.")] = False,
) -> None:
    """Draw an impression log with five partly conflicting objectives and a known true utility."""
    check_folder("--output", output)
    from training.progress import Display
    from training.simulator import SimulatorConfig
    from training.simulator import simulate as draw

    with Display(console) as display:
        done = 0

        def progress(total: int) -> None:
            nonlocal done
            display.rows("simulate", total - done)
            done = total

        display.expect(rows)
        files = draw(SimulatorConfig(rows=rows, seed=seed), output, overwrite=overwrite, progress=progress)
    console.print(f"{rows:,} impressions in {len(files)} file(s) in {output}")


@app.command()
def fit(
    config: Annotated[Path, typer.Argument(help="The experiment, a YAML file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for artifacts, and for the run itself.")],
    more: More = None,
    data: Paths = None,
    restart: Annotated[bool, typer.Option(help="Discard an unfinished run instead of going on with it.")] = False,
) -> None:
    """Train, evaluate on the validation split, and export the artifact into the output folder.

    A run that was killed goes on where it was when the same command is given again.
    """
    check_config(config)
    check_folder("--output", output)
    with quiet_imports():
        from training.config import load
        from training.job import run

    artifact = run(load(config), _sources(data, more), output, console, restart=restart)
    console.print(f"artifact: [bold]{artifact.folder}[/bold]    serve it: ranker-serve {output}")


@app.command()
def evaluate(
    artifact: Annotated[Path, typer.Argument(help="An artifact, or a folder of versions: then the latest.")],
    more: More = None,
    data: Paths = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the metrics to this file.")] = None,
    group_by: Annotated[str | None, typer.Option(help="Column for GAUC; by default the config's.")] = None,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples behind each interval; 0 for none.")] = 200,
    validation: Annotated[
        bool, typer.Option("--validation", help="Measure only on rows that the artifact's own split holds out.")
    ] = False,
    given_conflicts: Annotated[
        Literal["drop", "mask", "keep"] | None,
        typer.Option(help="What labels mean that contradict `given`; by default what the config's tasks say."),
    ] = None,
) -> None:
    """Measure an artifact's scores on a log, per objective: on every row, or with `--validation` on held-out rows.

    A caution says how many of the rows the artifact was trained on.
    """
    if json_file is not None:
        check_file("--json", json_file)
    with quiet_imports():
        from training.job import evaluate_artifact

    sources = _sources(data, more)
    metrics = evaluate_artifact(
        artifact, sources, group_by, bootstrap, console, validation=validation, given_conflicts=given_conflicts
    )
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_text(json.dumps(metrics, indent=2) + "\n")
        console.print(f"metrics: {json_file}")


@app.command()
def export(
    run: Annotated[Path, typer.Argument(help="The output folder of a `fit` that was stopped, or finished.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to; by default the same folder.")] = None,
) -> None:
    """Export the best epoch so far of a run, without training on."""
    check_folder("--output", output or run)
    with quiet_imports():
        from training.job import export_run

    artifact = export_run(run, output or run, console)
    console.print(f"artifact: [bold]{artifact.folder}[/bold]")


@app.command()
def compare(
    config: Annotated[Path, typer.Argument(help="The experiment that is varied, a YAML file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the cells and the report.")],
    vary: Annotated[
        list[str],
        typer.Option(help="KEY=VALUE,VALUE: `architecture=mmoe,ple`, `weighting=all`, `training.batch_size=512,4096`."),
    ],
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each variation, under as many seeds.")] = 1,
    more: More = None,
    data: Paths = None,
    test: Annotated[
        list[Path] | None, typer.Option(help="Data to measure on instead of the validation split; may be repeated.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Cells trained at the same time, sharing the CPU's threads.")] = 1,
    export_best: Annotated[
        Path | None, typer.Option(help="Export the best cell as the next version in this folder, without retraining.")
    ] = None,
    best_by: Annotated[
        str | None, typer.Option(help="`mean_auc`, `like.gauc`, ...: what is best; by default early stopping's metric.")
    ] = None,
) -> None:
    """Train and measure every combination of the values, and write one report.

    A comparison that was stopped goes on where it was when the same command is given again.
    """
    check_config(config)
    for text in vary:
        split_variation(text)
    check_folder("--output", output)
    if export_best is not None:
        check_folder("--export-best", export_best)
    with quiet_imports():
        from training import compare as comparison
        from training.config import load

    base = load(config)
    cells = comparison.expand(base, [comparison.parse(text) for text in vary], seeds)
    source = _sources(data, more) or [Path(path) for path in base.data.paths]
    comparison.compare(base, cells, source, test or [], output, jobs, console, best_by, export_best)


@app.command()
def pareto(
    config: Annotated[Path, typer.Argument(help="The experiment whose balancing is varied, a YAML file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for artifacts, trainings and the report.")],
    points: Annotated[int, typer.Option(help="Settings of each method: equal ones, extremes, then evenly spread.")],
    method: Annotated[
        list[str] | None, typer.Option(help="`pe_ltr` (bounds), `static`, `smooth_tchebycheff`; may be repeated.")
    ] = None,
    total: Annotated[float, typer.Option(help="Sum of PE-LTR's bounds; what is left of 1 it balances itself.")] = 0.8,
    objectives: Annotated[
        str | None, typer.Option(help="`click.auc,watch.rmse`; by default the AUC, or RMSE, of every task.")
    ] = None,
    pick: Annotated[str | None, typer.Option(help="`least_misery` (the default), `knee` or `preference`.")] = None,
    prefer: Annotated[
        str | None, typer.Option(help="`click=2,like=1`: what each objective counts, 1 if not named; picks by it.")
    ] = None,
    more: More = None,
    data: Paths = None,
    test: Annotated[
        list[Path] | None, typer.Option(help="Data to measure on besides; it chooses nothing. May be repeated.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Models trained at the same time, sharing the CPU's threads.")] = 1,
) -> None:
    """Train under many preferences over the tasks, draw the front of the best trade-offs, pick one and export it.

    Stopped, it goes on where it was when the same command is given again; more points, another rule or other
    objectives train only what is new.
    """
    check_config(config)
    for name in method or []:
        check_name("--method", name, FRONT_METHODS)
    check_folder("--output", output)
    with quiet_imports():
        from training import pareto as fronts
        from training.config import load

    base = load(config)
    choice = fronts.choice(base, objectives, pick, prefer)
    cells = fronts.expand(base, points, total, method or ["pe_ltr"])
    source = _sources(data, more) or [Path(path) for path in base.data.paths]
    _, artifact = fronts.pareto(base, cells, choice, source, test or [], output, jobs, console)
    console.print(f"artifact: [bold]{artifact.folder}[/bold]    serve it: ranker-serve {output}")


@app.command()
def search(
    artifact: Annotated[Path, typer.Argument(help="An artifact, or a folder of versions: then the latest.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report, and for the search itself.")],
    more: More = None,
    data: Paths = None,
    maximise: Annotated[
        str | None,
        typer.Option(help="`click.auc + 2*like.gauc + watch_time.ndcg@10`; by default the sum of all AUCs."),
    ] = None,
    require: Annotated[
        list[str] | None, typer.Option(help="`like.auc >= today`, `>= today - 0.001`, `>= 0.7`; may be repeated.")
    ] = None,
    fusion: Annotated[str, typer.Option(help="Which of the artifact's fusions is today's.")] = "default",
    formula: Annotated[str | None, typer.Option(help="Search another formula, from its defaults.")] = None,
    vary: Annotated[
        list[str] | None, typer.Option(help="`power`, `power.like`, `power.like=0:3`; may be repeated. Default: all.")
    ] = None,
    trust: Annotated[float, typer.Option(help="How far from today: 1 is from 0 to twice of what is.")] = 1.0,
    method: Annotated[
        str, typer.Option(help="cross_entropy, cma_es, gaussian_process, tpe, nsga2, random, ...")
    ] = "cross_entropy",
    budget: Annotated[int, typer.Option(min=2, help="Parameter sets to try.")] = 500,
    held_out: Annotated[float, typer.Option(help="Share of the groups that chooses nothing.")] = 0.5,
    group_by: Annotated[str | None, typer.Option(help="Column of what competes; by default the config's.")] = None,
    binned: Annotated[bool, typer.Option(help="AUCs from histograms: faster, off by some 1e-6.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Of the search, the held-out groups and the bootstrap.")] = 0,
    bootstrap: Annotated[int, typer.Option(min=0, help="Resamples behind each interval; 0 for none.")] = 200,
    jobs: Annotated[int | None, typer.Option(min=1, help="Threads; by default one for each core.")] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Write the artifact with the best parameters as the next version in this folder. If the held-out rows "
            "show no gain beyond noise, or break a `--require`, nothing is written and the exit status is 3."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="With --export: write the version in any case.")] = False,
) -> None:
    """Search the parameters of an artifact's fusion on the validation rows of a log.

    A search that was stopped goes on where it was when the same command is given again.
    """
    check_name("--method", method, SEARCH_METHODS)
    check_folder("--output", output)
    if export is not None:
        check_folder("--export", export)
    with quiet_imports():
        from training.search.job import Search, export_found, search_artifact

    asked = Search(
        maximise=maximise, require=require or [], fusion=fusion, formula=formula, vary=vary or [], trust=trust,
        method=method, budget=budget, held_out=held_out, group_by=group_by, binned=binned, seed=seed,
        bootstrap=bootstrap, jobs=jobs or os.cpu_count() or 1,
    )  # fmt: skip
    found = search_artifact(artifact, asked, _sources(data, more), output, console)
    if export is not None:
        if found.doubts and not force:
            typer.echo(f"nothing is exported to {export}: {found.doubts[0]}; --force exports it anyway", err=True)
            raise typer.Exit(REFUSED)
        written = export_found(artifact, asked, found, export)
        console.print(f"artifact: [bold]{written.folder}[/bold]    serve it: ranker-serve {export}")


@app.command()
def inspect(
    artifact: Annotated[Path, typer.Argument(help="An artifact, or a folder of versions: then the latest.")],
    depth: Annotated[int, typer.Option(min=0, max=8, help="How deep to look into the blocks.")] = 2,
) -> None:
    """Print a model's blocks: output widths, parameters, arithmetic per request and per candidate; and its gates."""
    with quiet_imports():
        from training.job import inspect_artifact

    inspect_artifact(artifact, depth, console)


@app.command()
def report(
    artifact: Annotated[Path, typer.Argument(help="An artifact, or a folder of versions: then the latest.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="By default report-VERSION.html beside the artifact."),
    ] = None,
) -> None:
    """Write one page about an artifact: quality, calibration, training, what its fusion trades, and sliders to move it.

    The page needs no network and no log: artifacts carry a sample of their validation rows.
    """
    if output is not None:
        check_file("--output", output)
    with quiet_imports():
        from training.job import report_artifact

    page = report_artifact(artifact, output, console)
    console.print(f"report: [bold]{page}[/bold]")


@app.command()
def schema() -> None:
    """Print the JSON Schema of a config, for editors."""
    with quiet_imports():
        from training.config import json_schema

    print(json.dumps(json_schema(), indent=2))


def _sources(data: list[Path] | None, more: list[Path] | None) -> list[Path]:
    """What the command line names, or else RANKER_DATA: paths with a colon between, on Windows a semicolon."""
    if data or more:
        return [*(data or []), *(more or [])]
    between = r":(?!//)" if os.pathsep == ":" else re.escape(os.pathsep)  # s3://... is one path, and is refused as one
    return [Path(path.strip()) for path in re.split(between, os.environ.get("RANKER_DATA", "")) if path.strip()]


if __name__ == "__main__":
    app()
