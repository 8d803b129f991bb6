"""Side-by-side measurements with peers: quality on public data and training speed. Not part of the tests."""
