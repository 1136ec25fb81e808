"""Trained models on disk: where an export stands, how it is opened, and a run's best model.

`layout` is light; `readers` runs alone, outside of this package; `trained_run` imports Keras.
"""
