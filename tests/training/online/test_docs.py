"""docs/experiments.md names every key of the config, and every option of a method."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from training.config.online import Budget, Confirmation, Enough, Guardrail, Logs, Online, Power, ServiceOptions
from training.online_methods import ONLINE_METHODS

PAGE = (Path(__file__).parents[3] / "docs" / "experiments.md").read_text(encoding="utf-8")
SECTIONS = {"service": ServiceOptions, "logs": Logs}
"""Sections whose keys are written with their path."""


def documented() -> str:
    begin = PAGE.index("### Keys\n")
    return PAGE[begin : PAGE.index("\n### ", begin + 1)]


def keys() -> Iterator[str]:
    yield from (name for name in Online.model_fields if name not in {*SECTIONS, "guardrails"})
    yield "guardrails.NAME"
    yield from (f"{section}.{name}" for section, model in SECTIONS.items() for name in model.model_fields)
    parts: tuple[type[BaseModel], ...] = (Guardrail, Enough, Confirmation, Budget, Power)
    yield from (name for model in parts for name in model.model_fields)


def test_every_key_is_in_the_table() -> None:
    table = documented()
    assert [key for key in keys() if f"`{key}`" not in table] == []


def test_every_method_and_its_options_are_described() -> None:
    begin = PAGE.index("### Methods\n")
    section = PAGE[begin : PAGE.index("\n### ", begin + 1)]
    for name, method in ONLINE_METHODS.items():
        assert f"| `{name}` |" in section
        assert [
            option for option in method.Options.model_fields if option != "name" and f"`{option}`" not in section
        ] == []
