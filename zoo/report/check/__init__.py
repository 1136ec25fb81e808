"""The report of a folder of `zoo check`, from its checks.json alone.

page.py         the page; the findings are written as in the report of a run
figures.py      figures of what the checks measured
png_figures.py  figures of zoo check --plots
"""
