"""Trained models on disk: exports and the best model of a run.

layout        files of an export, and how to find one
readers       opens an export with its format's runtime; also runs alone, outside of zoo
trained_run   a run's best model, ready to predict; imports Keras
"""
