"""Which axes of a model's variables have an entry for each input column, found by building it with more of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import tensorflow as tf

from ranker.encoding import Layout
from ranker.encoding.layout import IdField, NumberField, SideLayout
from ranker.layers import Sides
from ranker.model import RankingModel
from training.config.experiment import Experiment
from training.trainer.build_model import build_model
from training.trainer.variable_names import named_variables

CONTEXT, CANDIDATE = 17, 31
"""Number columns that are added to each side: no multiple of one another, so that growth tells the sides apart."""
IDS, NUMBERS = ".ids", ".numbers"
"""Names of the added features."""


@dataclass(frozen=True)
class InputAxes:
    """How the axes of variables grow with the input columns.

    Attributes
    ----------
    growth
        By variable, by how many entries each axis grows if ``context`` and ``candidate`` columns are added.
    context, candidate
        The numbers of added columns.
    crossed
        Number of columns that an interaction appends to the candidate's.
    """

    growth: Mapping[str, tuple[int, ...]]
    context: int
    candidate: int
    crossed: int


def input_axes(model: RankingModel, experiment: Experiment, embedded: bool) -> InputAxes:
    """Compare a model with one that has more input columns, among them an embedded feature if ``embedded``."""
    layout = model.embedding.layout
    width = min(layout.tables, default=0) if embedded else 0
    wider = build_model(experiment, _wider(layout, width))
    names, grown = named_variables(model), named_variables(wider)
    growth = {
        name: tuple(int(b) - int(a) for a, b in zip(names[name].shape, grown[name].shape, strict=True))
        for name in names.keys() & grown.keys()
        if len(names[name].shape) == len(grown[name].shape)
    }
    context, candidate = (sum(width for _, width in side.values()) for side in layout.places())
    sides = model.interactions[0](Sides(tf.zeros((1, context)), tf.zeros((1, candidate))))
    return InputAxes(growth, CONTEXT, CANDIDATE + width, int(sides.candidate.shape[1]) - candidate)


def _wider(layout: Layout, width: int) -> Layout:
    """A layout with more columns on both sides, and small tables."""
    added = [IdField(IDS, 0, 1, width, 0, None)] if width else []
    return replace(
        layout,
        context=_with(layout.context, [], CONTEXT),
        candidate=_with(layout.candidate, added, CANDIDATE),
        tables=dict.fromkeys(layout.tables, 2),
    )


def _with(side: SideLayout, added: list[IdField], numbers: int) -> SideLayout:
    fields, start = [], 0
    for field in sorted([*side.ids, *added], key=lambda f: (f.dimension, f.pooling is not None)):
        fields.append(replace(field, start=start, offset=0))
        start += field.length
    return SideLayout(tuple(fields), (*side.numbers, NumberField(NUMBERS, side.number_width, numbers)))
