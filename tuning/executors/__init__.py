"""Where the trials of a search are trained: one interface, one module for each kind of place."""
