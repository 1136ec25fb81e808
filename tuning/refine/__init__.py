"""Rules that compute the ranges of the next stage: narrowed around the best, moved at an edge."""
