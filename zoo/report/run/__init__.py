"""The report of a run, from its files alone.

source.py      reads the files; says what is missing, and which command adds it
page.py        puts the sections together
verdict.py     the three lines on top
curves.py      metrics by epoch
findings.py    the checks with their advice, and what they measured
network.py     layers with their costs, first kernels
predictions.py confusion matrix, mistakes, unsure images
classes.py     metrics of each class, calibration
data.py        training images as the network sees them, counts, duplicates
recipe.py      the recipe, and what of it differs from defaults
machine.py     versions, device, time, energy
"""
