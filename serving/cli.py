"""``ranker-serve``: check an artifact, then serve it."""

import contextlib
import inspect
import logging.config
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from ranker.command_line import Command, debug
from serving.logs import CONFIG
from serving.process.cpus import cores
from serving.process.runtime_folder import owned, runtime_folder
from serving.settings import PREFIX, Group, Settings, unset_empty

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)

GRACE = 30
"""Seconds that running requests have to finish once the port is closed."""
METAVARS: Mapping[Any, str] = {int: "INTEGER", float: "FLOAT", int | None: "INTEGER", Path | None: "PATH"}


def _options() -> Iterator[inspect.Parameter]:
    """Yield an option for each setting in a group; values stay text, which ``Settings`` checks."""
    for name, field in Settings.model_fields.items():
        for group in field.metadata:
            if isinstance(group, Group):
                kind: Any = bool if field.annotation in (bool, bool | None) else str
                flag = f"--{name}/--no-{name.removeprefix('allow_')}" if kind is bool else f"--{name}"
                default = field.default if kind is bool or field.default is None else str(field.default)
                option = typer.Option(
                    default,
                    flag.replace("_", "-"),
                    envvar=PREFIX + name.upper(),
                    help=field.description,
                    show_default=default not in (None, ""),
                    rich_help_panel=group.title,
                    metavar=None if kind is bool else _metavar(field.annotation),
                )
                yield inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option, annotation=kind | None)


def _metavar(annotation: Any) -> str:
    """The placeholder that help shows for a setting's value: its choices, or its type."""
    if get_origin(annotation) is Literal:
        return f"[{'|'.join(get_args(annotation))}]"
    return METAVARS.get(annotation, "TEXT")


def serve(
    artifact: Annotated[
        Path | None,
        typer.Argument(envvar=f"{PREFIX}ARTIFACT", help=Settings.model_fields["artifact"].description),
    ] = None,
    debug_errors: Annotated[
        bool, typer.Option("--debug", help="Show the stack trace of an error; so does RANKER_DEBUG=1.")
    ] = False,
    **options: str | bool | None,
) -> None:
    """Load and check the artifact once, then start the workers."""
    debug(debug_errors)
    unset_empty(os.environ)
    logging.config.dictConfig(CONFIG)
    with runtime_folder() as runtime:
        options = {"artifact": None if artifact is None else str(artifact), **options}
        overrides = {PREFIX + name.upper(): str(value) for name, value in options.items() if value is not None}
        environment = {f"{PREFIX}RUNTIME": str(runtime), **os.environ, **overrides}
        settings = Settings.from_environment(environment)
        if not settings.threads:
            settings = settings.model_copy(update={"threads": max(cores() // settings.workers, 1)})
        assert settings.runtime is not None
        with owned(settings.runtime):
            _check(settings)
            os.environ.update(settings.environment())
            if settings.workers > 1:
                metrics = runtime / "metrics"
                metrics.mkdir()
                os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)  # read by each worker as it imports the client
            _run(settings)


# Typer reads a command's options from its signature, so they replace **options there.
_plain = inspect.signature(serve)
_signature = _plain.replace(parameters=[*list(_plain.parameters.values())[:-1], *_options()])
setattr(serve, "__signature__", _signature)  # noqa: B010 - a function's type has no such attribute
app.command(
    cls=Command, help="Serve an artifact over HTTP: `POST /rank`, `GET /model`, `/metrics`, `/health/`, `/docs`."
)(serve)


def _check(settings: Settings) -> None:
    """Load everything once, so that an error is reported in one line before any worker starts."""
    from serving.http.api_keys import Keys
    from serving.observability.metrics import Metrics
    from serving.registry.registry import ModelRegistry
    from serving.registry.shared_state import SharedState

    Keys.read("RANKER_SERVE_API_KEYS", settings.api_keys, settings.api_keys_file)
    Keys.read("RANKER_SERVE_ADMIN_KEYS", settings.admin_keys, settings.admin_keys_file)
    assert settings.runtime is not None
    shared = SharedState(settings.runtime)
    served = ModelRegistry(settings, shared, Metrics(), begins=True).served
    shared.leave()  # this process is no worker
    for name, ranker in served.rankers.items():
        manifest, model = ranker.artifact.manifest, "" if len(served.rankers) == 1 else f" of {name}"
        version = f"version {manifest.version}{model} ({', '.join(manifest.tasks)})"
        cascade = ranker.cascade()
        stages = ""
        if cascade is not None:
            stages = f", in two stages ({cascade['keep']:g} kept)" if cascade["default"] else ", in two stages if asked"
        print(f"serving {version} by {ranker.engine}{stages} from {ranker.artifact.folder}")
    sys.stdout.flush()


def _run(settings: Settings) -> None:
    from uvicorn import Config, Server

    from serving.process.supervisor import Supervisor
    from serving.process.worker_counts import WorkerCounts

    config = Config(
        "serving.app:create_app",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http="serving.http.http11:BoundedProtocol",
        ws="none",
        access_log=False,
        log_config=CONFIG,
        server_header=False,
        proxy_headers=settings.forwarded_allow_ips is not None,
        forwarded_allow_ips=settings.forwarded_allow_ips,
        timeout_graceful_shutdown=GRACE,
    )
    if settings.workers > 1:
        counts = WorkerCounts(settings.runtime)
        supervisor = Supervisor(
            config, [config.bind_socket()], counts, settings.hung_after, settings.start_timeout, settings.drain
        )
        if status := supervisor.run():
            sys.exit(status)
        return
    # uvicorn ends by raising the signal again; turned into an exception, it lets the runtime folder be removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(KeyboardInterrupt):
        Server(config).run()
