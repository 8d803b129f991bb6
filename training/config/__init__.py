"""What a run is told: the YAML file of an experiment, section by section.

``load`` reads a file, ``checked`` a dict; both give an :class:`Experiment`. Naming one imports TensorFlow.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from training.config.experiment import ConfigError, Experiment, checked, load

__all__ = ["ConfigError", "Experiment", "checked", "load"]


def __getattr__(name: str) -> Any:
    """Import the experiment when it is first named: early checks of a command line do without."""
    if name not in __all__:
        raise AttributeError(f"module 'training.config' has no attribute {name!r}")
    from training.config import experiment

    return getattr(experiment, name)
