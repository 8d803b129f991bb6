"""``ranker-train export``: the best epoch of a run."""

from pathlib import Path
from typing import Annotated

import typer

from training.cli.terminal import console
from training.commands.outputs import check_folder
from training.quiet_imports import quiet_imports


def export(
    run: Annotated[Path, typer.Argument(help="The output folder of an interrupted or finished `fit`.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="By default the run's folder.")] = None,
    tables: Annotated[
        str,
        typer.Option(
            help="Where embedding tables are kept: beside the graph, in files that serving processes share, or inside "
            "it; auto: features whose rows take 16 MiB or more beside it.",
            metavar="[auto|beside|inside]",
        ),
    ] = "auto",
    table_precision: Annotated[
        str, typer.Option(help="Of rows beside the graph.", metavar="[float32|float16|int8]")
    ] = "float32",
    min_ndcg: Annotated[
        float,
        typer.Option(help="With rounded rows: least NDCG@10 of validation rankings, with the exact score as the gain."),
    ] = 0.999,
) -> None:
    """Export a run's best epoch so far, without further training."""
    check_folder("--output", output or run)
    with quiet_imports():
        from training.commands.export import export_run
        from training.export.tables import table_options

    artifact = export_run(run, output or run, console, table_options(tables, table_precision, min_ndcg))
    console.print(f"artifact: [bold]{artifact.folder}[/bold]")
