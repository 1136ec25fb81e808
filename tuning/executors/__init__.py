"""Executors run the trials of a search: `base` is their contract, `local` the processes here."""
