"""The decisions of an online search, without any effects but the state on disk: what is served next, and until when."""

from datetime import datetime
from itertools import product
from typing import Any

from training.config.duration import written
from training.config.online import REWARD, Enough, Online
from training.experiments.assignment import mismatch
from training.experiments.critical import Sequential
from training.fusion_search.space import Space
from training.online import judge
from training.online.actions import Action, Done, Serve, Wait
from training.online.observed import ObservationError, Observations, Observed
from training.online.plan_rounds import confirmation, judged, planned, shares_of, values_at
from training.online.served import CONFIRM, digest, experiment
from training.online.state import Counts, Measured, Outcome, Round, ServedSet, Stop, Store
from training.online.verdict import nothing, verdict
from training.online_methods import ONLINE_METHODS

HUGE = 1.0
"""Relative effect of the second interval of guardrails: the first is slow where control hardly has any events."""
MISMATCH = 0.001
"""P-value of the units by group below which a round's gains are not to be trusted."""


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
                self._append(self._plan())
            last = self.rounds[-1]
            content = experiment(self.config, self.space, last)
            if last.measured is None and last.served != digest(content):
                return Serve(last, content, self._why(last))
            if last.measured is None:
                waiting = self._check(last, now, observations)
                if waiting is not None:
                    return waiting
            elif last.kind == CONFIRM:
                self._end(verdict(self.config, last))
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

    def _plan(self) -> Round:
        return planned(self.config, self.space, self.method, self.rounds)

    def _why(self, one: Round) -> str:
        if one.started is not None:
            broken = [served.name for served in one.sets if served.stopped]
            return f"{one.experiment}: {', '.join(broken)} broke a guardrail and gets the fusion of control"
        return f"{one.experiment}: begins with {len(one.sets)} set{'s' if len(one.sets) > 1 else ''} beside control"

    def _check(self, one: Round, now: datetime, observations: Observations) -> Wait | None:
        """Look at a round in progress; ``None`` if the round has changed: a set was stopped, or it is over."""
        begun, within = one.started, self.config.logs.within
        assert begun is not None
        observed = observations.of(one.experiment, one.groups, begun, max(now - within, begun))
        seen = Counts(units=observed.total_units, requests=observed.total_requests)
        if seen != one.seen:
            one = self._replace(one.changed(seen=seen))
        stopped = self._stopped(one, observed, now)
        if stopped != one.sets:
            one = self._replace(one.changed(sets=stopped))
            if not all(served.stopped for served in stopped):
                return None
        enough: Enough = self.config.confirm if one.kind == CONFIRM else self.config.round
        end = None if enough.period is None else begun + enough.period + within
        over = end is not None and now >= end
        if not over and not _counted(enough, seen) and not all(served.stopped for served in one.sets):
            return Wait(one, seen, end, observed.problem)
        self._require_seen(one, observed)
        remarks = [text for text in observed.remarks if text not in one.notes]
        measured = self._measured(one, observed, now, observations)
        self._replace(one.changed(measured=measured, notes=(*one.notes, *remarks)))
        return None

    def _stopped(self, one: Round, observed: Observed, now: datetime) -> tuple[ServedSet, ...]:
        """The sets, those marked that break a guardrail by an interval that holds however often one looks."""
        guardrails = self.config.guardrails
        methods = [Sequential(effect) for effect in (self.config.power.gain, HUGE)]
        level = self.config.level / (len(one.sets) * max(len(guardrails), 1) * len(methods))
        found: dict[str, Stop] = {}
        for (name, guardrail), method in product(guardrails.items(), methods):
            for group, gain in judge.gains(observed, name, level, method, guardrail).items():
                if gain.broken:
                    found.setdefault(group, Stop(time=now, guardrail=name, gain=gain))
        return tuple(
            served.model_copy(update={"stopped": found[served.name]})
            if served.stopped is None and served.name in found
            else served
            for served in one.sets
        )

    def _require_seen(self, one: Round, observed: Observed) -> None:
        """Raise ``ObservationError`` if no set can be compared with control at the end of a round."""
        why = observed.problem
        if not why:
            stopped = {served.name for served in one.sets if served.stopped}
            found = {name: gain for name, gain in judge.gains(observed, REWARD, 0.5).items() if name not in stopped}
            if not found or any(gain.undefined is None for gain in found.values()):
                return
            why = next(str(gain.undefined) for gain in found.values())
        raise ObservationError(
            f"{one.experiment} has run since {one.started:%Y-%m-%d %H:%M} UTC, and no set can be compared with "
            f"control: {why}. Is {self.config.logs.exposures} where the service writes exposures, do requests name "
            "their users, and do events have the kinds that the reward names?"
        )

    def _measured(self, one: Round, observed: Observed, now: datetime, observations: Observations) -> Measured:
        metrics = {
            name: judge.gains(observed, name, self.config.level, guardrail=self.config.guardrails.get(name))
            for name in self.config.metrics
        }
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
            mismatch=mismatch(counts, shares, MISMATCH, sequential=False).p,
            gains=metrics,
            method={name: judge.NOTHING if name in stopped else values for name, values in told.items()},
        )

    def _next(self) -> None:
        """Plan another round, the confirmation, or end."""
        why = self._spent() or self.method.converged(judged(self.rounds))
        if why is None:
            return self._append(self._plan())
        point = self.method.winner(judged(self.rounds))
        if point is None:
            return self._end(nothing("no set promised more than the parameters of today", why))
        if values_at(self.space, point) == values_at(self.space, self.space.start):
            return self._end(nothing("the winner has the parameters of today", why))
        return self._append(confirmation(self.config, self.space, self.rounds, point, why))

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
    dimensions = [{"name": one.name, "today": one.today, "low": one.low, "high": one.high} for one in space.dimensions]
    service = config.service.model_dump(mode="json", include={"model", "unit", "header", "coverage"})
    return {**config.model_dump(mode="json", include=kept), "service": service, "parameters": dimensions}


def _counted(enough: Enough, seen: Counts) -> bool:
    wanted = ((enough.units, seen.units), (enough.requests, seen.requests))
    return any(least is not None for least, _ in wanted) and all(least is None or has >= least for least, has in wanted)
