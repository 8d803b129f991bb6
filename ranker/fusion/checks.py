"""What every check of a fusion shares: names that must be known, and errors that say where they are."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from ranker.fusion.base import FusionError
from ranker.registry import Registry, UnknownNameError, alternatives

T = TypeVar("T")


class LocatedError(FusionError):
    """An error whose text begins with a path and a colon."""


@contextmanager
def at(path: str) -> Iterator[None]:
    """Say in an error where in a config its cause stands: ``FusionError("x")`` becomes ``FusionError("path: x")``.

    Within another one paths join: ``FusionError("outer.path: x")``.
    """
    try:
        yield
    except LocatedError as error:
        raise LocatedError(f"{path}.{error}") from None
    except FusionError as error:
        raise LocatedError(f"{path}: {error}") from None


def find(registry: Registry[T], name: str) -> T:
    """The entry of a registry. Raises ``FusionError`` for an unknown name."""
    try:
        return registry[name]
    except UnknownNameError as error:
        raise FusionError(str(error)) from None


def require_known(name: object, known: Sequence[str], problem: str) -> None:
    """Raise ``FusionError``, beginning with ``problem``, for a name that is not among those known."""
    if name not in known:
        raise FusionError(f"{problem}{alternatives(name, known)}")
