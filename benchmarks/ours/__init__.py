"""This project's side of the benchmarks."""
