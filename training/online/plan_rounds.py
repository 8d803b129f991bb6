"""Plans the rounds of a search: sets, shares, names and salts."""

from collections.abc import Sequence

import numpy as np

from training.config.online import Online
from training.fusion_search.space import Floats, Space
from training.online.served import CONFIRM, WINNER, experiment_name
from training.online.state import CONTROL, Round, ServedSet
from training.online_methods import Judged, OnlineMethod

SHARE_DIGITS = 6


def planned(config: Online, space: Space, method: OnlineMethod, rounds: Sequence[Round]) -> Round:
    """The round after others, which follows from them and the seed alone.

    Its salt is new, so that users are drawn afresh and no set inherits the users of another; with a method that keeps
    units it is that of the rounds before, and sets that were stopped stay so.
    """
    number = len(rounds) + 1
    proposal = method.propose(judged(rounds), np.random.default_rng([config.seed, number]))
    shares = np.round(proposal.shares * (1 - config.control), SHARE_DIGITS)
    sets = tuple(
        _set(space, f"s{i + 1}", point, share)
        for i, (point, share) in enumerate(zip(proposal.points, shares.tolist(), strict=True))
    )
    name = experiment_name(config.name, number, "search")
    salted = f"{config.name}-kept" if method.keeps_units else name
    if method.keeps_units and rounds:
        before = {served.name: served.stopped for served in rounds[-1].sets}
        sets = tuple(served.model_copy(update={"stopped": before[served.name]}) for served in sets)
    return Round(
        number=number,
        kind="search",
        experiment=name,
        salt=f"{salted}-{config.seed}",
        control=round(1 - sum(one.share for one in sets), SHARE_DIGITS),
        sets=sets,
        mean=tuple(proposal.mean.tolist()),
        deviation=tuple(proposal.deviation.tolist()),
    )


def confirmation(config: Online, space: Space, rounds: Sequence[Round], point: Floats, why: str) -> Round:
    """The last round: a point [D] against control, under a salt that no round had."""
    share = config.confirm.share
    name = experiment_name(config.name, 0, CONFIRM)
    return Round(
        number=len(rounds) + 1,
        kind="confirm",
        experiment=name,
        salt=f"{name}-{config.seed}",
        control=round(1 - share, SHARE_DIGITS),
        sets=(_set(space, WINNER, point, share),),
        mean=tuple(point.tolist()),
        deviation=(0.0,) * len(point),
        why=why,
    )


def judged(rounds: Sequence[Round]) -> list[Judged]:
    """The finished rounds of the search, as its method sees them."""
    return [_judged(one) for one in rounds if one.kind == "search" and one.measured is not None]


def values_at(space: Space, point: Floats) -> dict[str, float]:
    """Parameters by name at a point [D]."""
    return dict(zip([one.name for one in space.dimensions], space.values(point).tolist(), strict=True))


def shares_of(one: Round) -> dict[str, float]:
    """Shares by group."""
    return {CONTROL: one.control, **{served.name: served.share for served in one.sets}}


def moved(old: Sequence[float], new: Sequence[float]) -> float:
    """Fraction of units that change groups when shares [G] in one order become others, under the same salt.

    ``1 - sum of the overlaps of each group's old and new range``.
    """
    ends = [np.concatenate([[0.0], np.cumsum(shares)]) for shares in (old, new)]
    low, high = np.maximum(ends[0][:-1], ends[1][:-1]), np.minimum(ends[0][1:], ends[1][1:])
    return float(1.0 - np.maximum(high - low, 0.0).sum())


def _set(space: Space, name: str, point: Floats, share: float) -> ServedSet:
    return ServedSet(name=name, point=tuple(point.tolist()), values=values_at(space, point), share=share)


def _judged(one: Round) -> Judged:
    assert one.measured is not None
    told = np.array(
        [[np.nan if value is None else value for value in one.measured.method[served.name]] for served in one.sets]
    ).reshape(-1, 3)
    return Judged(
        points=np.array([served.point for served in one.sets]),
        gains=told[:, 0],
        noise=told[:, 1],
        control_noise=told[:, 2],
        stopped=np.array([served.stopped is not None for served in one.sets]),
    )
