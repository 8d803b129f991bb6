"""``ranker-train distill``: adds a student to an artifact, for rankings in two stages."""

from pathlib import Path
from typing import Annotated

import typer

from ranker.command_line import REFUSED
from ranker.data_options import More, Paths, sources
from training.cli.terminal import console
from training.commands.outputs import check_folder
from training.quiet_imports import quiet_imports


def distill(
    artifact: Annotated[Path, typer.Argument(help="An artifact, or a folder of versions (uses the latest).")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the next version.")],
    more: More = None,
    data: Paths = None,
    config: Annotated[
        Path | None, typer.Option(help="The student's architecture and training, a YAML file; see docs/config.md.")
    ] = None,
    keep: Annotated[float, typer.Option(help="Share of the candidates that the full model scores by default.")] = 0.25,
    min_ndcg: Annotated[
        float,
        typer.Option(
            help="Least NDCG@10 of rankings in two stages against the full model's. Below it nothing is written and "
            "the exit status is 3."
        ),
    ] = 0.999,
    candidates: Annotated[int, typer.Option(help="Candidates of a sampled list: as many as requests have.")] = 500,
    lists: Annotated[int, typer.Option(help="Sampled lists to measure rankings on.")] = 200,
    group_by: Annotated[str | None, typer.Option(help="Column that groups rows; by default the config's.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write the version also below --min-ndcg; only requests then use it.")
    ] = False,
) -> None:
    """Train a small student on an artifact's scores, and write the artifact with it as the next version.

    The service scores all candidates of a request with the student, and only the best with the full model. Run the same
    command again to resume an interrupted run.
    """
    check_folder("--output", output)
    from training.config.student import StudentOptions, load_student

    student = StudentOptions() if config is None else load_student(config)
    with quiet_imports():
        from training.commands.distill import DistillOptions
        from training.commands.distill import distill as command

    asked = DistillOptions(
        keep=keep, min_ndcg=min_ndcg, candidates=candidates, lists=lists, group_by=group_by, student=student
    )
    found = command(artifact, sources(data, more), asked, output=output, progress=console)
    if found.doubts and not force:
        typer.echo(f"nothing is exported to {output}: {found.doubts[0]}; --force exports it anyway", err=True)
        raise typer.Exit(REFUSED)
    written = found.export()
    console.print(f"artifact: [bold]{written.folder}[/bold]    serve it: ranker-serve {output}")
