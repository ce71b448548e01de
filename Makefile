# Everything that is done often. `make` alone lists it. Nothing but Python >= 3.11 and make must be there before.

PYTHON ?= python3
VENV := .venv/bin
STACK := $(VENV)/python -m deploy.local

# Commands that hold generated files to what they are generated from.
GENERATORS := \
	clearline.contracts.render \
	clearline.catalogue.render \
	clearline.cli.declared.render \
	clearline.probes.render \
	deploy.environments.render \
	gateway.api.openapi

# A Python of the user's own must not leak into ours.
unexport PYTHONPATH PYTHONHOME PYTHONSAFEPATH PYTHONSTARTUP
export CLEARLINE_PORT_BASE

.DEFAULT_GOAL := help
.PHONY: help setup up down status logs restart sealing-key reset doctor test test-unit test-integration test-e2e test-browser faults fuzz bench check verification-table

help: ## this list
	@$(PYTHON) -c 'import re; print("Clearline\n"); [print(f"  make {n:<19}{t}") for n, t in re.findall(r"^([a-z0-9-]+):.*?## (.*)", open("Makefile").read(), re.M)]'

setup: ## build .venv from the lock files (every other target does it by itself)
	@$(PYTHON) deploy/local/bootstrap.py

up: setup ## start Kafka, Postgres and the services; returns when all are ready
	@$(STACK) up

down: setup ## stop them; the data stays
	@$(STACK) down

status: ## one line per process: pid, state, port, memory, last error
	@if [ -e .clearline/run ]; then $(MAKE) -s setup && $(STACK) status; else echo "nothing runs; \`make up\` starts it"; exit 1; fi

logs: setup ## follow the logs; SERVICE=gateway for one
	@$(STACK) logs $(SERVICE)

restart: setup ## start one process anew, SERVICE=verifier for example
	@$(STACK) restart $(SERVICE)

sealing-key: setup ## a new key for stored credentials; then `clearline keys rotate`
	@$(STACK) new-sealing-key

reset: setup ## stop and delete .clearline/; asks, FORCE=1 does not
	@$(STACK) reset $(if $(FORCE),--force)

doctor: ## what is missing on this machine, and how to mend it
	@$(PYTHON) deploy/local/doctor.py

test: test-unit test-integration test-e2e ## the whole promise, set-up included

test-unit: setup ## what needs no server; about a minute
	$(VENV)/pytest -q -n 2 -m "not integration and not e2e"

# Each worker has servers of its own. tests/ comes first: it holds the longest files (2 minutes), which nobody should end with.
test-integration: setup ## on a real Kafka and Postgres, two files at a time
	$(VENV)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m integration tests services shared deploy

# The largest file breaks a stack of its own; beside it the others share one.
test-e2e: setup ## the whole local stack, started, used and broken
	$(VENV)/pytest -q -n 2 --dist loadfile tests/e2e

test-browser: ## no browser tests yet: they come with the console
	@echo "There are no browser tests yet: they come with the console."

# Long forms of what `make test` runs in short.
faults: export CLEARLINE_FAULTS_COMMANDS = $(or $(COMMANDS),20000)
faults: export CLEARLINE_FAULTS_SEED = $(or $(SEED),1)
faults: export CLEARLINE_FAULTS_FREEZE_SECONDS = 60
faults: export CLEARLINE_FAULTS_OUTAGE_SECONDS = 600
faults: export CLEARLINE_FAULTS_POISON = 20000
faults: export CLEARLINE_FAULTS_POISON_PAIRS = 5
faults: export CLEARLINE_FAULTS_SUMMARY = .clearline/faults/summary.json
faults: setup ## 20,000 commands (COMMANDS=, SEED=) while everything is killed and frozen, long outages, poison (40 minutes)
	$(VENV)/pytest -q tests/faults services/gateway/tests/delivery/test_projection_on_kafka.py
	$(VENV)/python -m tests.faults.summary

fuzz: setup ## more than 10,000 requests made up from the API's description, by each role; SEED=, CASES= per operation
	CLEARLINE_FUZZ_CASES=$(or $(CASES),46) CLEARLINE_TEST_SEED=$(or $(SEED),20261122) $(VENV)/pytest -q -s services/gateway/tests/fuzz

bench: setup ## measure everything against its floor in the same run (20 minutes); bench-NAME for one
	$(VENV)/python -m bench $(if $(QUICK),--quick)

bench-%: setup
	$(VENV)/python -m bench $(if $(QUICK),--quick) $*

verification-table: setup ## climb every kind's ladder on real servers, and write docs/quality/verification.md
	$(VENV)/python -m tests.verification.table

check: setup ## format, lint, types, import contracts, generated files current
	$(VENV)/ruff format --check .
	$(VENV)/ruff check .
	$(VENV)/mypy .
	$(VENV)/lint-imports
	@set -e; for generator in $(GENERATORS); do echo "$$generator --check"; $(VENV)/python -m $$generator --check; done
