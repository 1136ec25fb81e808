"""Which images go to which split: draws, groups, folds, chosen classes."""
