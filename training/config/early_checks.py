"""Checks of a command line that need no model, so that a typo is reported before TensorFlow is imported."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, create_model

from ranker.config import file as config_file
from ranker.config.closed import Closed
from ranker.config.file import ConfigError
from ranker.registry import alternatives

SECTIONS = (
    "data", "schema", "architecture", "interaction", "funnel", "weighting", "embedding", "optimizer", "training",
    "schedule", "early_stopping", "evaluation", "fusion", "fusions",
)  # fmt: skip
"""Names of a config's sections; those of ``training.config.experiment.Experiment``, whose import brings TensorFlow."""

FRONT_METHODS = ("pe_ltr", "static", "smooth_tchebycheff")
"""Names of ``training.sweeps.pareto.METHODS``."""
SEARCH_METHODS = (
    "cma_es", "cross_entropy", "evolution_strategy", "gaussian_process", "genetic", "grid", "nsga2", "particle_swarm",
    "random", "tpe",
)  # fmt: skip
"""Names of ``training.fusion_search.methods.METHODS``, whose import brings Optuna and scikit-learn."""

_fields: Any = {f"{name}_": (Any, Field(None, alias=name)) for name in SECTIONS}
_Sections = create_model("Sections", __base__=Closed, **_fields)


def check_config(path: Path) -> None:
    """Check that a file is YAML whose sections exist. Raises ``ConfigError`` naming the line."""
    config_file.check(path, config_file.document(path), _Sections)


def check_name(option: str, name: str, known: Iterable[str]) -> None:
    """Raise ``ConfigError`` for a name that an option does not take, with the nearest one that it does."""
    names = list(known)
    if name not in names:
        raise ConfigError(f"{option} {name}: unknown{alternatives(name, names)}")


def split_variation(text: str) -> tuple[str, list[str]]:
    """``architecture=mmoe,ple`` -> the key and the texts of its values. Raises ``ConfigError``.

    Commas inside brackets or braces do not divide.
    """
    key, equals, rest = text.partition("=")
    key = key.strip()
    if not equals or not key or not rest.strip():
        raise ConfigError(f"--vary {text!r}: say KEY=VALUE,VALUE, for example architecture=mmoe,ple")
    return key, [word.strip() for word in _divided(rest)]


def _divided(text: str) -> Iterator[str]:
    depth, start = 0, 0
    for place, c in enumerate(text):
        depth += (c in "[{") - (c in "]}")
        if c == "," and depth == 0:
            yield text[start:place]
            start = place + 1
    yield text[start:]
