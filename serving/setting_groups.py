"""Sections of the command's help."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """A section of the command's help. Settings in a group are options; settings without a group are not."""

    title: str


NETWORK, LIMITS, VERSIONS = Group("Network"), Group("Limits"), Group("Versions")
ACCESS, ENGINE, STORES = Group("Access and logs"), Group("Engine"), Group("Items and users")
EXPOSURES = Group("Exposure log")
GROUPS = (NETWORK, LIMITS, VERSIONS, ACCESS, ENGINE, STORES, EXPOSURES)
"""All sections."""
