"""The search for good values: ranges here, the search itself in what imports them."""
