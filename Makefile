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
.PHONY: help run test lint format campaign power mutants chaos bench seed-rows lock library-revision bench-lock clean audit image sbom \
	deploy-check deploy-drill deploy-up deploy-down deploy-lock

help: ## list these targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run-installed ## install, then run 1,000 real claims to their end on an embedded store
	@$(BIN)/claimstream demo $(DEMO)

# Most tests wait for a real server or a real process, so three at a time need little more than two cores. A file stays
# in one process: its tests share what it has started.
TOGETHER := -n 3 --dist loadfile

test: $(VENV)/.dev-installed ## install, then run the tests; prints how many seed rows work
	@$(BIN)/python -m pytest -m "not chaos and not bench and not deploy" $(TOGETHER) $(TEST)

lint: $(VENV)/.dev-installed ## check style, format and types of source and tests
	@$(BIN)/ruff check $(SOURCE)
	@$(BIN)/ruff format --check $(SOURCE)
	@$(BIN)/mypy
	@if $(MAKE) --no-print-directory --silent $(VENV)/audit/.installed; then $(BIN)/python -m tests.deploy.audit offline-is-fine; \
		else echo "audit: not done, pip-audit cannot be installed now; make audit tries again"; fi

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

power: $(VENV)/.dev-installed ## the append-only file cut at every byte of its last unit, and a slow disk
	@$(BIN)/python -m pytest -n 0 -q -s -m "chaos or slow" tests/chaos/power

chaos: $(VENV)/.dev-installed ## the long tests that `make test` leaves out
	@$(BIN)/python -m pytest -m chaos $(TEST)

# MUTANTS: --report, --json, --list, --only NAME, --jobs N.
MUTANTS  ?=

mutants: $(VENV)/.dev-installed ## take each check out in turn: its directed test must turn red
	@$(BIN)/python -m tests.chaos.mutants $(MUTANTS)

# Each peer runs from its released package in an environment of its own; one that cannot be installed is named in the
# report, so no failure here ends the run.
bench: $(VENV)/.dev-installed $(PEERS)/.installed ## measure beside the other frameworks; writes docs/benchmarks/latest.*
	@$(BIN)/python -m tests.benchmarks.bench $(BENCH)

seed-rows: $(VENV)/.dev-installed ## run the tests, then write docs/seed-rows.md from what they showed
	@$(BIN)/python -m pytest -m "not chaos and not bench and not deploy" $(TOGETHER) --write-seed-rows \
		--deselect tests/seeds/test_row_states.py::test_the_checked_in_table_is_current

# uv is asked only here, when a dependency changes; it comes from PyPI into .venv.
lock: $(VENV)/.created ## resolve pyproject.toml again into the three lock files
	@echo "resolving the dependencies ..."
	@$(PIP) install uv
	@$(call compile,pyproject.toml,requirements.lock)
	@$(call compile,--group build,requirements-build.lock)
	@$(call compile,pyproject.toml --group dev,requirements-dev.lock)

library-revision: ## raise the revision of the function library after a change of its text
	$(VENV)/bin/python -c "from runtime.store.revision import record; print(record())"

# With extras, as the peers ask for each other: of a pin without them pip sees a newer release and refuses it.
bench-lock: $(VENV)/.created ## resolve the peers of the benchmark again
	@$(PIP) install uv
	@$(call compile,--no-strip-extras tests/benchmarks/peers/peers.in,requirements-bench.lock)
	@$(call compile,--no-strip-extras tests/benchmarks/peers/saq.in,requirements-bench-saq.lock)
	@$(call compile,--no-strip-extras tests/benchmarks/peers/arq.in,requirements-bench-arq.lock)

compile = env -i PATH="$$PATH" HOME="$$HOME" SSL_CERT_FILE="$${SSL_CERT_FILE-}" $(BIN)/uv pip compile --no-config --quiet $(1) \
	--python-version 3.11 --universal --generate-hashes --custom-compile-command "make $(or $(3),lock)" --output-file $(2)

# What checks deploy/ weighs more than everything else together, so it has an environment of its own, inside of .venv.
DEPLOY := $(VENV)/deploy

deploy-check: $(VENV)/.dev-installed $(DEPLOY)/.installed ## all validators of deploy/: what each checked, what could not be checked and why
	@$(BIN)/python -m tests.deploy.check
	@$(BIN)/python -m pytest -q -m "deploy" tests/deploy

# Builds and runs real containers: root and Debian's podman (deploy/README.md), ten minutes. Writes a dated transcript.
deploy-drill: $(VENV)/.dev-installed $(DEPLOY)/.installed ## build and run image, compose and Kubernetes manifests for real; writes deploy/transcripts/
	@$(BIN)/python -m tests.deploy.drill.run

deploy-lock: $(VENV)/.created ## resolve deploy/requirements.in and deploy/audit.in again
	@$(PIP) install uv
	@$(call compile,deploy/requirements.in,requirements-deploy.lock,deploy-lock)
	@$(call compile,deploy/audit.in,requirements-audit.lock,deploy-lock)

# A lock that names a known hole fails; deploy/audit-exceptions.txt holds what is accepted, with a reason and a last day.
# Asks PyPI: without it nothing is known, which `make lint` says and takes, and `make audit` alone does not.
audit: $(VENV)/.created $(VENV)/audit/.installed ## known vulnerabilities of what is shipped
	@$(BIN)/python -m tests.deploy.audit

ENGINE  ?= podman
VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' pyproject.toml)
IMAGE   ?= localhost/claimstream:$(VERSION)
# BUILD="--build-arg RUN_BASE=...@sha256:..." pins a base; deploy/README.md says how to build without a registry.
BUILD   ?=
# docker has neither option: its format is its own, and it finds the file beside the Dockerfile by itself.
OF_PODMAN := $(if $(filter docker,$(notdir $(ENGINE))),,--format docker --ignorefile deploy/Dockerfile.dockerignore)
image: ## build the container image
	$(ENGINE) build $(OF_PODMAN) --file deploy/Dockerfile --tag $(IMAGE) \
		--build-arg VERSION=$(VERSION) --build-arg REVISION=$$(git rev-parse HEAD) --build-arg CREATED=$$(date -u +%Y-%m-%dT%H:%M:%SZ) $(BUILD) .

sbom: $(DEPLOY)/.installed ## list what is in the image, as CycloneDX: build/sbom.cdx.json
	@mkdir -p build
	@$(DEPLOY)/bin/python -W ignore -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml --mc-type application \
		--output-reproducible --spec-version 1.6 --output-format JSON --output-file build/sbom.cdx.json
	@echo "build/sbom.cdx.json"

COMPOSE ?= $(if $(filter docker,$(notdir $(ENGINE))),$(ENGINE) compose,podman-compose)
# SERVICES="redis prepare worker": only those; else all of compose.yaml.
SERVICES ?=
deploy-up: $(VENV)/.run-installed ## start store, workers, Prometheus, Alertmanager and Grafana on this host
	@deploy/compose/state.sh $(CURDIR)/$(BIN)/claimstream
	@$(ENGINE) image inspect $(IMAGE) >/dev/null 2>&1 || $(MAKE) --no-print-directory image
	CLAIMSTREAM_IMAGE=$(IMAGE) $(COMPOSE) --file deploy/compose/compose.yaml up --detach $(SERVICES)

deploy-down: ## stop them; volumes and passwords stay
	$(COMPOSE) --file deploy/compose/compose.yaml down

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

tool-env = $(PYTHON) -m venv $(1) && $(1)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r $(2)

$(DEPLOY)/.installed: $(VENV)/.created requirements-deploy.lock
	@echo "installing what checks deploy/ (once; from requirements-deploy.lock) ..."
	@$(call tool-env,$(DEPLOY),requirements-deploy.lock)
	@touch $@

$(VENV)/audit/.installed: $(VENV)/.created requirements-audit.lock
	@echo "installing pip-audit (once; from requirements-audit.lock) ..."
	@$(call tool-env,$(VENV)/audit,requirements-audit.lock)
	@touch $@
