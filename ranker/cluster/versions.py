"""Versions of the packages that results depend on, here and on the machines of a cluster."""

import socket
from collections.abc import Mapping
from importlib import import_module

from ranker.cluster.session import ClusterError

OURS = ("ranker", "pyarrow", "numpy")
"""Packages that every result depends on."""


def versions(*more: str) -> dict[str, str]:
    """Versions of the packages that every result depends on, and of others."""
    return {name: _version(name) for name in (*OURS, *more)}


def require_same(wanted: Mapping[str, str]) -> None:
    """Raise ``ClusterError`` on a machine that has another version of a package."""
    for name, version in wanted.items():
        if (here := _version(name)) != version:
            has = f"has {name} {here}" if here else f"lacks {name}"
            raise ClusterError(
                f"the machine {socket.gethostname()} of the cluster {has}, and this one has {version}; results depend "
                "on it: install the same version on all machines"
            )


def _version(name: str) -> str:
    """The version of a package; empty if it is missing."""
    try:
        return str(getattr(import_module(name), "__version__", ""))
    except ImportError:
        return ""
