"""Charts used by the reports."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import altair as alt

Records: TypeAlias = Sequence[Mapping[str, Any]]
Chart: TypeAlias = Any  # Altair's methods return large unions


PALETTE = (
    "#4c78a8", "#f58518", "#54a24b", "#e45756", "#72b7b2", "#b279a2", "#eeca3b", "#ff9da6", "#9d755d", "#bab0ac",
)  # fmt: skip
"""Colours of lines, in the order of their names."""
FEW = 15
"""Up to this many whole numbers, such as epochs, each get a tick on an axis."""


def _data(records: Records) -> Any:
    return alt.Data(values=list(records))  # type: ignore[no-untyped-call]


def scatter(records: Records, x: str, y: str, label: str, error: str | None = None, log: bool = False) -> Chart:
    """Labelled points; ``error`` names a column with the half-height of error bars."""
    scale = alt.Scale(type="log", nice=False, padding=20) if log else alt.Scale(zero=False, padding=20)
    base = alt.Chart(_data(records)).encode(
        x=alt.X(f"{_key(x)}:Q", scale=scale, title=x),
        y=alt.Y(f"{_key(y)}:Q", scale=alt.Scale(zero=False, padding=12), title=y),
        tooltip=[alt.Tooltip(f"{_key(name)}:{'N' if name == label else 'Q'}", title=name) for name in (label, x, y)],
    )
    layers = [
        base.mark_circle(size=70, opacity=0.9),
        base.mark_text(align="left", dx=7, dy=-5).encode(text=f"{_key(label)}:N"),
    ]
    if error is not None:
        ends = base.transform_calculate(low=f"datum['{y}'] - datum['{error}']", high=f"datum['{y}'] + datum['{error}']")
        layers.insert(0, ends.mark_rule(opacity=0.4).encode(y=alt.Y("low:Q", title=y), y2="high:Q"))
    return alt.layer(*layers).properties(width=640, height=400)


STANDINGS = ("picked", "on the front", "dominated")


def front(
    records: Records,
    x: str,
    y: str,
    label: str,
    group: str,
    lower: Sequence[str] = (),
    names: Sequence[str] | None = None,
) -> Chart:
    """Points in two objectives; up and right is better, so axes named in ``lower`` are reversed.

    Each record has a ``standing``, one of :data:`STANDINGS`: dominated points are grey, the picked one is circled. One
    line per ``group`` joins the records with a number in ``step``, in that order. ``names``: groups, as in
    :func:`lines`.
    """
    axes = {name: alt.Scale(zero=False, padding=24, reverse=name in lower) for name in (x, y)}
    base = alt.Chart(_data(records)).encode(
        x=alt.X(f"{_key(x)}:Q", scale=axes[x], title=_better(x, lower)),
        y=alt.Y(f"{_key(y)}:Q", scale=axes[y], title=_better(y, lower)),
    )
    colour = _coloured(group, names)
    tooltip = [alt.Tooltip(f"{_key(name)}:{'Q' if name in (x, y) else 'N'}", title=name) for name in (label, x, y)]
    line = base.transform_filter("isNumber(datum.step)").mark_line(
        interpolate="step-before", opacity=0.5, strokeWidth=1.5
    )
    points = base.mark_circle(size=60, opacity=0.9)
    grey = alt.condition("datum.standing == 'dominated'", alt.value("#c4c4c4"), colour)
    ring = base.transform_filter("datum.standing == 'picked'")
    return alt.layer(
        line.encode(color=colour, order=alt.Order("step:Q")),
        points.encode(color=grey, tooltip=[*tooltip, alt.Tooltip("standing:N")]),
        ring.mark_point(size=240, color="#222", strokeWidth=2),
        ring.mark_text(align="left", dx=12, dy=-8, fontWeight="bold").encode(text=alt.value("picked")),
    ).properties(width=420, height=300)


def parallel(records: Records, axis: str, value: str, label: str) -> Chart:
    """Parallel coordinates: one line per ``label`` across the axes in the given order; ``standing`` as in ``front``."""
    names = list(dict.fromkeys(str(record[axis]) for record in records))
    shades = alt.Scale(domain=list(STANDINGS), range=["#d1495b", "#2f6fab", "#d9d9d9"])
    widths = alt.Scale(domain=list(STANDINGS), range=[3.5, 1.4, 0.8])
    tooltip = [alt.Tooltip(f"{_key(name)}:N", title=name) for name in (label, axis)]
    return (
        alt.Chart(_data(records))
        .mark_line(point=True)
        .encode(
            x=alt.X(f"{_key(axis)}:N", sort=names, title=None, axis=alt.Axis(labelAngle=0, grid=True)),
            y=alt.Y(f"{_key(value)}:Q", title=value, scale=alt.Scale(domain=[0, 1])),
            detail=f"{_key(label)}:N",
            color=alt.Color("standing:N", scale=shades, title=None),
            strokeWidth=alt.StrokeWidth("standing:N", scale=widths, legend=None),
            tooltip=[*tooltip, alt.Tooltip(f"{_key(value)}:Q", title=value, format=".3f")],
        )
        .properties(width=max(420, 130 * len(names)), height=280)
    )


def _better(name: str, lower: Sequence[str]) -> str:
    return f"{name} (lower is better)" if name in lower else name


def heatmap(records: Records, x: str, y: str, value: str, title: str = "") -> Chart:
    """Heat map of values from 0 to 1, with numbers in the cells."""
    base = alt.Chart(_data(records)).encode(
        x=alt.X(f"{_key(x)}:N", sort=None, title=x, axis=alt.Axis(labelAngle=-40)),
        y=alt.Y(f"{_key(y)}:N", sort=None, title=y, axis=alt.Axis(labelLimit=0)),
    )
    colour = alt.Color(f"{_key(value)}:Q", scale=alt.Scale(scheme="blues", domain=[0, 1]), title=value)
    dark = alt.condition(f"datum['{value}'] > 0.6", alt.value("white"), alt.value("black"))
    numbers = base.mark_text(fontSize=10).encode(text=alt.Text(f"{_key(value)}:Q", format=".2f"), color=dark)
    return alt.layer(base.mark_rect().encode(color=colour), numbers).properties(title=title, width=alt.Step(46))


def bars(records: Records, x: str, y: str, title: str = "") -> Chart:
    """One bar per record, in the given order."""
    return (
        alt.Chart(_data(records))
        .mark_bar()
        .encode(
            x=alt.X(f"{_key(x)}:Q", title=x), y=alt.Y(f"{_key(y)}:N", sort=None, title=y, axis=alt.Axis(labelLimit=0))
        )
        .properties(title=title, width=420)
    )


def intervals(records: Records, title: str = "", axis: str = "gain") -> Chart:
    """One line per record with ``label``, ``gain``, its interval ``low`` to ``high``, and a ``bound`` or ``None``.

    A zero line separates losses from gains, and a tick marks the bound. ``axis``: what the numbers are.
    """
    base = alt.Chart(_data(records)).encode(y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=0)))
    tooltip = [
        alt.Tooltip("label:N"),
        *(alt.Tooltip(f"{n}:Q", format="+.5f") for n in ("gain", "low", "high", "bound")),
    ]
    scale = alt.Scale(zero=True, padding=12)
    zero = alt.Chart(_data([{"at": 0.0}])).mark_rule(strokeDash=[4, 4], color="gray").encode(x="at:Q")
    return alt.layer(
        zero,
        base.mark_rule(strokeWidth=2).encode(x=alt.X("low:Q", title=axis, scale=scale), x2="high:Q"),
        base.mark_circle(size=70, opacity=1).encode(x="gain:Q", tooltip=tooltip),
        base.transform_filter("isNumber(datum.bound)")
        .mark_tick(color="#d1495b", thickness=3, size=16)
        .encode(x="bound:Q", tooltip=tooltip),
    ).properties(title=title, width=620, height=alt.Step(24))


def bands(records: Records, x: str, y: str, colour: str, names: Sequence[str], title: str = "") -> Chart:
    """One line per value of ``colour`` with its interval, ``low`` to ``high``, and a line at 0.

    ``names``: all values of ``colour``, in the colours of :meth:`Page.legend`.
    """
    base = alt.Chart(_data(records)).encode(
        x=alt.X(f"{_key(x)}:Q", title=x, scale=alt.Scale(zero=True)), color=_coloured(colour, names)
    )
    tooltip = [
        alt.Tooltip(f"{_key(colour)}:N", title=colour),
        *(alt.Tooltip(f"{_key(name)}:Q", title=name, format=".4g") for name in (x, y, "low", "high")),
    ]
    zero = alt.Chart(_data([{"at": 0.0}])).mark_rule(strokeDash=[4, 4], color="gray").encode(y="at:Q")
    return alt.layer(
        zero,
        base.mark_area(opacity=0.18).encode(y=alt.Y("low:Q", title=y), y2="high:Q"),
        base.mark_line(point=True).encode(y=alt.Y(f"{_key(y)}:Q", title=y), tooltip=tooltip),
    ).properties(title=title, width=620, height=220)


def lines(
    records: Records,
    x: str,
    y: str,
    colour: str,
    title: str = "",
    log: bool = False,
    points: bool = False,
    names: Sequence[str] | None = None,
) -> Chart:
    """One line per value of ``colour``; ``log`` makes the y axis logarithmic.

    With ``names`` the lines use the colours of :meth:`Page.legend`, and the chart has no legend.
    """
    ticks = sorted({record[x] for record in records})
    few = len(ticks) <= FEW and all(float(tick).is_integer() for tick in ticks)
    axis = alt.Axis(values=ticks, format=",d") if few else alt.Axis()
    scale = alt.Scale(type="log", nice=False) if log else alt.Scale(zero=False)
    return (
        alt.Chart(_data(records))
        .mark_line(point=points, clip=True)
        .encode(
            x=alt.X(f"{_key(x)}:Q", title=x, axis=axis),
            y=alt.Y(f"{_key(y)}:Q", scale=scale, title=y),
            color=_coloured(colour, names),
            tooltip=[
                alt.Tooltip(f"{_key(name)}:{'N' if name == colour else 'Q'}", title=name) for name in (colour, x, y)
            ],
        )
        .properties(title=title, width=640, height=220)
    )


def around(
    centres: Records, points: Records, x: str, y: str, label: str, state: str, title: str, ends: tuple[float, float]
) -> Chart:
    """A line with a band from ``low`` to ``high``, and labelled points in two states around it; y spans ``ends``."""
    middle = alt.Chart(_data(centres)).encode(
        x=alt.X(f"{_key(x)}:Q", title=x, axis=alt.Axis(tickMinStep=1, format="d"))
    )
    scale = alt.Scale(domain=list(ends))
    tooltip = [
        alt.Tooltip(f"{_key(name)}:{'Q' if name in (x, y) else 'N'}", title=name) for name in (label, state, x, y)
    ]
    dots = alt.Chart(_data(points)).mark_circle(size=55, opacity=0.9)
    return alt.layer(
        middle.mark_area(opacity=0.18, color=PALETTE[0]).encode(y=alt.Y("low:Q", title=y, scale=scale), y2="high:Q"),
        middle.mark_line(point=True, color=PALETTE[0]).encode(y=alt.Y(f"{_key(y)}:Q", scale=scale)),
        dots.encode(
            x=f"{_key(x)}:Q",
            y=f"{_key(y)}:Q",
            color=alt.Color(
                f"{_key(state)}:N",
                title="",
                scale=alt.Scale(domain=["served", "stopped"], range=[PALETTE[1], "#999999"]),
            ),
            tooltip=tooltip,
        ),
    ).properties(title=title, width=640, height=200)


def grouped_bars(records: Records, x: str, y: str, colour: str) -> Chart:
    """Bars side by side, one per value of ``colour``, over the categories ``x`` in the given order."""
    return (
        alt.Chart(_data(records))
        .mark_bar()
        .encode(
            x=alt.X(f"{_key(x)}:N", sort=None, title=x, axis=alt.Axis(labelAngle=-40)),
            xOffset=alt.XOffset(f"{_key(colour)}:N", sort=None),
            y=alt.Y(f"{_key(y)}:Q", title=y),
            color=_coloured(colour, None),
            tooltip=[alt.Tooltip(f"{_key(name)}:{'Q' if name == y else 'N'}", title=name) for name in (colour, x, y)],
        )
        .properties(width=640, height=220)
    )


def reliability(records: Records, title: str = "", names: Sequence[str] | None = None) -> Chart:
    """Reliability diagram: ``observed`` over ``predicted`` per value of ``scores``, with the ideal diagonal.

    ``names`` as in :func:`lines`.
    """
    most = max((max(r["predicted"], r["observed"]) for r in records), default=1.0)
    diagonal = alt.Chart(_data([{"at": 0.0}, {"at": most}])).mark_line(strokeDash=[4, 4], color="gray")
    drawn = (
        alt.Chart(_data(records))
        .mark_line(point=True)
        .encode(
            x=alt.X("predicted:Q", title="mean score"),
            y=alt.Y("observed:Q", title="mean label"),
            color=_coloured("scores", names),
        )
    )
    return alt.layer(diagonal.encode(x="at:Q", y="at:Q"), drawn).properties(title=title, width=300, height=300)


def _coloured(column: str, names: Sequence[str] | None) -> Any:
    if names is None:
        return alt.Color(f"{_key(column)}:N", sort=None, title="")
    colours = [PALETTE[i % len(PALETTE)] for i in range(len(names))]
    return alt.Color(f"{_key(column)}:N", scale=alt.Scale(domain=list(names), range=colours), legend=None)


def _key(name: str) -> str:
    """A column name escaped for Vega-Lite shorthand, where dots, brackets, colons and quotes are special."""
    for special in ("\\", ".", "[", "]", ":", "'"):
        name = name.replace(special, f"\\{special}")
    return name
