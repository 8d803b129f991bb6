"""The config of an experiment: a YAML file, one model per section.

``load`` reads a file, ``checked`` a dict; both return an :class:`Experiment`. Accessing one imports TensorFlow.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.config.experiment import ConfigError, Experiment, checked, load

__all__ = ["ConfigError", "Experiment", "checked", "load"]


def __getattr__(name: str) -> Any:
    """Import the experiment on first access: early command-line checks do not need it."""
    if name not in __all__:
        raise AttributeError(f"module 'training.config' has no attribute {name!r}")
    from training.config import experiment

    return getattr(experiment, name)
