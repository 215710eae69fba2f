# Needs python3 (3.11 or newer, with venv) and make, nothing else. `make` lists what there is.
# Everything is installed into .venv from lock files with hashes; a stamp in there makes the second call instant.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
# DEMO and TEST pass options on: make run DEMO="--claims 200 --seed 7"; make test TEST="-k settle".
DEMO   ?=
TEST   ?=
# BENCH as well: make bench BENCH="--rows B1,B2 --scale full".
BENCH  ?=
PEERS  := .venv-bench
SOURCE := $(wildcard domain runtime workers config) tests

.DEFAULT_GOAL := help
.PHONY: help run test lint format campaign chaos bench seed-rows lock bench-lock clean

help: ## list these targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run-installed ## install, then run 1,000 real claims to their end on an embedded store
	@$(BIN)/claimstream demo $(DEMO)

# Most tests wait for a real server or a real process, so three at a time need little more than two cores. A file stays
# in one process: its tests share what it has started.
TOGETHER := -n 3 --dist loadfile

test: $(VENV)/.dev-installed ## install, then run the tests; prints how many seed rows work
	@$(BIN)/python -m pytest -m "not chaos and not bench" $(TOGETHER) $(TEST)

lint: $(VENV)/.dev-installed ## check style, format and types of source and tests
	@$(BIN)/ruff check $(SOURCE)
	@$(BIN)/ruff format --check $(SOURCE)
	@$(BIN)/mypy

format: $(VENV)/.dev-installed ## mend what can be mended by a program
	@$(BIN)/ruff check --fix $(SOURCE)
	@$(BIN)/ruff format $(SOURCE)

# SEEDS: 200 is 0 to 199; 7-9 and 3,5,8 are those. MINUTES: begin no seed after so many. CAMPAIGN: --report, --json, --mutant ...
SEEDS    ?= 20
MINUTES  ?= 0
JOBS     ?= 2
TARGET   ?= embedded
CAMPAIGN ?=

campaign: $(VENV)/.dev-installed ## real processes under every fault, judged event by event: SEEDS=n MINUTES=m
	@$(BIN)/python -m tests.chaos.campaign --seeds $(SEEDS) --minutes $(MINUTES) --jobs $(JOBS) --target $(TARGET) $(CAMPAIGN)

chaos: $(VENV)/.dev-installed ## the long tests that `make test` leaves out
	@$(BIN)/python -m pytest -m chaos $(TEST)

# Each peer runs from its released package in an environment of its own; one that cannot be installed is named in the
# report, so no failure here ends the run.
bench: $(VENV)/.dev-installed $(PEERS)/.installed ## measure beside the other frameworks; writes docs/benchmarks/latest.*
	@$(BIN)/python -m tests.benchmarks.bench $(BENCH)

seed-rows: $(VENV)/.dev-installed ## run the tests, then write docs/seed-rows.md from what they showed
	@$(BIN)/python -m pytest -m "not chaos and not bench" $(TOGETHER) --write-seed-rows \
		--deselect tests/seeds/test_row_states.py::test_the_checked_in_table_is_current

# uv is asked only here, when a dependency changes; it comes from PyPI into .venv.
lock: $(VENV)/.created ## resolve pyproject.toml again into the three lock files
	@echo "resolving the dependencies ..."
	@$(PIP) install uv
	@$(call compile,pyproject.toml,requirements.lock)
	@$(call compile,--group build,requirements-build.lock)
	@$(call compile,pyproject.toml --group dev,requirements-dev.lock)

bench-lock: $(VENV)/.created ## resolve the peers of the benchmark again
	@$(PIP) install uv
	@$(call compile,tests/benchmarks/peers/peers.in,requirements-bench.lock)
	@$(call compile,tests/benchmarks/peers/saq.in,requirements-bench-saq.lock)
	@$(call compile,tests/benchmarks/peers/arq.in,requirements-bench-arq.lock)

compile = env -i PATH="$$PATH" HOME="$$HOME" SSL_CERT_FILE="$${SSL_CERT_FILE-}" $(BIN)/uv pip compile --no-config --quiet $(1) \
	--python-version 3.11 --universal --generate-hashes --custom-compile-command "make lock" --output-file $(2)

clean: ## remove what was installed and built; data directories stay
	rm -rf $(VENV) $(PEERS) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "claimstream needs Python 3.11 or newer; this is %d.%d. Try: make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "creating $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# The project itself is an editable install built by the pinned backend: nothing outside the locks is downloaded.
$(VENV)/.run-installed: $(VENV)/.created pyproject.toml requirements.lock requirements-build.lock
	@echo "installing what claimstream needs (once; from requirements.lock) ..."
	@$(PIP) install --require-hashes -r requirements.lock -r requirements-build.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev-installed: $(VENV)/.run-installed requirements-dev.lock
	@echo "installing what its tests need (once; from requirements-dev.lock) ..."
	@$(PIP) install --require-hashes -r requirements-dev.lock
	@touch $@

peer-env = echo "installing the peers of $(2) ..." && $(PYTHON) -m venv $(PEERS)/$(1) && \
	$(PEERS)/$(1)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r $(2) || \
	echo "$(2) could not be installed; the report will say so"

$(PEERS)/.installed: requirements-bench.lock requirements-bench-saq.lock requirements-bench-arq.lock tests/benchmarks/peers/node/package-lock.json
	@mkdir -p $(PEERS)/node
	@$(call peer-env,peers,requirements-bench.lock)
	@$(call peer-env,saq,requirements-bench-saq.lock)
	@$(call peer-env,arq,requirements-bench-arq.lock)
	@cp tests/benchmarks/peers/node/package.json tests/benchmarks/peers/node/package-lock.json $(PEERS)/node/
	@cd $(PEERS)/node && npm install --no-save --no-audit --no-fund --ignore-scripts --silent || echo "BullMQ could not be installed; the report will say so"
	@touch $@
