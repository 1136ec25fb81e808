"""The report of a search, made of its files alone.

rows.py            the trials and stages as tables and figures take them
axis.py            where the values of a hyperparameter lie on an axis
outcome.py         what came of a search: budget, pruning, confirmation, the best
importance.py      which hyperparameters the scores depend on
summary.py         all that as one document
marks.py           what the figures share
value_figures.py   figures of scores over values
course_figures.py  figures of the course of the search
sections.py        the parts of the page
page.py            the page
png_figures.py     figures of zoo tune --plots
"""
