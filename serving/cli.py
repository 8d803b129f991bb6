"""``ranker-serve``: check an artifact, then serve it."""

import contextlib
import inspect
import logging.config
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from ranker.artifact import locate
from ranker.command_line import Command, debug
from ranker.cpus import cores
from ranker.prediction.command import predict
from ranker.urls import is_remote
from serving.fetch import fetch
from serving.logs import CONFIG
from serving.process.runtime_folder import owned, runtime_folder
from serving.setting_groups import GROUPS
from serving.settings import PREFIX, Settings, unset_empty

if TYPE_CHECKING:
    from serving.process.supervisor import Slot


class _Serve(Command):
    """The service, and other commands of the same image that its first argument may name."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        """Run the command that the arguments name."""
        given = list(sys.argv[1:] if args is None else args)
        other = OTHERS.get(given[0]) if given else None
        if other is None:
            return super().main(given, *rest, **options)
        return typer.main.get_command(other).main(given[1:], **{**options, "prog_name": f"ranker-serve {given[0]}"})


def _app() -> typer.Typer:
    return typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_enable=False)


app, OTHERS = _app(), {"predict": _app(), "fetch": _app()}
OTHERS["predict"].command(cls=Command)(predict)
OTHERS["fetch"].command(cls=Command)(fetch)

GRACE = 30
"""Seconds that running requests have to finish once the port is closed."""
METAVARS: Mapping[Any, str] = {int: "INTEGER", float: "FLOAT", int | None: "INTEGER", Path | None: "PATH"}


def _options() -> Iterator[inspect.Parameter]:
    """Yield an option for each setting in a group, section by section; values stay text, which ``Settings`` checks."""
    for group in GROUPS:
        for name, field in Settings.model_fields.items():
            if group not in field.metadata:
                continue
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
        settings = _resolved(settings)
        assert settings.runtime is not None
        with owned(settings.runtime), _scorers(settings) as (settings, slots):
            _check(settings)
            os.environ.update(settings.environment())
            if settings.workers > 1 or slots:
                metrics = runtime / "metrics"
                metrics.mkdir()
                os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)  # read by each worker as it imports the client
            _run(settings, slots)


def _resolved(settings: Settings) -> Settings:
    """The settings with what was left open: whether scorers run, the threads of an engine, a URL's local copy."""
    if settings.artifact is not None and is_remote(settings.artifact):
        settings = settings.model_copy(update={"artifact": locate(settings.artifact)})
    wanted = settings.device_kind == "cuda" or len(settings.devices) > 1
    scorer = "on" if settings.scorer == "auto" and wanted else settings.scorer
    sharing = len(settings.devices) if scorer == "on" else settings.workers
    threads = settings.threads or max(cores() // sharing, 1)
    return settings.model_copy(update={"scorer": scorer, "threads": threads})


@contextlib.contextmanager
def _scorers(settings: Settings) -> Iterator[tuple[Settings, Sequence["Slot"]]]:
    """Run the scorers, if there are any; yield settings with their addresses, and their slots for the supervisor."""
    from serving.registry.catalog import Catalogue
    from serving.scorer.process import VISIBLE, scorers, visible

    if settings.scorer == "on":
        for source in Catalogue.of(settings).models.values():
            locate(source.artifact)  # what is not there is told before any process starts
        with scorers(settings) as started:
            yield started
        return
    if (devices := visible(settings.device, os.environ.get(VISIBLE))) is not None:
        os.environ[VISIBLE] = devices
    yield settings, ()


# Typer reads a command's options from its signature, so they replace **options there.
_plain = inspect.signature(serve)
_signature = _plain.replace(parameters=[*list(_plain.parameters.values())[:-1], *_options()])
setattr(serve, "__signature__", _signature)  # noqa: B010 - a function's type has no such attribute
app.command(
    cls=_Serve,
    help="Serve an artifact over HTTP: `POST /rank`, `GET /model`, `/metrics`, `/health/`, `/docs`.",
    epilog="`ranker-serve predict` scores files instead, and `ranker-serve fetch` copies an artifact from an object "
    "store; see their `--help`.",
)(serve)


def _check(settings: Settings) -> None:
    """Load everything once, so that an error is reported in one line before any worker starts."""
    from serving.exposures.log import ExposureLog
    from serving.http.api_keys import Keys
    from serving.observability.metrics import Metrics
    from serving.ranking.ranker import PRECISIONS
    from serving.registry.registry import ModelRegistry
    from serving.registry.shared_state import SharedState
    from serving.scorer.client import Scorers

    Keys.read("RANKER_SERVE_API_KEYS", settings.api_keys, settings.api_keys_file)
    Keys.read("RANKER_SERVE_ADMIN_KEYS", settings.admin_keys, settings.admin_keys_file)
    assert settings.runtime is not None
    shutil.rmtree(settings.runtime / PRECISIONS, ignore_errors=True)  # timed on what machine it was, at another start
    shared = SharedState(settings.runtime)
    scorers = Scorers.of(settings, attempts=1)
    try:
        served = ModelRegistry(settings, shared, Metrics(), begins=True, scorers=scorers).served
        if (exposures := ExposureLog.of(settings)) is not None:
            exposures.check(served.rankers)
    finally:
        if scorers is not None:
            scorers.close()  # what they have loaded stays until the workers come
    shared.leave()  # this process is no worker
    where = "" if scorers is None else f" in {len(settings.devices)} scorer process(es) on {settings.device}"
    for name, ranker in served.rankers.items():
        manifest, model = ranker.artifact.manifest, "" if len(served.rankers) == 1 else f" of {name}"
        version = f"version {manifest.version}{model} ({', '.join(manifest.tasks)})"
        agrees = "" if ranker.agreement is None else f" ({ranker.agreement})"
        cascade, stages = ranker.cascade(), ""
        if cascade is not None:
            stages = f", in two stages ({cascade['keep']:g} kept)" if cascade["default"] else ", in two stages if asked"
        by = f"{ranker.engine} in {ranker.precision}{agrees}{stages}{where}"
        print(f"serving {version} by {by} from {ranker.artifact.folder}")
    sys.stdout.flush()


def _run(settings: Settings, scorers: Sequence["Slot"]) -> None:
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
    if settings.workers > 1 or scorers:
        counts = WorkerCounts(settings.runtime)
        times = (settings.hung_after, settings.start_timeout, settings.drain)
        supervisor = Supervisor(config, [config.bind_socket()], counts, *times, scorers)
        if status := supervisor.run():
            sys.exit(status)
        return
    # uvicorn ends by raising the signal again; turned into an exception, it lets the runtime folder be removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.suppress(KeyboardInterrupt):
        Server(config).run()
