"""Command-line checks that need no model, so that a typo is reported before TensorFlow is imported."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, create_model

from ranker.config import file as config_file
from ranker.config.closed import Closed
from ranker.config.file import ConfigError
from ranker.registry import nearest

SECTIONS = (
    "data", "schema", "architecture", "interaction", "funnel", "weighting", "embedding", "optimizer", "training",
    "schedule", "early_stopping", "evaluation", "fusion", "fusions",
)  # fmt: skip
"""Sections of ``training.config.experiment.Experiment``, listed here because importing it imports TensorFlow."""

FRONT_METHODS = ("pe_ltr", "static", "smooth_tchebycheff")
"""Names of ``training.sweeps.pareto.METHODS``."""
SEARCH_METHODS = (
    "cma_es", "cross_entropy", "evolution_strategy", "gaussian_process", "genetic", "grid", "nsga2", "particle_swarm",
    "random", "tpe",
)  # fmt: skip
"""Names of ``training.fusion_search.methods.METHODS``, whose import loads Optuna and scikit-learn."""

_fields: Any = {f"{name}_": (Any, Field(None, alias=name)) for name in SECTIONS}
_Sections = create_model("Sections", __base__=Closed, **_fields)


def check_config(path: Path) -> None:
    """Check that a file is YAML with known sections. Raises ``ConfigError`` naming the line."""
    config_file.check(path, config_file.document(path), _Sections)


def check_name(option: str, name: str, known: Iterable[str]) -> None:
    """Raise ``ConfigError`` for an unknown name, suggesting the nearest known one."""
    names = list(known)
    if name not in names:
        hint = nearest(name, names)
        raise ConfigError(f"{option} {name}: unknown{'; ' + hint if hint else ''} (known: {', '.join(names)})")


def split_variation(text: str) -> tuple[str, list[str]]:
    """Split ``architecture=mmoe,ple`` into the key and its values as text. Raises ``ConfigError``.

    Commas inside brackets or braces do not separate.
    """
    key, equals, rest = text.partition("=")
    key = key.strip()
    if not equals or not key or not rest.strip():
        raise ConfigError(f"--vary {text!r}: must be KEY=VALUE,VALUE, for example architecture=mmoe,ple")
    return key, [word.strip() for word in _split_top_level(rest)]


def _split_top_level(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for place, c in enumerate(text):
        depth += (c in "[{") - (c in "]}")
        if c == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]
