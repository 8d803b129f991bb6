"""Shared checks of fusions: known names, and errors with their path."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from ranker.fusion.base import FusionError
from ranker.registry import Registry, UnknownNameError, alternatives

T = TypeVar("T")


class LocatedError(FusionError):
    """An error whose message begins with a path and a colon."""


@contextmanager
def at(path: str) -> Iterator[None]:
    """Prefix errors with the path in the config: ``FusionError("x")`` becomes ``FusionError("path: x")``.

    Nested blocks join paths: ``FusionError("outer.path: x")``.
    """
    try:
        yield
    except LocatedError as error:
        raise LocatedError(f"{path}.{error}") from None
    except FusionError as error:
        raise LocatedError(f"{path}: {error}") from None


def find(registry: Registry[T], name: str) -> T:
    """Look up a registry entry. Raises ``FusionError`` for an unknown name."""
    try:
        return registry[name]
    except UnknownNameError as error:
        raise FusionError(str(error)) from None


def require_known(name: object, known: Sequence[str], problem: str) -> None:
    """Raise ``FusionError``, beginning with ``problem``, for an unknown name."""
    if name not in known:
        raise FusionError(f"{problem}{alternatives(name, known)}")
