"""An impression log with a known truth: what users would do, and so what any ranking of theirs loses."""

from training.simulator.config import SimulatorConfig
from training.simulator.files import simulate
from training.simulator.log import SCHEMA, impressions, log_table
from training.simulator.world import OBJECTIVES, UTILITY, World

__all__ = ["OBJECTIVES", "SCHEMA", "UTILITY", "SimulatorConfig", "World", "impressions", "log_table", "simulate"]
