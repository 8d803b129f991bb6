"""The command ``predict`` of ``ranker-train`` and ``ranker-serve``: scores files into a folder of Parquet files."""

from pathlib import Path
from typing import Annotated

import typer

from ranker.data_options import More, Paths, RayAddress, sources


def predict(
    artifact: Annotated[Path, typer.Argument(help="An artifact, or a folder of versions (uses the latest).")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder or URL for the results: new, empty, or of the same job.")
    ],
    more: More = None,
    data: Paths = None,
    rank_by: Annotated[
        str | None,
        typer.Option(help="Rank lists: column whose value names the list of a row, or several: `a,b`."),
    ] = None,
    keep: Annotated[str | None, typer.Option(help="Columns to copy unchanged: `a,b`.")] = None,
    top_k: Annotated[int | None, typer.Option(min=1, help="Keep only the best rows of each list.")] = None,
    fusion: Annotated[
        str | None, typer.Option(help="Fusion that ranks, and whose calibration applies; by default the artifact's.")
    ] = None,
    rules: Annotated[bool, typer.Option("--rules/--no-rules", help="Apply the fusion's rules to lists.")] = True,
    calibrate: Annotated[
        bool, typer.Option("--calibrate/--no-calibrate", help="Write calibrated scores, as the service answers.")
    ] = True,
    cascade: Annotated[
        bool | None,
        typer.Option("--cascade/--no-cascade", help="Rank in two stages; by default where the service does."),
    ] = None,
    engine: Annotated[str, typer.Option(help="openvino, onnxruntime, tensorflow, or auto.")] = "auto",
    threads: Annotated[int, typer.Option(min=0, help="Threads; 0 for one per core. Results do not depend on it.")] = 0,
    rows_per_file: Annotated[
        int, typer.Option(min=1, help="Input rows after which a file of results ends.")
    ] = 1_000_000,
    restart: Annotated[
        bool, typer.Option("--restart", help="Replace the results of another job in the folder.")
    ] = False,
    ray: RayAddress = None,
) -> None:
    """Score each row of a log on every objective, and rank lists with `--rank-by`; needs no TensorFlow.

    Run the same command again to go on after an interruption: complete files stay as they are.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ranker.prediction.job import predict_files
    from ranker.prediction.options import PredictOptions

    options = PredictOptions(_names(rank_by), _names(keep), fusion, calibrate, rules, top_k, cascade, engine)
    console = Console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as shown:
        bar = shown.add_task("predict", total=None)
        summary = predict_files(
            artifact,
            sources(data, more),
            output,
            options,
            rows_per_file=rows_per_file,
            threads=threads,
            restart=restart,
            ray=ray,
            note=lambda text: console.print(text, markup=False),
            expect=lambda rows: shown.update(bar, total=rows or None),
            progress=lambda rows: shown.advance(bar, rows),
        )
    for name, counts in summary.ids.items():
        if counts.unseen:
            share = counts.unseen / counts.present
            console.print(f"{name}: {counts.unseen:,} of {counts.present:,} ids ({share:.1%}) are new to the model")
    written = f"{summary.rows:,} rows in {summary.files:,} file(s)"
    console.print(f"{summary.folder}: {written}, from {summary.read:,} rows", markup=False)


def _names(listed: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in listed.split(",")) if listed is not None else ()
