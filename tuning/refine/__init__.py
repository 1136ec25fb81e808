"""The ranges of the next stage of a search: narrowed around the best, moved at an edge."""
