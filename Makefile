# riskwatch: `make help` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
DATA ?=
AS_OF ?=

.PHONY: help
help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

.PHONY: run
run: ## set up and run the main job (DATA=DIR: on a folder of real data; AS_OF=YYYY-MM-DD: as of that day)
	@scripts/setup.sh run
	@scripts/run.sh "$(DATA)" "$(AS_OF)"

.PHONY: setup
setup: ## make .venv with everything for development
	@scripts/setup.sh test

.PHONY: test
test: setup ## set up; lint, types, layers, then all tests
	@scripts/test-tools.sh
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: coverage
coverage: setup ## tests with a coverage report
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term-missing:skip-covered

KILLS ?= 200
SEED ?= 1
.PHONY: soak
soak: setup ## kill runs and start them again, KILLS times on SQLite, half as often on PostgreSQL; a month of faults (an hour or two; SEED=1)
	$(BIN)/python -m tests.faults.soak --kills $(KILLS) --seed $(SEED)
	@scripts/soak-postgres.sh $(BIN)/python --kills $$(($(KILLS) / 2)) --seed $(SEED)
	$(BIN)/python -m benchmarks.soak_month --seed $(SEED)

ADVISORIES ?= pypi
.PHONY: audit
audit: setup ## look up the pinned packages' known vulnerabilities (needs a network, or ADVISORIES=FOLDER; says so where there is none)
	@scripts/audit.sh $(ADVISORIES)

.PHONY: wheel-smoke
wheel-smoke: setup ## build the wheel, install it in an empty environment, run the demonstration there
	@scripts/wheel-smoke.sh

.PHONY: bench
bench: setup ## benchmarks, each against its peer; docs/benchmarks.md tells the full sizes
	$(BIN)/python -m pytest benchmarks

.PHONY: bench-detection
bench-detection: setup ## detection quality of all methods on 42 scenarios of outbreaks (20 minutes or so)
	$(BIN)/python benchmarks/bench_detection.py

.PHONY: pins
pins: ## renew constraints.txt (needs uv)
	@{ echo "# Pinned versions of everything that riskwatch and its tests rest on; 'make pins' renews them."; \
	  uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --extra test setup.cfg; } > constraints.txt.new && mv constraints.txt.new constraints.txt

.PHONY: format
format: setup ## format and fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: docs
docs: setup ## write the generated pages (CLI, configuration, records) and JSON Schemas
	$(BIN)/python scripts/generate_docs.py

.PHONY: clean
clean: ## remove the environment, data and results
	rm -rf .venv var data build dist *.egg-info
