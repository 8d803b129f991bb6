"""Evaluates models: metrics, gate statistics, size and FLOPs, Pareto fronts."""
