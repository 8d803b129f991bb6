"""The decisions of an online search, without any effects but the state on disk: what is served next, and until when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from training.config.duration import written
from training.config.online import REWARD, Enough, Online
from training.experiments.critical import Sequential
from training.fusion_search.space import Floats, Space
from training.online import judge
from training.online.observed import ObservationError, Observations, Observed
from training.online.served import CONFIRM, WINNER, digest, experiment, experiment_name
from training.online.state import (
    BETTER,
    CONTROL,
    NO_BETTER,
    Counts,
    Gain,
    Measured,
    Outcome,
    Round,
    ServedSet,
    Stop,
    Store,
)
from training.online_methods import ONLINE_METHODS, Judged

MISMATCH = 0.001
"""P-value of the units by group below which a round is noted as doubtful."""
SHARE_DIGITS = 6


@dataclass(frozen=True)
class Serve:
    """Have the services serve an experiment, then call :meth:`Search.served`."""

    round: Round
    experiment: dict[str, Any]
    why: str


@dataclass(frozen=True)
class Wait:
    """Nothing to do yet: call :meth:`Search.step` again later. ``until`` is when the round ends at the latest."""

    round: Round
    counts: Counts
    until: datetime | None


@dataclass(frozen=True)
class Done:
    """The search is over: end the experiment."""

    outcome: Outcome


Action = Serve | Wait | Done


class Search:
    """A search on live traffic, step by step.

    Whoever runs it calls :meth:`step`, does what the action says, and calls it again: a command that waits in between,
    a cron job, or a simulation in the same process. All decisions follow from the config, the seed, what was observed
    and the times that it is given, and every one is on disk before it is returned. So a search whose process was killed
    goes on with the same sets.

    Parameters
    ----------
    config
        What is searched and how.
    space
        The trust region around the fusion of today.
    store
        The folder of the state; what it holds is carried on.

    Raises
    ------
    ConfigError
        If the folder holds another search.
    """

    def __init__(self, config: Online, space: Space, store: Store) -> None:
        self.config, self.space = config, space
        self._store = store
        store.open(facts(config, space))
        self.rounds: list[Round] = store.rounds()
        self.outcome: Outcome | None = store.outcome()
        self.method = ONLINE_METHODS[config.method.name](config.method, space.start)

    def step(self, now: datetime, observations: Observations) -> Action:
        """The next thing to do.

        Parameters
        ----------
        now
            The time, which must not go back.
        observations
            Reads what was seen of a round.

        Raises
        ------
        ObservationError
            If the logs cannot be used, or a round's time is over and nothing was seen of it.
        """
        while self.outcome is None:
            if not self.rounds:
                self._append(self._planned())
            last = self.rounds[-1]
            content = experiment(self.config, self.space, last)
            if last.measured is None and last.served != digest(content):
                return Serve(last, content, self._why(last))
            if last.measured is None:
                waiting = self._check(last, now, observations)
                if waiting is not None:
                    return waiting
            elif last.kind == CONFIRM:
                self._end(self._verdict(last))
            else:
                self._next()
        return Done(self.outcome)

    def served(self, now: datetime) -> None:
        """Note that all services serve the experiment of the last round."""
        last = self.rounds[-1]
        content = digest(experiment(self.config, self.space, last))
        self._replace(last.changed(served=content, started=last.started or now))

    def note(self, text: str) -> None:
        """Add a remark to the last round, once."""
        last = self.rounds[-1]
        if text not in last.notes:
            self._replace(last.changed(notes=(*last.notes, text)))

    def preview(self) -> Round:
        """The round that would be served first, or is served now; nothing is written."""
        return self.rounds[-1] if self.rounds else self._planned()

    def judged(self) -> list[Judged]:
        """The finished rounds of the search, as its method sees them."""
        return [_judged(one) for one in self.rounds if one.kind == "search" and one.measured is not None]

    def _planned(self) -> Round:
        number = len(self.rounds) + 1
        proposal = self.method.propose(self.judged(), np.random.default_rng([self.config.seed, number]))
        control = self.config.control
        shares = np.round(proposal.shares * (1 - control), SHARE_DIGITS)
        sets = tuple(
            self._set(f"s{i + 1}", point, share)
            for i, (point, share) in enumerate(zip(proposal.points, shares.tolist(), strict=True))
        )
        name = experiment_name(self.config.name, number, "search")
        kept = f"{self.config.name}-kept" if self.method.keeps_units else name
        if self.method.keeps_units and self.rounds:
            before = {served.name: served.stopped for served in self.rounds[-1].sets}
            sets = tuple(served.model_copy(update={"stopped": before[served.name]}) for served in sets)
        return Round(
            number=number,
            kind="search",
            experiment=name,
            salt=f"{kept}-{self.config.seed}",
            control=round(1 - float(sum(one.share for one in sets)), SHARE_DIGITS),
            sets=sets,
            mean=tuple(proposal.mean.tolist()),
            deviation=tuple(proposal.deviation.tolist()),
        )

    def _confirmation(self, point: Floats, why: str) -> Round:
        last, share = self.rounds[-1], self.config.confirm.share
        name = experiment_name(self.config.name, 0, CONFIRM)
        return Round(
            number=last.number + 1,
            kind="confirm",
            experiment=name,
            salt=f"{name}-{self.config.seed}",
            control=round(1 - share, SHARE_DIGITS),
            sets=(self._set(WINNER, point, share),),
            mean=tuple(point.tolist()),
            deviation=(0.0,) * len(point),
            why=why,
        )

    def _set(self, name: str, point: Floats, share: float) -> ServedSet:
        return ServedSet(name=name, point=tuple(point.tolist()), values=values_at(self.space, point), share=share)

    def _why(self, one: Round) -> str:
        if one.started is not None:
            broken = [served.name for served in one.sets if served.stopped]
            return f"{one.experiment}: {', '.join(broken)} broke a guardrail and gets the fusion of control"
        return f"{one.experiment}: begins with {len(one.sets)} set{'s' if len(one.sets) > 1 else ''} beside control"

    def _check(self, one: Round, now: datetime, observations: Observations) -> Wait | None:
        """Look at a round in progress; ``None`` if the round has changed: a set was stopped, or it is over."""
        assert one.started is not None
        until = now - self.config.logs.within
        observed = observations.of(one.experiment, one.groups, one.started, max(until, one.started))
        seen = Counts(units=observed.total_units, requests=observed.total_requests)
        if seen != one.seen:
            one = self._replace(one.changed(seen=seen))
        stopped = self._stopped(one, observed, now)
        if stopped != one.sets:
            one = self._replace(one.changed(sets=stopped))
            if not all(served.stopped for served in stopped):
                return None
        enough: Enough = self.config.confirm if one.kind == CONFIRM else self.config.round
        end = None if enough.period is None else one.started + enough.period + self.config.logs.within
        over = end is not None and now >= end
        if not over and not _counted(enough, seen) and not all(served.stopped for served in one.sets):
            return Wait(one, seen, end)
        self._require_seen(one, observed)
        self._replace(one.changed(measured=self._measured(one, observed, now, observations)))
        return None

    def _stopped(self, one: Round, observed: Observed, now: datetime) -> tuple[ServedSet, ...]:
        """The sets, those marked that break a guardrail by an interval that holds however often one looks."""
        guardrails = self.config.guardrails
        looks = len(one.sets) * max(len(guardrails), 1)
        method = Sequential(self.config.power.gain)
        found: dict[str, Stop] = {}
        for name, guardrail in guardrails.items():
            for group, gain in judge.gains(observed, name, self.config.level / looks, method).items():
                if judge.broken(gain, guardrail):
                    found.setdefault(group, Stop(time=now, guardrail=name, gain=gain))
        return tuple(
            served.model_copy(update={"stopped": found[served.name]})
            if served.stopped is None and served.name in found
            else served
            for served in one.sets
        )

    def _require_seen(self, one: Round, observed: Observed) -> None:
        units = observed.sums.counts()
        if units[CONTROL] < 2 or sum(units.values()) - units[CONTROL] < 2:
            raise ObservationError(
                f"{one.experiment} has run since {one.started:%Y-%m-%d %H:%M} UTC, and {self.config.logs.exposures} has "
                f"requests of {units[CONTROL]} units of control and {sum(units.values()) - units[CONTROL]} of its sets: "
                "is it where the service writes exposures, and do requests name their users?"
            )

    def _measured(self, one: Round, observed: Observed, now: datetime, observations: Observations) -> Measured:
        metrics = {name: judge.gains(observed, name, self.config.level) for name in self.config.metrics}
        if one.kind == "search" and self.method.keeps_units:
            earlier = [
                observations.of(past.experiment, past.groups, past.started, past.measured.ended)
                for past in self.rounds[:-1]
                if past.started is not None and past.measured is not None
            ]
            told = judge.told_over_rounds([*earlier, observed])
        else:
            told = judge.told(observed)
        stopped = {served.name for served in one.sets if served.stopped}
        counts = observed.sums.counts()
        shares = shares_of(one)
        return Measured(
            ended=max(now - self.config.logs.within, one.started or now),
            counts=Counts(units=observed.total_units, requests=observed.total_requests),
            units=counts,
            mismatch=judge.mismatch(counts, shares),
            gains=metrics,
            method={name: judge.NOTHING if name in stopped else values for name, values in told.items()},
        )

    def _next(self) -> None:
        """Plan another round, the confirmation, or end."""
        why = self._spent() or self.method.converged(self.judged())
        if why is None:
            return self._append(self._planned())
        point = self.method.winner(self.judged())
        if point is None:
            return self._end(_nothing("no set promised more than the parameters of today", why))
        if values_at(self.space, point) == values_at(self.space, self.space.start):
            return self._end(_nothing("the winner has the parameters of today", why))
        return self._append(self._confirmation(point, why))

    def _spent(self) -> str | None:
        """Which budget is spent, if one is."""
        budget, done = self.config.budget, [one.measured for one in self.rounds if one.measured is not None]
        if budget.rounds is not None and len(done) >= budget.rounds:
            return f"{len(done)} rounds are done"
        requests = sum(measured.counts.requests for measured in done)
        if budget.requests is not None and requests >= budget.requests:
            return f"{requests:,} requests were seen"
        started = self.rounds[0].started
        if budget.period is not None and started is not None and done[-1].ended - started >= budget.period:
            return f"{written(budget.period)} have passed"
        return None

    def _verdict(self, one: Round) -> Outcome:
        assert one.measured is not None
        [winner] = one.sets
        gains = {name: by_set[WINNER] for name, by_set in one.measured.gains.items()}
        broken = [name for name, guard in self.config.guardrails.items() if judge.broken(gains[name], guard)]
        if winner.stopped is not None:
            broken = [winner.stopped.guardrail]
        reward = gains[REWARD]
        if broken:
            verdict, why = NO_BETTER, f"the winner breaks the guardrail {' and '.join(broken)}"
        elif reward.difference_low is None:
            verdict, why = NO_BETTER, f"the gain is not known: {reward.undefined}"
        elif reward.difference_low <= 0:
            verdict, why = NO_BETTER, f"the confirmation shows no gain beyond noise: {shown(reward)}"
        else:
            verdict, why = BETTER, f"the confirmed gain is {shown(reward)}"
        return Outcome(
            verdict=verdict, why=why, ended_search=one.why, point=winner.point, values=winner.values, gains=gains
        )

    def _append(self, one: Round) -> None:
        self._store.save(one)
        self.rounds.append(one)

    def _replace(self, one: Round) -> Round:
        self._store.save(one)
        self.rounds[-1] = one
        return one

    def _end(self, outcome: Outcome) -> None:
        self._store.end(outcome)
        self.outcome = outcome


def facts(config: Online, space: Space) -> dict[str, Any]:
    """What must stay the same from the first round to the last."""
    kept = {"name", "fusion", "reward", "guardrails", "method", "control", "level", "seed"}
    dimensions = [
        {"name": one.name, "today": one.today, "low": one.low, "high": one.high} for one in space.dimensions
    ]
    service = config.service.model_dump(mode="json", include={"model", "unit", "header", "coverage"})
    return {**config.model_dump(mode="json", include=kept), "service": service, "parameters": dimensions}


def values_at(space: Space, point: Floats) -> dict[str, float]:
    """Parameters by name at a point [D]."""
    return dict(zip([one.name for one in space.dimensions], space.values(point).tolist(), strict=True))


def shown(gain: Gain) -> str:
    """A gain in words: ``+3.10% [+1.20%, +5.00%]``, or in the metric's unit where control has no value above 0."""
    if gain.relative is None:
        if gain.difference is None or gain.difference_low is None:
            return "not defined"
        return f"{gain.difference:+.4g} [{gain.difference_low:+.4g}, {gain.difference_high:+.4g}]"
    interval = "" if gain.low is None or gain.high is None else f" [{gain.low:+.2%}, {gain.high:+.2%}]"
    return f"{gain.relative:+.2%}{interval}"


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


def _counted(enough: Enough, seen: Counts) -> bool:
    wanted = ((enough.units, seen.units), (enough.requests, seen.requests))
    return any(least is not None for least, _ in wanted) and all(least is None or has >= least for least, has in wanted)


def _nothing(why: str, ended: str) -> Outcome:
    return Outcome(verdict=NO_BETTER, why=why, ended_search=ended, point=None, values=None)


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

