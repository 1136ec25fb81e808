"""What a shell offers at a press of Tab: verbs, flags, recipes, runs, paths of --set. Light.

serve.py     answers a shell
candidate.py one thing that a shell offers
scripts.py   what bash, zsh and fish are told; installs it
line.py      takes the line of bash apart
answer.py    what may stand at the end of a line
files.py     recipes, folders of runs and other files
settings.py  dotted paths of --set and their values, from the schema and the recipe

Typer has a completion of its own. Its bash does not put words together again that bash parts at `=`
and `:`, so that `--set train.epochs=` cannot be completed; the names of its internals change.
Nothing here imports pydantic: reading the schema from its file takes a tenth of the time.
"""
