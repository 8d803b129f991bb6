"""Error answers: a request's problems by field, and refusals with their HTTP status."""

from collections.abc import Iterable
from itertools import islice

PROBLEMS, FIELD, REASON = 100, 200, 4000
"""Most problems listed, and most characters of their field and reason: a short request must not get a huge answer."""


class RequestError(ValueError):
    """An invalid request: a list of fields and reasons, cut after the first ``PROBLEMS``."""

    def __init__(self, problems: Iterable[tuple[str, str]]) -> None:
        rest = iter(problems)
        self.problems = [{"field": cut(f, FIELD), "reason": cut(r, REASON)} for f, r in islice(rest, PROBLEMS)]
        if next(rest, None) is not None:
            self.problems.append({"field": "body", "reason": f"has more problems than these {PROBLEMS}"})
        super().__init__("; ".join(f"{p['field']}: {p['reason']}" for p in self.problems))


def cut(text: str, length: int) -> str:
    """Cut a text to at most ``length`` characters."""
    return text if len(text) <= length else text[: length - 3] + "..."


class Refusal(Exception):  # noqa: N818 - an answer rather than a mistake
    """A refused request: HTTP status, outcome for the metric, and field, reason and headers for the client."""

    def __init__(
        self, status: int, outcome: str, field: str, reason: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(reason)
        self.status, self.outcome, self.field, self.reason = status, outcome, field, reason
        self.headers = headers
