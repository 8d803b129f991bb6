"""The processes and devices of a training, by the name in ``training.distribute``. A new one needs a line here."""

from training.distribution.base import DISTRIBUTIONS, Distribution, distribution_of
from training.distribution.mirrored import Mirrored
from training.distribution.multi_worker import MultiWorker
from training.distribution.one import One
from training.distribution.parameter_server import ParameterServers

__all__ = [
    "DISTRIBUTIONS",
    "Distribution",
    "Mirrored",
    "MultiWorker",
    "One",
    "ParameterServers",
    "distribution_of",
]
