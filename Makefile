# make reproduce   run every notebook on the embedded dataset: figures, tables, report
# make test        run the quick tests, in minutes
# make test-all    run all tests: kills, several processes, other backends, large networks, whole notebooks
# make docs        build the documentation in docs/_build/html, with all notebooks executed
# Each of them sets up .venv first, and needs only Python >= 3.11 and make. Packages are compiled when they are imported,
# as compiling all of them takes a minute.
PYTHON ?= python3
DATA ?=
PRESET ?=
PRECISION ?=
ONLY ?=
OUT ?=
BIN := .venv/bin

.PHONY: reproduce test test-all docs clean

reproduce: .venv/.installed
	@$(BIN)/poster-cnn reproduce $(if $(DATA),--data "$(DATA)") $(if $(PRESET),--preset $(PRESET)) $(if $(PRECISION),--precision $(PRECISION)) $(if $(ONLY),--only $(ONLY)) $(if $(OUT),--out "$(OUT)")

test: .venv/.installed
	$(BIN)/python -m pytest -n 2 --dist worksteal -m 'not slow'

test-all: .venv/.docs
	$(BIN)/python -m pytest -n 2 --dist worksteal

docs: .venv/.docs
	$(BIN)/python -m sphinx -W --keep-going -q -b html -c docs -d docs/_build/doctrees . docs/_build/html
	@echo "documentation: docs/_build/html/index.html"

.venv/.installed: setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(f"poster_cnn needs Python 3.11 or newer. Received: {sys.version.split()[0]}. Choose another with make PYTHON=python3.11 ..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-compile --editable ".[test]"
	@touch $@

.venv/.docs: .venv/.installed
	$(BIN)/python -m pip install --quiet --no-compile --editable ".[docs]"
	@touch $@

clean:
	rm -rf .venv build docs/_build docs/api *.egg-info
