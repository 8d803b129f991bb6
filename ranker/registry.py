"""Registries of components that a config selects by name."""

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


LONGEST_NAME = 200
"""Maximum characters of a name in a comparison, since memory grows with its length."""


def nearest(name: str, known: list[str]) -> str:
    """Return ``did you mean 'x'?`` for the known name nearest to ``name``, or an empty string."""
    match = difflib.get_close_matches(name[:LONGEST_NAME], known, n=1, cutoff=0.5)
    return f"did you mean {match[0]!r}?" if match else ""


def suggestion(name: object, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the known name nearest to ``name``, or an empty string: the end of a message."""
    hint = nearest(str(name), list(known))
    return f"; {hint}" if hint else ""


def alternatives(name: object, known: Iterable[str], label: str = "known") -> str:
    """``; did you mean 'x'? (known: x, y)``, or without a near name the list alone: the end of a message."""
    names = list(known)
    return f"{suggestion(name, names)} ({label}: {', '.join(names) or 'none'})"


def require_known(name: str, known: Collection[str], path: str, what: str) -> None:
    """Raise ``ValueError`` for an unknown name, with ``path`` and all known names; ``what`` includes its article."""
    if name not in known:
        raise ValueError(f"{path}: {name!r} is not {what}{alternatives(name, known)}")


class Registry(Mapping[str, T], Generic[T]):
    """A read-only mapping from names in configs to classes.

    Looking up an unknown name raises a ``KeyError`` that lists all known names.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Class decorator: ``@FUSIONS.register("additive")``. Names are unique."""

        def add(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = entry
            return entry

        return add

    def __getitem__(self, name: str) -> T:
        if name not in self._entries:
            raise UnknownNameError(f"unknown {self.kind} {name!r}{alternatives(name, sorted(self._entries))}")
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)


class UnknownNameError(KeyError):
    """A name that is not in the registry; its text is the whole message."""

    def __str__(self) -> str:
        return str(self.args[0])
