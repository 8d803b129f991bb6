"""Re-ranking steps, one per file; :mod:`ranker.fusion.reranking` imports them to register them."""
