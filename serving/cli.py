"""``ranker-serve``: check an artifact, then serve it."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from serving.settings import Settings

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)


@app.command(help="Serve an artifact: `POST /rank`, `GET /model`, `/health/live`, `/health/ready`, docs at `/docs`.")
def serve(
    artifact: Annotated[
        Path, typer.Argument(envvar="RANKER_SERVE_ARTIFACT", help="An artifact, or a folder of versions: the latest.")
    ],
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8000,
    device: Annotated[
        str, typer.Option(envvar="RANKER_SERVE_DEVICE", help="`cpu`, or `cuda` where ONNX Runtime has its provider.")
    ] = "cpu",
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processes; each loads the model.")] = 1,
    threads: Annotated[
        int,
        typer.Option(
            min=0, envvar="RANKER_SERVE_THREADS", help="Threads of one request's arithmetic; 0 shares the cores out."
        ),
    ] = 0,
    max_candidates: Annotated[
        int, typer.Option(min=1, envvar="RANKER_SERVE_MAX_CANDIDATES", help="Candidates a request may have at most.")
    ] = 5000,
) -> None:
    """Load and check the artifact once, then start the workers."""
    import uvicorn

    from serving.rank import Ranker

    threads = threads or max((os.cpu_count() or 1) // workers, 1)
    try:
        settings = Settings.model_validate(
            {"artifact": artifact, "device": device, "threads": threads, "max_candidates": max_candidates}
        )
        service = Ranker.load(settings)
    except (ValueError, RuntimeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    manifest = service.artifact.manifest
    print(
        f"serving version {manifest.version} ({', '.join(manifest.tasks)}) from {service.artifact.folder}", flush=True
    )
    os.environ.update(settings.environment())
    uvicorn.run(
        "serving.app:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
