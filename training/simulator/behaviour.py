"""User behaviour: how tastes and item traits determine the logits of each response."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from training.simulator.population import LATENT, Floats, Items, Users

# A view is long if at least this fraction of the video was watched.
LONG_VIEW = 0.7

RESPONSES = ("click", "long_view", "like", "share", "abandon")

# Effect of each driver on each response's logit. All but click are responses given a click; `abandon` is the mean
# fraction watched, relative to LONG_VIEW, if the view was not long. The conflicts: clickbait raises clicks and is
# shared, but is neither liked nor watched; short videos are watched to the end, but for less time.
#                        click  long_view  like  share  abandon
USER_DRIVERS = {
    "clicking":         (0.80,    0.00,    0.00,  0.00,  0.00),
    "patience":         (0.00,    0.80,    0.00,  0.00,  0.30),
    "sociability":      (0.00,    0.00,    0.80,  0.70,  0.00),
}  # fmt: skip
ITEM_DRIVERS = {
    "quality":          (0.30,    0.70,    0.60,  0.30,  0.30),
    "clickbait":        (0.90,   -0.90,   -0.50,  0.10, -0.30),
    "length":           (0.00,   -0.80,    0.00,  0.00, -0.20),
}  # fmt: skip
# Affinity, the sum over the latent dimensions of taste * topic, weighs the dimensions differently per response, so
# that clicking and staying have different causes.
AFFINITY = np.array([
    [0.60, 0.60, 0.60, 0.20, 0.20, 0.20],  # click
    [0.20, 0.20, 0.20, 0.45, 0.45, 0.45],  # long_view
    [0.10, 0.10, 0.50, 0.40, 0.25, 0.25],  # like
    [0.10, 0.45, 0.10, 0.10, 0.40, 0.30],  # share
    [0.00, 0.00, 0.00, 0.20, 0.20, 0.20],  # abandon
], dtype=np.float32)  # fmt: skip


class Response(NamedTuple):
    """True response probabilities given examination; each [B], float32. All but ``click`` are given a click."""

    click: Floats
    long_view: Floats
    like: Floats
    share: Floats
    abandon: Floats  # mean fraction watched, relative to LONG_VIEW, if the view is not long


def sigmoid(logits: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """1 / (1 + exp(-x)), same shape and type; without overflow for |x| < 80."""
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))


@dataclass(frozen=True, slots=True, eq=False)
class Drivers:
    """Per-user and per-item components of the logits: [., 6] for affinity, then [., 5] main effects."""

    user: Floats  # [U, 11]
    item: Floats  # [I, 11]

    @classmethod
    def of(cls, users: Users, items: Items) -> "Drivers":
        """Combine the coefficients of this module into one row per user and per item."""
        length = np.log(items.duration / 30.0) / 0.8
        person = np.column_stack([users.clicking, users.patience, users.sociability])
        thing = np.column_stack([items.quality, items.clickbait, length])
        user = person @ np.array(list(USER_DRIVERS.values()))
        item = thing @ np.array(list(ITEM_DRIVERS.values()))
        return cls(
            user=np.column_stack([users.taste, user]).astype(np.float32),
            item=np.column_stack([items.topic, item]).astype(np.float32),
        )

    def logits(self, users: npt.NDArray[np.integer], items: npt.NDArray[np.integer]) -> Floats:
        """Logits [..., 5] of RESPONSES, before intercepts, for user and item ids that broadcast."""
        user, item = self.user[users], self.item[items]
        affinity = (user[..., :LATENT] * item[..., :LATENT]) @ AFFINITY.T
        return np.asarray(affinity + user[..., LATENT:] + item[..., LATENT:])


def draw_labels(
    response: Response, duration: Floats, examination: npt.NDArray[np.floating], chance: Floats
) -> dict[str, npt.NDArray[np.number]]:
    """Labels of shown items, each [S, P]: int8 responses, and ``watch_time`` in seconds, float32.

    A click needs examination and attraction; all other responses need a click.

    Parameters
    ----------
    response
        True probabilities, each [S, P].
    duration : [S, P]
        Seconds of the items.
    examination : [P] or [S, P]
        Probability that the user examines the place.
    chance : [5, S, P]
        Uniform random numbers, by which the labels are drawn.
    """
    click = chance[0] < response.click * examination.astype(np.float32)
    long_view = click & (chance[1] < response.long_view)
    # U ** ((1 - m) / m) has mean m on [0, 1).
    left = LONG_VIEW * chance[4] ** ((1.0 - response.abandon) / response.abandon)
    watched = np.where(long_view, LONG_VIEW + (1.0 - LONG_VIEW) * chance[4], left)
    labels = {
        "click": click,
        "long_view": long_view,
        "like": click & (chance[2] < response.like),
        "share": click & (chance[3] < response.share),
    }
    return {
        **{name: label.astype(np.int8) for name, label in labels.items()},
        "watch_time": np.where(click, watched * duration, 0.0).astype(np.float32),
    }
