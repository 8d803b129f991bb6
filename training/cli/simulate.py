"""``ranker-train simulate``: a synthetic impression log with known true utilities, or users of a running service."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from training.cli.terminal import console
from training.commands.outputs import check_folder

LIVE = "Live simulation"


def simulate(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the Parquet files.")],
    rows: Annotated[int | None, typer.Option(min=1, help="Impressions to simulate; by default a million.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same log, and the same world.")] = 0,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier simulation in the folder.")] = False,
    live: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Simulate users of the service at this address instead: they ask for rankings and respond, and the "
            "folder gets their events and the true utility of their lists.",
            rich_help_panel=LIVE,
        ),
    ] = None,
    requests: Annotated[int, typer.Option(min=1, help="Visits to simulate.", rich_help_panel=LIVE)] = 10_000,
    world: Annotated[
        Path | None,
        typer.Option(
            help="Folder of a simulated log, whose users and items these are; by default those of --seed.",
            rich_help_panel=LIVE,
        ),
    ] = None,
    visit_seed: Annotated[
        int, typer.Option(min=0, help="Seed of visits and behaviour; request ids begin with it.", rich_help_panel=LIVE)
    ] = 0,
    candidates: Annotated[
        int | None, typer.Option(min=1, help="Candidates of a request; by default 20.", rich_help_panel=LIVE)
    ] = None,
    shown: Annotated[
        int | None, typer.Option(min=1, help="Places that users look at; by default 10.", rich_help_panel=LIVE)
    ] = None,
    connections: Annotated[int, typer.Option(min=1, max=256, help="Requests at a time.", rich_help_panel=LIVE)] = 4,
    timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds to wait for an answer.", rich_help_panel=LIVE)
    ] = 10.0,
    by_id: Annotated[
        bool,
        typer.Option("--by-id", help="Send ids of candidates alone: the service has the items.", rich_help_panel=LIVE),
    ] = False,
    by_user: Annotated[
        bool,
        typer.Option("--by-user", help="Send the user's id alone: the service has the users.", rich_help_panel=LIVE),
    ] = False,
    user_header: Annotated[
        str | None, typer.Option(metavar="NAME", help="Send the user's id in this header, too.", rich_help_panel=LIVE)
    ] = None,
    model: Annotated[str | None, typer.Option(help="Ask for this model of the service.", rich_help_panel=LIVE)] = None,
    api_key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Environment variable with an API key.", rich_help_panel=LIVE),
    ] = None,
    api_key_file: Annotated[Path | None, typer.Option(help="File with an API key.", rich_help_panel=LIVE)] = None,
    start: Annotated[
        str | None,
        typer.Option(
            help="Simulated time of the first visit, ISO 8601; by default the midnight after the world's log.",
            rich_help_panel=LIVE,
        ),
    ] = None,
    per_second: Annotated[
        float, typer.Option(min=1e-6, help="Visits a simulated second.", rich_help_panel=LIVE)
    ] = 10.0,
    clock: Annotated[
        Literal["wall", "simulated"],
        typer.Option(
            help="Events follow the receipt of the answer, as exposures do, or the visit's simulated time.",
            rich_help_panel=LIVE,
        ),
    ] = "wall",
    delay: Annotated[
        float, typer.Option(min=0.0, help="Mean seconds from reaching an item to a click.", rich_help_panel=LIVE)
    ] = 5.0,
    pace: Annotated[
        float,
        typer.Option(min=1e-6, help="How many times as fast users read and watch, by the clock.", rich_help_panel=LIVE),
    ] = 1.0,
    late: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of visits whose events are late.", rich_help_panel=LIVE)
    ] = 0.02,
    late_by: Annotated[
        float, typer.Option(min=0.0, help="Seconds by which those are late.", rich_help_panel=LIVE)
    ] = 7200.0,
    twice: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of events that are reported twice.", rich_help_panel=LIVE)
    ] = 0.01,
    orphans: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="Share of further events, of what was never shown.", rich_help_panel=LIVE),
    ] = 0.0,
    roll: Annotated[int, typer.Option(min=1, help="Rows of a file.", rich_help_panel=LIVE)] = 50_000,
) -> None:
    """Simulate an impression log with five partly conflicting objectives and a known true utility.

    With --live, simulate users of a running service. See docs/exposures.md.
    """
    check_folder("--output", output)
    if live is None:
        _log(output, rows or 1_000_000, seed, overwrite)
        return
    from training.config.experiment import ConfigError

    if rows is not None or overwrite:
        raise ConfigError(f"{'--overwrite' if rows is None else '--rows'}: is of a log; with --live, use --requests")
    _live(
        output, requests, world, seed, roll,
        service={
            "url": live, "key": _key(api_key_env, api_key_file), "model": model, "by_id": by_id, "user": by_user,
            "user_header": user_header, "connections": connections, "timeout": timeout, "clock": clock,
        },
        crowd={"seed": visit_seed, "shown": shown, "candidates": candidates, "start": start, "per_second": per_second},
        events={
            "delay": delay, "pace": pace, "late": late, "late_by": late_by, "twice": twice, "orphans": orphans,
        },
    )  # fmt: skip


def _log(output: Path, rows: int, seed: int, overwrite: bool) -> None:
    from training.display import Display
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


def _live(
    output: Path,
    requests: int,
    world: Path | None,
    seed: int,
    roll: int,
    *,
    service: dict[str, Any],
    crowd: dict[str, Any],
    events: dict[str, Any],
) -> None:
    from pydantic import ValidationError

    from training.commands.simulate_live import simulate_live
    from training.config.experiment import ConfigError
    from training.simulator import SimulatorConfig, World
    from training.simulator.live import CrowdOptions, EventOptions
    from training.simulator.live.service import ServiceOptions

    try:
        people, reports = CrowdOptions.model_validate(crowd), EventOptions.model_validate(events)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + "-".join(str(each) for each in first["loc"]).replace("_", "-")
        raise ConfigError(f"{option} {first['input']!r}: {first['msg']}") from None
    place = World(SimulatorConfig(seed=seed)) if world is None else World.load(world)
    simulate_live(
        place, ServiceOptions(**service), output, requests, crowd=people, events=reports, roll=roll, progress=console
    )
    console.print(f"events: {output / 'events'}    truth: {output / 'truth'}", markup=False)


def _key(variable: str | None, file: Path | None) -> str | None:
    """The API key, if one is named."""
    from training.admin_client import key_in_environment, key_in_file
    from training.config.experiment import ConfigError

    if variable is not None and file is not None:
        raise ConfigError("--api-key-env and --api-key-file: name one of them")
    if variable is not None:
        return key_in_environment("--api-key-env", variable)
    return None if file is None else key_in_file("--api-key-file", file)
