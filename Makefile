.PHONY: check lint format types docs docs-site backbones test test-light laws lowest bench build clean

check: lint types test-light  ## Run before a commit: less than a minute.

lint:
	ruff check .
	ruff format --check .

format:
	ruff check --fix .
	ruff format .

types:
	mypy

docs:  ## Write anew what follows from schema, recipes and results: pages, tables, the editors' schema.
	python docs/make_recipe.py
	python docs/make_tables.py
	python docs/make_gallery.py

docs-site:  ## Build the site made of docs/ into site/; `mkdocs serve` shows it while pages change.
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

backbones:  ## Write zoo/plan/backbones.json anew, after an update of Keras; takes ten minutes.
	python docs/make_backbones.py
	python docs/make_backbones.py --verify

test:
	pytest

test-light:  ## Run the tests that need neither TensorFlow, Keras nor JAX, which are blocked.
	pytest --light -m "not slow"

laws:  ## Run the property tests with many more examples, unless they set a number of their own.
	pytest -m "hypothesis or laws" --hypothesis-profile=laws --timeout=0

lowest:  ## Try the oldest versions that setup.py allows, and the other Pythons that it names.
	.ci/lowest

bench:
	python benchmarks/epoch_time.py $(DATA)

build:
	python -m build

clean:
	rm -rf build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
