"""The runs, cross-validations and searches that lie on the disk: `zoo runs`, `zoo show RUN`. Light.

entry.py      what a line says of a folder, and how it is read
scan.py       finds the folders
selection.py  filters, order, and seeds of one recipe as one line
references.py which run another one is made from
cleaning.py   which folders may go, and why others stay; removes them
caches.py     what zoo keeps in its cache, and removes what no process uses
run_summary.py, group_summary.py  all that `zoo show` says of one folder
"""
