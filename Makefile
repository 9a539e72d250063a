# What people run. `make demo` and `make test` each set up all they need on a fresh machine.
# ARGS passes on: make demo ARGS=--check, make test ARGS="-k NAME", make bench ARGS=NAME.

# Empty: the one that tools/python.sh finds.
PYTHON ?=
JOBS ?= 2
ARGS ?=
BIN := .venv/bin
NEEDS := $(if $(filter demo,$(MAKECMDGOALS)),$(if $(ONEMAP_DATABASE_URL),,postgis) print fonts) \
         $(if $(filter test test-long bench,$(MAKECMDGOALS)),postgis chromium curl gdal print fonts) \
         $(if $(filter test-long,$(MAKECMDGOALS)),qgis)
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test test-long lint fix bench docs vendor clean system-python system
# Programs and Python packages are installed at the same time: half the wait on a fresh machine.
MAKEFLAGS += -j2

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: system .venv/ready ## Open the map with the open Jinhua data (ARGS=--check: probe it and exit)
	@$(BIN)/onemap demo $(ARGS)

test: system .venv/ready node_modules/ready ## Run the tests on a real PostGIS and a real browser (ARGS go to pytest)
	@$(PYTEST) $(ARGS)

test-long: system .venv/ready-bench node_modules/ready ## Run all tests, those with the full numbers and faults too
	@$(PYTEST) -m "" $(ARGS)

lint: .venv/ready node_modules/ready ## Check style, types, import order and that generated files are current
	@tools/lint.sh

fix: .venv/ready ## Format the Python code and mend what can be mended by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: system .venv/ready-bench ## Measure against other systems; writes build/bench.json (ARGS=NAME: one)
	@$(BIN)/python -m bench $(ARGS)

docs: .venv/ready ## Write the generated files anew (JSON Schemas for editors)
	@PYTHONPATH=. $(BIN)/python tools/generate.py

vendor: .venv/ready ## Fetch the browser code named in web/vendor.toml
	@$(BIN)/python web/vendor.py

clean: ## Remove what these targets made here; the database stays
	@rm -rf .venv node_modules build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Programs that pip cannot bring. Asked every time: it takes a moment, and packages come and go.
# First whether all can be had, and Python; then the rest, while pip works.
system-python:
	@PYTHON="$(PYTHON)" tools/system.sh --can-have python $(NEEDS)
	@PYTHON="$(PYTHON)" tools/system.sh python

system: | system-python
	@tools/system.sh $(NEEDS)

.venv/ready: requirements.lock pyproject.toml tools/venv.sh tools/python.sh | system-python
	@PYTHON="$(PYTHON)" tools/venv.sh requirements.lock
	@touch $@

.venv/ready-bench: requirements-bench.lock .venv/ready
	@PYTHON="$(PYTHON)" tools/venv.sh requirements-bench.lock
	@touch $@

# Node comes with the Python packages, and npm looks for it on the path.
node_modules/ready: package.json package-lock.json .venv/ready
	PATH="$(CURDIR)/$(BIN):$$PATH" npm ci
	@touch $@
