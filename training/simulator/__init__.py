"""Simulates an impression log with known user behaviour, so that a ranking's true utility and regret are known."""

from training.simulator.config import SimulatorConfig
from training.simulator.files import simulate
from training.simulator.log import SCHEMA, impressions, log_table
from training.simulator.world import OBJECTIVES, UTILITY, World

__all__ = ["OBJECTIVES", "SCHEMA", "UTILITY", "SimulatorConfig", "World", "impressions", "log_table", "simulate"]
