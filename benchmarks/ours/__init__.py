"""The project's own side of the benchmarks."""
