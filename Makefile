.PHONY: check lint format types docs test test-fast laws bench build clean

check: lint types test-fast  ## What to run before a commit: seconds.

lint:
	ruff check .
	ruff format --check .

format:
	ruff check --fix .
	ruff format .

types:
	mypy

docs:  ## Writes docs/recipe.md anew from the schema, the README's table from the results.
	python docs/make_recipe.py
	python docs/make_tables.py

test:
	pytest

test-fast:  ## The recipe language and the command line: no TensorFlow.
	pytest -m "not slow" tests/recipe tests/plan tests/test_light.py tests/tuning

laws:  ## The property tests, with many more examples where they set no number of their own.
	pytest -m hypothesis --hypothesis-profile=laws --timeout=0

bench:
	python benchmarks/epoch_time.py $(DATA)

build:
	python -m build

clean:
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
