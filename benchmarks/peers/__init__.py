"""What other libraries reach on the same data; runs in an environment of its own, without `ranker` installed."""
