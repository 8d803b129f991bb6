"""Search methods, one per file; importing a module here registers its method."""

from training.fusion_search.methods.base import METHODS, Method, Points
from training.fusion_search.methods.cma_es import CmaEs
from training.fusion_search.methods.cross_entropy import CrossEntropy
from training.fusion_search.methods.evolution_strategy import EvolutionStrategy
from training.fusion_search.methods.gaussian_process import GaussianProcess
from training.fusion_search.methods.genetic import Genetic
from training.fusion_search.methods.grid import Grid
from training.fusion_search.methods.nsga2 import Nsga2
from training.fusion_search.methods.particle_swarm import ParticleSwarm
from training.fusion_search.methods.random import Random
from training.fusion_search.methods.tpe import Tpe

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
