"""Simulates users who ask a running service to rank, and respond to its lists."""

from pathlib import Path

from rich.table import Table

from training.commands.inputs import Progress, console_of
from training.display import Display
from training.simulator import World
from training.simulator.live import Crowd, CrowdOptions, EventOptions, rounds
from training.simulator.live.files import LiveFiles
from training.simulator.live.service import Service, ServiceOptions
from training.simulator.live.summary import Summary


def simulate_live(
    world: World,
    service: ServiceOptions,
    output: str | Path,
    requests: int,
    *,
    crowd: CrowdOptions | None = None,
    events: EventOptions | None = None,
    roll: int | None = None,
    progress: Progress = True,
) -> Summary:
    """Have users of a world visit a service; write their events and the truth of the lists that they were shown.

    Parameters
    ----------
    world
        Whose users and items these are: that of the log that the service's model was trained on.
    service
        The service, and how to ask it.
    output
        Folder for ``events`` and ``truth``.
    requests
        Number of visits.
    crowd, events
        How users come, and how their events are reported.
    roll
        Rows of a file.
    progress
        Whether to show progress, or the Rich console to show it on.

    Raises
    ------
    ServiceError
        If the service cannot be asked, or refuses.
    FileExistsError
        If the folder has files of visits with this seed.
    ValueError
        For options that the world cannot meet.
    """
    people = Crowd(world, crowd)
    files = LiveFiles(Path(output), people.options.seed, **({} if roll is None else {"roll": roll}))
    console, summary = console_of(progress), Summary()
    with Service(people, service) as asked, Display(console) as display:
        display.expect(requests)
        try:
            for block in rounds(people, asked, requests, events):
                files.add(block)
                summary.add(block)
                display.rows("simulated visits", len(block.visits))
        finally:
            files.close()
    console.print(_table(summary, service.url))
    if asked.unanswered:
        console.print(f"{asked.unanswered:,} requests were not answered: the service stayed busy")
    return summary


def _table(summary: Summary, url: str) -> Table:
    headers = ("group", "requests", "users", "clicks", "true utility a request", "of the best", "true utility a user")
    table = Table(*headers, title=f"users of {url}")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, truth in summary.groups.items():
        table.add_row(
            name or "(no group)", f"{truth.requests:,}", f"{len(truth.users):,}", f"{truth.clicks:,}",
            f"{truth.per_request:.3f}", f"{truth.utility / truth.best if truth.best else 0:.1%}",
            f"{truth.per_user:.3f}",
        )  # fmt: skip
    return table
