"""The ground truth of a simulated log: true user behaviour, and the utility and regret of rankings."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from ranker.registry import alternatives
from training.simulator.behaviour import LONG_VIEW, RESPONSES, Drivers, Response, sigmoid
from training.simulator.config import SimulatorConfig
from training.simulator.policy import Policy, stream
from training.simulator.population import Floats, draw_items, draw_users, topics

Values = npt.NDArray[np.float64]
Ids = npt.NDArray[np.integer]

OBJECTIVES = ("click", "long_view", "like", "share", "watch_time")
# Utility of one click, long view, like, share and second of watch time. At the default rates no objective accounts for
# more than about a third of an impression's utility.
UTILITY: Mapping[str, float] = MappingProxyType(
    {"click": 1.0, "long_view": 1.5, "like": 8.0, "share": 15.0, "watch_time": 0.03}
)
# Fraction of the video watched: LONG_VIEW + (1 - LONG_VIEW) * U for a long view, with U uniform.
MEAN_LONG = LONG_VIEW + (1.0 - LONG_VIEW) / 2.0
ABANDON_INTERCEPT = -0.4
MANIFEST = "_simulation.json"  # log readers skip names that begin with an underscore
_CALIBRATION_SESSIONS = 4000


class World:
    """Users, items and their true behaviour, drawn from ``config`` and its seed.

    The behaviour of a (user, item) pair depends on neither time nor position. The log adds examination:
    P(click at position k) = ``config.examination``[k] * P(click).

    Attributes
    ----------
    config
        The simulator's config.
    users, items
        Visible features and latent traits, one entry per id.
    policy
        The logging policy.
    intercepts : [5]
        Intercepts of RESPONSES, calibrated so that the log has the rates of ``config``.
    """

    def __init__(self, config: SimulatorConfig) -> None:
        self.config = config
        centres = topics(stream(config, 0))
        self.users = draw_users(config, centres, stream(config, 1))
        self.items = draw_items(config, centres, stream(config, 2))
        self._drivers = Drivers.of(self.users, self.items)
        self.policy = Policy(config, self.users, self.items, self._drivers)
        self.intercepts = self._calibrated()

    @classmethod
    def load(cls, directory: Path | str) -> "World":
        """Rebuild the world of the log that ``simulate`` wrote to ``directory``.

        Raises ``FileNotFoundError`` if there is no finished simulation, and ``ValueError`` if this version cannot read
        its config or rebuilds a different world.
        """
        path = Path(directory) / MANIFEST
        if not path.is_file():
            raise FileNotFoundError(f"{directory} holds no finished simulation: {MANIFEST} is missing")
        try:
            manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            world = cls(SimulatorConfig.model_validate(manifest["config"]))
            known = np.asarray(manifest["probe"], dtype=np.float64)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path} is not a simulation that this version reads: {error!r}") from error
        found = world.probe()
        if known.shape != found.shape or not np.allclose(found, known, rtol=1e-3):
            raise ValueError(
                f"{path} was written by a version of ranker or NumPy that draws another world from seed "
                f"{world.config.seed}: simulate the log again"
            )
        return world

    def probe(self) -> Values:
        """Utilities [16] of fixed pairs, used by ``load`` to verify that the world is the same."""
        n = np.arange(16)
        return self.utility(n % self.config.users, n % self.config.items)

    def response(self, logits: Floats) -> Response:
        """Probabilities, each [...], from ``Drivers.logits`` [..., 5]."""
        return Response(*np.moveaxis(sigmoid(logits + self.intercepts), -1, 0))

    def given_click(self, users: npt.ArrayLike, items: npt.ArrayLike) -> dict[str, Values]:
        """Expectations [B] by objective, given a click; ``click`` is 1, ``watch_time`` in seconds.

        ``users`` and ``items`` are ids that broadcast to [B] (any shape). Raises ``ValueError`` for an unknown id.
        """
        response, duration = self.responses(users, items)
        return _given_click(response, duration)

    def expected(self, users: npt.ArrayLike, items: npt.ArrayLike) -> dict[str, Values]:
        """Expectations [B] by objective if the user examines the item: probabilities, and seconds.

        These exclude position effects. Arguments and errors are as in ``given_click``.
        """
        response, duration = self.responses(users, items)
        click = response.click.astype(np.float64)
        return {name: click * value for name, value in _given_click(response, duration).items()}

    def utility(self, users: npt.ArrayLike, items: npt.ArrayLike, weights: Mapping[str, float] = UTILITY) -> Values:
        """Expected utility [B] if the user examines the item: the sum over objectives of weight * ``expected``.

        Objectives without a weight count as 0. Raises ``ValueError`` for an unknown objective or id.
        """
        return _utility(self.expected(users, items), weights)

    def collected(
        self, users: npt.ArrayLike, candidates: npt.ArrayLike, order: npt.ArrayLike, k: int
    ) -> dict[str, Values]:
        """Expected totals [...] by objective over the first ``k`` positions of a ranking.

        The sum over positions j = 1..k of examination(j) * expected(user, item at j), with examination(j) =
        j ** -position_bias: the behaviour of the simulated users if shown this ranking.

        Parameters
        ----------
        users : [...]
            A user id per request.
        candidates : [..., N]
            Item ids.
        order : [..., M]
            Indices into ``candidates``, best first, k <= M <= N, no index twice within a request.
        k
            Number of positions shown.
        """
        found, places = self._ranked(users, candidates, order, k)
        discount = self.config.examination(k)
        return {name: np.take_along_axis(x, places, axis=-1) @ discount for name, x in found.items()}

    def regret(
        self,
        users: npt.ArrayLike,
        candidates: npt.ArrayLike,
        order: npt.ArrayLike,
        k: int,
        weights: Mapping[str, float] = UTILITY,
    ) -> Values:
        """Utility [...] lost relative to the best ranking of the same candidates; >= 0, and 0 for the best.

        Both are discounted by position as in ``collected``, with the same arguments. The best ranking sorts the
        candidates by decreasing ``utility`` (rearrangement inequality, because the discount never increases).
        """
        found, places = self._ranked(users, candidates, order, k)
        discount = self.config.examination(k)
        worth = _utility(found, weights)
        best = -np.sort(-worth, axis=-1)[..., :k]
        return np.asarray(np.maximum((best - np.take_along_axis(worth, places, axis=-1)) @ discount, 0.0))

    def _ranked(
        self, users: npt.ArrayLike, candidates: npt.ArrayLike, order: npt.ArrayLike, k: int
    ) -> tuple[dict[str, Values], Ids]:
        user, items, places = np.asarray(users), np.asarray(candidates), np.asarray(order)
        if items.ndim != user.ndim + 1 or items.shape[:-1] != user.shape or places.shape[:-1] != user.shape:
            raise ValueError(
                "candidates and order must have the shape of users and one more axis, got users "
                f"{user.shape}, candidates {items.shape}, order {places.shape}"
            )
        count = items.shape[-1]
        if not 1 <= k <= places.shape[-1] <= count:
            raise ValueError(
                f"k must be between 1 and the length of order, which is at most the number of candidates; got k {k}, "
                f"{places.shape[-1]} positions and {count} candidates"
            )
        _check_ids("order", places, count)
        ordered = np.sort(places, axis=-1)
        if (ordered[..., 1:] == ordered[..., :-1]).any():
            raise ValueError("order must not repeat an index within a request")
        return self.expected(user[..., None], items), places[..., :k]

    def responses(self, users: npt.ArrayLike, items: npt.ArrayLike) -> tuple[Response, Values]:
        """True response probabilities of pairs, each [B], and the items' seconds [B]; arguments as ``given_click``."""
        user, item = np.broadcast_arrays(np.asarray(users), np.asarray(items))
        _check_ids("users", user, self.config.users)
        _check_ids("items", item, self.config.items)
        return self.response(self._drivers.logits(user, item)), self.items.duration[item].astype(np.float64)

    def _calibrated(self) -> Floats:
        """Intercepts at which sessions of the middle day have the config's rates."""
        config = self.config
        shown = self.policy.sessions(_CALIBRATION_SESSIONS, config.days // 2, stream(config, 3)).logits
        logits = dict(zip(RESPONSES, np.moveaxis(shown, -1, 0).astype(np.float64), strict=True))
        seen = np.broadcast_to(config.examination(config.shown_per_session), logits["click"].shape)
        click = _intercept(logits["click"], seen, config.click_rate)
        clicked = seen * sigmoid(logits["click"] + click)
        return np.array(
            [
                click,
                _intercept(logits["long_view"], clicked, config.long_view_rate),
                _intercept(logits["like"], clicked, config.like_rate),
                _intercept(logits["share"], clicked, config.share_rate),
                ABANDON_INTERCEPT,
            ],
            dtype=np.float32,
        )


def _given_click(response: Response, duration: Values) -> dict[str, Values]:
    long_view = response.long_view.astype(np.float64)
    watched = long_view * MEAN_LONG + (1.0 - long_view) * LONG_VIEW * response.abandon
    return {
        "click": np.ones_like(long_view),
        "long_view": long_view,
        "like": response.like.astype(np.float64),
        "share": response.share.astype(np.float64),
        "watch_time": watched * duration,
    }


def _utility(found: Mapping[str, Values], weights: Mapping[str, float]) -> Values:
    for name, weight in weights.items():
        if name not in OBJECTIVES:
            raise ValueError(f"unknown objective {name!r}{alternatives(name, OBJECTIVES)}")
        if not np.isfinite(weight):
            raise ValueError(f"the weight of {name} must be finite, got {weight}")
    return np.asarray(sum((weight * found[name] for name, weight in weights.items()), np.zeros_like(found["click"])))


def _intercept(logits: Values, weights: Values, rate: float) -> float:
    """Find b such that the mean of weights * sigmoid(logits + b) is ``rate``, by bisection."""
    low, high = -40.0, 40.0
    for _ in range(50):
        middle = (low + high) / 2.0
        if float(np.mean(weights * sigmoid(logits + middle))) < rate:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def _check_ids(name: str, ids: npt.NDArray[Any], count: int) -> None:
    if ids.dtype.kind not in "iu":
        raise ValueError(f"{name} must be integers, got {ids.dtype}")
    if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < count:
        wrong = int(ids.min()) if ids.min() < 0 else int(ids.max())
        raise ValueError(f"{name} must be between 0 and {count - 1}, got {wrong}")
