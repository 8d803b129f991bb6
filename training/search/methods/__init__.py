"""Search methods, one a file; importing one here is what makes it known."""

from training.search.methods.base import METHODS, Method, Points
from training.search.methods.cma_es import CmaEs
from training.search.methods.cross_entropy import CrossEntropy
from training.search.methods.evolution_strategy import EvolutionStrategy
from training.search.methods.gaussian_process import GaussianProcess
from training.search.methods.genetic import Genetic
from training.search.methods.grid import Grid
from training.search.methods.nsga2 import Nsga2
from training.search.methods.particle_swarm import ParticleSwarm
from training.search.methods.random import Random
from training.search.methods.tpe import Tpe

__all__ = [
    "METHODS",
    "CmaEs",
    "CrossEntropy",
    "EvolutionStrategy",
    "GaussianProcess",
    "Genetic",
    "Grid",
    "Method",
    "Nsga2",
    "ParticleSwarm",
    "Points",
    "Random",
    "Tpe",
]
