"""What a run is told: the YAML file of an experiment, section by section.

``load`` reads a file, ``checked`` a dict; both give an :class:`Experiment`. Importing it needs no TensorFlow.
"""

from training.config.experiment import ConfigError, Experiment, checked, load

__all__ = ["ConfigError", "Experiment", "checked", "load"]
