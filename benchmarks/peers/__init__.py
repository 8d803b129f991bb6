"""Other libraries on the same data; runs in a separate environment, without `ranker` installed."""
