"""The report of several runs beside each other, made of their files alone.

trainings.py    the runs: results, curves, recipes, predictions
groups.py       runs that differ in the seed alone, and what is more than luck between groups
pairs.py        pairs of runs on the same images
differences.py  what differs between recipes, data and machines
summary.py      all that as one document
figures.py      curves over each other
page.py         the page
"""
