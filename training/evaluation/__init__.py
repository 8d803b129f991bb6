"""What a model is worth: metrics of its scores, its gates, its size, and fronts of trade-offs."""
