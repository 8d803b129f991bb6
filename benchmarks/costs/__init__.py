"""Stages of a day of the whole loop, each run for real at a given size and measured: processor time, bytes, memory.

``benchmarks.unit_costs`` fits lines through two sizes; ``benchmarks.plan_check`` compares them with other sizes.
"""
