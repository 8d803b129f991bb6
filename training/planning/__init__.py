"""What a day of the whole loop costs at a given scale, computed from measured unit costs."""

from training.planning.growth import Growth, growths
from training.planning.inputs import PlanInputs
from training.planning.plan import Plan, plan
from training.planning.unit_costs import CostsError, UnitCosts, shipped_costs

__all__ = ["CostsError", "Growth", "Plan", "PlanInputs", "UnitCosts", "growths", "plan", "shipped_costs"]
