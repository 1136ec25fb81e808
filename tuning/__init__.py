"""Hyperparameter search: `tuning.search` begins and resumes one; CONTRIBUTING.md has a tour."""
