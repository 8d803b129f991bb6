"""Search a fusion's parameters offline: what is maximised, where, by which method, and what it is worth."""
