"""Work on the processors of a Ray cluster: connecting to one, the size of a pool, and results in order.

It imports nothing, and Ray only where a cluster is used: the extra ``ranker[ray]`` may be missing.
"""
