"""`zoo report` and the PNG files of `--plots`, made of files alone: no model is loaded.

subjects.py      what kind of folder is reported on, and its report
run/             the page of a run
check/           the page of a folder of `zoo check`
search/          the page of a search
several/         the page of several runs
blocks.py        what pages are made of; templates/ writes each block as HTML
figures.py       curves as blocks
page.py          writes a page as one file
chosen.py        which images a page shows
png.py           figures as PNG files
layer_block.py   a network on a page: its picture, its layers with their costs
kernel_block.py  first kernels as small images
layer_*.py       pictures of layers, for pages and for the recipes in docs/
"""
