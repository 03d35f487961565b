# Each target does its whole set-up in .venv; nothing else on the machine is touched.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test bench clean

demo: .venv/ready
	$(BIN)/restage demo

test: .venv/ready-for-development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest --numprocesses 2

bench: .venv/ready-for-development
	$(BIN)/restage bench name=io
	$(BIN)/restage bench name=pipeline
	$(BIN)/restage bench name=scene
	$(BIN)/restage bench name=networks

clean:
	rm -rf .venv demo

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Restage needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

.venv/ready: .venv/bin/python pyproject.toml constraints.txt
	$(PIP) --editable .
	touch $@

.venv/ready-for-development: .venv/ready
	$(PIP) --editable '.[dev]'
	$(PIP) --force-reinstall --no-deps opencv-python-headless # groundingdino-py brings one that needs GL, over it
	touch $@
