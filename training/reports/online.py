"""The page of an online search: the verdict, every round with its gains, and parameters over rounds."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from training.config.online import REWARD, Online
from training.fusion_search.space import Space
from training.online.plan_rounds import moved, shares_of
from training.online.search import MISMATCH
from training.online.state import CONTROL, Gain, Outcome, Round
from training.online.verdict import shown
from training.reports.charts import around, intervals, lines
from training.reports.page import Page


def to_html(config: Online, space: Space, rounds: Sequence[Round], outcome: Outcome | None) -> str:
    """Self-contained page of a search in progress, or one that has ended."""
    page = Page(f"Online search: {config.name}")
    searched = [one for one in rounds if one.kind == "search"]
    page.text(status(rounds, outcome))
    page.text(
        f"{config.method.name} over {len(space.dimensions)} parameters of the fusion {config.fusion!r}, maximising "
        f"{config.reward}. Each set is served to users of its own beside control. A gain is the reward of a set minus "
        "control's, relative to control's; bars are "
        f"{1 - config.level:.0%} intervals. The best set of a round is partly the luckiest one, so only the gain of "
        "the confirmation, with users that no round had, says what to expect."
    )
    for text in notes(rounds):
        page.note(text)
    if outcome is not None and outcome.values is not None:
        page.heading("The winner").table(["parameter", "today", "winner"], list(_winner_lines(space, outcome)))
    confirmed = [one for one in rounds if one.kind == "confirm"]
    for one in confirmed:
        _add_round(page, config, one, "Confirmation")
    if searched:
        page.heading("Parameters over rounds").text(
            "Dots are sets; the line is the centre of what they are drawn from, the band a standard deviation to each "
            "side. The axis is the trust region."
        )
        for i, dimension in enumerate(space.dimensions):
            page.chart(_path(searched, i, dimension.name, dimension.low, dimension.high))
        page.heading("Standard deviations over rounds").text("In units of each parameter's trust region.")
        page.chart(
            lines(
                [
                    {"round": one.number, "deviation": one.deviation[i], "parameter": dimension.name}
                    for one in searched
                    for i, dimension in enumerate(space.dimensions)
                ],
                x="round", y="deviation", colour="parameter", points=True,
            )
        )  # fmt: skip
        if len({tuple(shares_of(one).values()) for one in searched}) > 1:
            _add_shares(page, searched)
        page.heading("Rounds")
        for one in reversed(searched):
            _add_round(page, config, one, one.experiment)
    return page.html()


def status(rounds: Sequence[Round], outcome: Outcome | None) -> str:
    """One sentence on how far it is."""
    if outcome is not None:
        verdict = "Better than today" if outcome.verdict == "better" else "No better than today"
        return f"{verdict}: {outcome.why}. The search ended because {outcome.ended_search}."
    if not rounds:
        return "No round has begun."
    last = rounds[-1]
    seen = "" if last.seen is None else f", with {last.seen.units:,} units and {last.seen.requests:,} requests so far"
    return f"{last.experiment} is {'running' if last.started else 'about to begin'}{seen}."


def notes(rounds: Sequence[Round]) -> Iterator[str]:
    """What is doubtful, or happened beside the plan."""
    for one in rounds:
        yield from (f"{one.experiment}: {text}" for text in one.notes)
        mismatch = None if one.measured is None else one.measured.mismatch
        if mismatch is not None and mismatch < MISMATCH:
            yield (
                f"{one.experiment}: the groups do not have the units that their shares ask for (p = {mismatch:.2g}); "
                "assignment or logging loses units of some groups, so do not trust its gains"
            )


def gain_lines(config: Online, one: Round) -> Iterator[list[str]]:
    """Table lines of a round: control, then each set with its values, units, gains and what stopped it."""
    measured = one.measured
    metrics = list(config.metrics)
    for name, share in shares_of(one).items():
        served = next((found for found in one.sets if found.name == name), None)
        values = [] if served is None else [f"{value:.4g}" for value in served.values.values()]
        units = "" if measured is None else f"{measured.units.get(name, 0):,}"
        if served is None:
            cells = [_control(one, metric) for metric in metrics]
            yield [name, f"{share:.1%}", units, *cells, "", *["today" for _ in one.sets[0].values]]
            continue
        if served.stopped is not None:
            stop = served.stopped
            state = f"stopped {stop.time:%m-%d %H:%M}: {stop.guardrail} {shown(stop.gain)}"
        else:
            state = ""
        cells = ["" if measured is None else shown(measured.gains[metric][name]) for metric in metrics]
        yield [name, f"{share:.1%}", units, *cells, state, *values]


def headers(config: Online, one: Round) -> list[str]:
    """Headers of :func:`gain_lines`."""
    return ["group", "share", "units", *config.metrics, "", *one.sets[0].values]


def _control(one: Round, metric: str) -> str:
    gains = {} if one.measured is None else one.measured.gains[metric]
    value = next((gain.control for gain in gains.values() if gain.control is not None), None)
    return "" if value is None else f"{value:.5g}"


def _add_round(page: Page, config: Online, one: Round, title: str) -> None:
    times = [f"{time:%Y-%m-%d %H:%M}" for time in (one.started, one.measured and one.measured.ended) if time]
    page.heading(title, level=3)
    counts = (one.measured.counts if one.measured is not None else one.seen) or None
    told = "" if counts is None else f", {counts.units:,} units, {counts.requests:,} requests"
    page.text(f"{' to '.join(times)} UTC{told}." if times else "Not begun.")
    if one.measured is not None:
        charts = [
            intervals(list(_records(one.measured.gains[metric], bound)), title=metric)
            for metric, bound in _bounds(config).items()
        ]
        page.beside([chart.properties(width=420) for chart in charts])
    page.table(headers(config, one), list(gain_lines(config, one)))


def _bounds(config: Online) -> dict[str, float | None]:
    """By metric the relative loss that is accepted."""
    signed = {name: (1 if guard.better == "less" else -1) for name, guard in config.guardrails.items()}
    return {REWARD: None, **{name: sign * config.guardrails[name].most_loss for name, sign in signed.items()}}


def _records(gains: Mapping[str, Gain], bound: float | None) -> Iterator[dict[str, Any]]:
    for name, gain in gains.items():
        if gain.relative is not None and gain.low is not None and gain.high is not None:
            yield {"label": name, "gain": gain.relative, "low": gain.low, "high": gain.high, "bound": bound}


def _path(rounds: Sequence[Round], i: int, name: str, low: float, high: float) -> Any:
    width = high - low
    centres, sets = [], []
    for one in rounds:
        centre, deviation = low + one.mean[i] * width, one.deviation[i] * width
        centres.append(
            {
                "round": one.number,
                "value": centre,
                "low": max(centre - deviation, low),
                "high": min(centre + deviation, high),
            }
        )
        sets += [
            {
                "round": one.number,
                "value": served.values[name],
                "set": served.name,
                "state": "stopped" if served.stopped else "served",
            }
            for served in one.sets
            if served.share > 0
        ]
    return around(centres, sets, x="round", y="value", label="set", state="state", title=name, ends=(low, high))


def _add_shares(page: Page, rounds: Sequence[Round]) -> None:
    page.heading("Shares over rounds")
    shares = [shares_of(one) for one in rounds]
    changes = [moved(list(old.values()), list(new.values())) for old, new in pairwise(shares)]
    if changes and max(changes) > 0:
        page.text(
            f"From round to round {', '.join(f'{change:.1%}' for change in changes)} of the users changed groups."
        )
    records = [
        {"round": one.number, "share": share, "group": name}
        for one, by_group in zip(rounds, shares, strict=True)
        for name, share in by_group.items()
        if name != CONTROL
    ]
    page.chart(lines(records, x="round", y="share", colour="group", points=True))


def _winner_lines(space: Space, outcome: Outcome) -> Iterator[list[str]]:
    assert outcome.values is not None
    for dimension in space.dimensions:
        yield [dimension.name, f"{dimension.today:.6g}", f"{outcome.values[dimension.name]:.6g}"]
