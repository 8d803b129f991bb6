"""The report of one training run."""

from collections.abc import Mapping, Sequence
from typing import Any

from ranker.artifact import Refit
from training.reports.curves import add_curves, add_quality
from training.reports.gates import add_gates
from training.reports.page import Page
from training.reports.position import add_position


def run_page(
    curves: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
    gates: Mapping[str, Any],
    best_epoch: int,
    refit: Refit | None = None,
    position: Mapping[str, Any] | None = None,
) -> str:
    """Validation by epoch, balancing curves, gates of the ``refit``, if there was one, and the effect of position."""
    page = Page("Training run").text(f"{len(history)} epoch(s); the weights of epoch {best_epoch} are kept.")
    if refit is not None:
        page.note(f"{refit}.")
    add_quality(page, history)
    page.heading("Balancing").text("Means over windows of steps. Cosines below 0 mean conflicting gradients.")
    add_curves(page, curves)
    if position is not None:
        add_position(page, position)
    if gates.get("gates"):
        page.heading("Gates")
        add_gates(page, gates)
    return page.html()
