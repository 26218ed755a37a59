# Everything from a machine that has only Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-all lint docs clean

demo: $(VENV)/.installed          ## the main job: squeeze one cell, picture it, say where the pictures are
	$(BIN)/python examples/01_squeeze.py --out demo

test: $(VENV)/.installed-test     ## fast tests, under 6 minutes on 2 cores with cold JIT
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow and not validation"

test-all: $(VENV)/.installed-test ## all tests
	$(BIN)/python -m pytest -q

lint: $(VENV)/.installed-test     ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports

docs: $(VENV)/.installed-test     ## the documentation, into site/; warnings are errors
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

clean:                            ## remove the environment and what demo and docs wrote
	rm -rf $(VENV) demo site

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,docs]'
	touch $@ $(VENV)/.installed
