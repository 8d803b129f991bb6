"""Answers that are no ranking: what is wrong with a request, and why one is turned away."""

from collections.abc import Iterable
from itertools import islice

PROBLEMS, FIELD, REASON = 100, 200, 4000
"""How many problems are listed, and characters of each: a short body must not get a long answer, nor one that costs."""


class RequestError(ValueError):
    """What is wrong with a request: a list of fields and reasons, the first ones where there are very many."""

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        rest = iter(problems)
        self.problems = [{"field": cut(f, FIELD), "reason": cut(r, REASON)} for f, r in islice(rest, PROBLEMS)]
        if next(rest, None) is not None:
            self.problems.append({"field": "body", "reason": f"has more problems than these {PROBLEMS}"})
        super().__init__("; ".join(f"{p['field']}: {p['reason']}" for p in self.problems))


def cut(text: str, length: int) -> str:
    """A text of at most so many characters."""
    return text if len(text) <= length else text[: length - 3] + "..."


class Refusal(Exception):  # noqa: N818 - an answer rather than a mistake
    """An answer other than a ranking: status, the outcome that is counted, and what to tell the client."""

    def __init__(
        self, status: int, outcome: str, field: str, reason: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.status, self.outcome, self.field, self.reason = status, outcome, field, reason
        self.headers = headers
