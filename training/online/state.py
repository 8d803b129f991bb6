"""The state of a search on disk: one JSON file per round, each replaced as a whole.

::

    search.json      what the search was started with; another config is refused
    rounds/001.json  a round: sets, shares, what was measured
    outcome.json     how it ended
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import Field, ValidationError

from ranker.config.closed import Closed
from ranker.config.file import ConfigError
from ranker.files import replace_file

FORMAT = 1


class Gain(Closed):
    """A metric of a set compared with control's; numbers are null where they are not defined.

    ``low`` and ``high`` are ends of the interval of the relative difference, ``difference_low`` and ``difference_high``
    of the difference.
    """

    value: float | None
    control: float | None
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    error: float | None
    relative: float | None
    low: float | None
    high: float | None
    undefined: str | None = Field(None, description="Why there is no interval.")
    broken: bool = Field(False, description="Whether the interval is worse than the loss that a guardrail accepts.")


class Stop(Closed):
    """A guardrail that a set broke during a round."""

    time: datetime
    guardrail: str
    gain: Gain


class ServedSet(Closed):
    """A parameter set of a round."""

    name: str
    point: tuple[float, ...] = Field(description="In the unit cube of the trust region.")
    values: dict[str, float] = Field(description="Parameters by name.")
    share: float = Field(description="Of the covered users.")
    stopped: Stop | None = None


class Counts(Closed):
    """What was seen of a round."""

    units: int
    requests: int


class Measured(Closed):
    """How a round ended."""

    ended: datetime
    counts: Counts
    units: dict[str, int] = Field(description="Units by group.")
    mismatch: float | None = Field(None, description="P-value of the units by group against the shares.")
    gains: dict[str, dict[str, Gain]] = Field(description="By metric and set.")
    method: dict[str, tuple[float | None, float | None, float | None]] = Field(
        description="By set, what the method is told: gain, own error, error of control."
    )


class Round(Closed):
    """A round: an experiment with control and sets."""

    number: int
    kind: Literal["search", "confirm"]
    experiment: str
    salt: str
    control: float
    sets: tuple[ServedSet, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    started: datetime | None = Field(None, description="When all services served it first.")
    served: str | None = Field(None, description="Digest of the experiment that the services serve.")
    seen: Counts | None = Field(None, description="Of the last check.")
    measured: Measured | None = None
    why: str = Field("", description="Why the search ended, of a confirmation.")
    notes: tuple[str, ...] = ()

    @property
    def groups(self) -> list[str]:
        """Names of all groups."""
        return [CONTROL, *(one.name for one in self.sets)]

    def changed(self, **values: Any) -> "Round":
        """A copy with other values."""
        return self.model_copy(update=values)


CONTROL = "control"
Verdict = Literal["better", "no better"]
BETTER: Verdict = "better"
NO_BETTER: Verdict = "no better"


class Outcome(Closed):
    """How a search ended."""

    verdict: Verdict
    why: str = Field(description="One sentence.")
    ended_search: str = Field(description="Why no further round was begun.")
    point: tuple[float, ...] | None
    values: dict[str, float] | None
    gains: dict[str, Gain] = Field(default_factory=dict, description="Of the confirmation, by metric.")


class Store:
    """The folder of a search."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self, facts: Mapping[str, Any]) -> None:
        """Begin a search with these facts, or go on with one that has the same.

        Raises ``ConfigError`` if the folder holds another search.
        """
        file, asked = self.folder / "search.json", {"format": FORMAT, **facts}
        try:
            found = orjson.loads(file.read_bytes())
        except FileNotFoundError:
            replace_file(file, orjson.dumps(asked, option=orjson.OPT_INDENT_2))
            return
        except orjson.JSONDecodeError:
            raise ConfigError(
                f"{file}: is damaged; a search writes it once, so restore it or use another folder"
            ) from None
        asked = orjson.loads(orjson.dumps(asked))
        if found != asked:
            differing = sorted(key for key in {*found, *asked} if found.get(key) != asked.get(key))
            raise ConfigError(
                f"{self.folder}: holds a search with another {', '.join(differing)}; go on with the config that it was "
                "begun with, or begin anew in another folder"
            )

    def rounds(self) -> list[Round]:
        """All rounds in order."""
        found = [self._read(file, Round) for file in (self.folder / "rounds").glob("*.json")]
        return sorted(found, key=lambda one: one.number)

    def save(self, one: Round) -> None:
        """Write a round."""
        replace_file(self.folder / "rounds" / f"{one.number:03d}.json", _bytes(one))

    def outcome(self) -> Outcome | None:
        """How it ended, if it has."""
        file = self.folder / "outcome.json"
        return self._read(file, Outcome) if file.is_file() else None

    def end(self, outcome: Outcome) -> None:
        """Write the outcome."""
        replace_file(self.folder / "outcome.json", _bytes(outcome))

    @staticmethod
    def _read(file: Path, kind: Any) -> Any:
        try:
            return kind.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise ConfigError(f"{file}: cannot be read: {error.errors()[0]['msg']}") from None


def _bytes(model: Closed) -> bytes:
    return (model.model_dump_json(indent=2) + "\n").encode()
