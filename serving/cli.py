"""``ranker-serve``: check an artifact, then serve it."""

import contextlib
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from serving.cores import cores
from serving.logs import CONFIG
from serving.settings import PREFIX, Settings

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)

GRACE = 30
"""Seconds that requests have to finish once the port is closed."""
SILENCE = 60
"""Seconds without a sign of life after which a worker is replaced. One that loads a large model on busy cores gives
none for a while; replaced too soon, it would begin again for ever."""


def _option(name: str, *flags: str, panel: str, **checks: Any) -> Any:
    """Return an option for a setting: its text and its variable are the setting's own."""
    text = Settings.model_fields[name].description
    return typer.Option(*flags, envvar=PREFIX + name.upper(), help=text, rich_help_panel=panel, **checks)


NETWORK, LIMITS, VERSIONS = "Network", "Limits", "Versions"
ACCESS, ENGINE, STORES = "Access and logs", "Engine", "Items and users"


@app.command(help="Serve an artifact: `POST /rank`, `GET /model`, `/metrics`, probes at `/health/`, `/docs`.")
def serve(
    artifact: Annotated[
        Path | None,
        typer.Argument(envvar="RANKER_SERVE_ARTIFACT", help="An artifact, or a folder of versions: the latest."),
    ] = None,
    host: Annotated[str, _option("host", panel=NETWORK)] = "127.0.0.1",
    port: Annotated[str, _option("port", panel=NETWORK, metavar="INTEGER")] = "8000",
    workers: Annotated[int, _option("workers", panel=NETWORK)] = 1,
    root_path: Annotated[str, _option("root_path", panel=NETWORK)] = "",
    cors_origins: Annotated[str, _option("cors_origins", panel=NETWORK)] = "",
    models: Annotated[Path | None, _option("models", panel=VERSIONS)] = None,
    device: Annotated[str, _option("device", panel=ENGINE)] = "cpu",
    engine: Annotated[str, _option("engine", panel=ENGINE)] = "auto",
    threads: Annotated[
        int,
        typer.Option(
            min=0,
            envvar="RANKER_SERVE_THREADS",
            rich_help_panel=ENGINE,
            help="Threads of one request's arithmetic; 0 shares the cores out.",
        ),
    ] = 0,
    concurrency: Annotated[int, _option("concurrency", panel=LIMITS)] = 2,
    max_in_flight: Annotated[int, _option("max_in_flight", panel=LIMITS)] = 32,
    max_candidates: Annotated[int, _option("max_candidates", panel=LIMITS)] = 5000,
    max_body_bytes: Annotated[int, _option("max_body_bytes", panel=LIMITS)] = 8 * 2**20,
    body_timeout: Annotated[float, _option("body_timeout", panel=LIMITS)] = 10.0,
    drain: Annotated[float, _option("drain", panel=LIMITS)] = 2.0,
    watch: Annotated[float, _option("watch", panel=VERSIONS)] = 0.0,
    allow_schema_change: Annotated[
        bool, _option("allow_schema_change", "--allow-schema-change/--no-schema-change", panel=VERSIONS)
    ] = False,
    items: Annotated[Path | None, _option("items", panel=STORES)] = None,
    unknown_items: Annotated[str, _option("unknown_items", panel=STORES)] = "score",
    users_prefix: Annotated[str, _option("users_prefix", panel=STORES)] = "user:",
    users_timeout_ms: Annotated[int, _option("users_timeout_ms", panel=STORES)] = 20,
    docs: Annotated[bool | None, _option("docs", "--docs/--no-docs", panel=ACCESS)] = None,
    log_requests: Annotated[str, _option("log_requests", panel=ACCESS)] = "errors",
    api_keys_file: Annotated[Path | None, _option("api_keys_file", panel=ACCESS)] = None,
    admin_keys_file: Annotated[Path | None, _option("admin_keys_file", panel=ACCESS)] = None,
) -> None:
    """Load and check the artifact once, then start the workers."""
    options = {
        "artifact": artifact,
        "models": models,
        "host": host,
        "port": port,
        "workers": workers,
        "root_path": root_path,
        "cors_origins": cors_origins,
        "device": device,
        "engine": engine,
        "threads": threads or max(cores() // max(workers, 1), 1),
        "concurrency": concurrency,
        "max_in_flight": max_in_flight,
        "max_candidates": max_candidates,
        "max_body_bytes": max_body_bytes,
        "body_timeout": body_timeout,
        "drain": drain,
        "watch": watch,
        "allow_schema_change": allow_schema_change,
        "items": items,
        "unknown_items": unknown_items,
        "users_prefix": users_prefix,
        "users_timeout_ms": users_timeout_ms,
        "docs": docs,
        "log_requests": log_requests,
        "api_keys_file": api_keys_file,
        "admin_keys_file": admin_keys_file,
    }
    with tempfile.TemporaryDirectory(prefix="ranker-serve-") as runtime:
        given = {PREFIX + name.upper(): str(value) for name, value in options.items() if value is not None}
        environment = {f"{PREFIX}RUNTIME": runtime, **os.environ, **given}
        try:
            settings = Settings.from_environment(environment)
            _check(settings)
        except (ValueError, RuntimeError, OSError) as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
        os.environ.update(settings.environment())
        if settings.workers > 1:
            metrics = Path(runtime) / "metrics"
            metrics.mkdir()
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)  # read by each worker as it imports the client
        _run(settings)


def _check(settings: Settings) -> None:
    """Load everything once, so that what is wrong is said in one line before any worker starts."""
    from serving.keys import Keys
    from serving.metrics import Metrics
    from serving.models import Models
    from serving.shared import Shared

    Keys.read("RANKER_SERVE_API_KEYS", settings.api_keys, settings.api_keys_file)
    Keys.read("RANKER_SERVE_ADMIN_KEYS", settings.admin_keys, settings.admin_keys_file)
    assert settings.runtime is not None
    shared = Shared(settings.runtime)
    served = Models(settings, shared, Metrics(), begins=True).served
    shared.leave()  # this process is no worker
    for name, ranker in served.rankers.items():
        manifest, model = ranker.artifact.manifest, "" if len(served.rankers) == 1 else f" of {name}"
        what = f"version {manifest.version}{model} ({', '.join(manifest.tasks)})"
        print(f"serving {what} by {ranker.engine} from {ranker.artifact.folder}")
    sys.stdout.flush()


def _run(settings: Settings) -> None:
    from uvicorn import Config, Server

    from serving.supervisor import Supervisor

    config = Config(
        "serving.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=CONFIG,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE,
        timeout_worker_healthcheck=SILENCE,
    )
    if settings.workers > 1:
        Supervisor(config, sockets=[config.bind_socket()]).run()
        return
    # The server ends by raising the signal again; as an exception it lets the runtime folder be removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(KeyboardInterrupt):
        Server(config).run()
