"""The config of an experiment: a YAML file, one model per section.

``load`` reads a file, ``checked`` a dict; both return an :class:`Experiment`. Importing it needs no TensorFlow.
"""

from training.config.experiment import ConfigError, Experiment, checked, load

__all__ = ["ConfigError", "Experiment", "checked", "load"]
