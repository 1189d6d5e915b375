# Every target sets up what it needs, from a bare machine with Python >= 3.11 and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

.PHONY: help setup run demo quick test check docs bench prove upstreams lock clean
help:            ## list the targets
	@grep -E '^[a-z]+: .*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 18

setup: $(VENV)/.runs    ## create .venv with the `catchment` command in it

run: setup    ## serve the real sources on http://127.0.0.1:8000
	$(BIN)/catchment serve

demo: setup    ## show the main job with the sample upstream; needs no internet
	$(BIN)/catchment demo

quick: $(VENV)/.develops    ## run the tests of a minute: domain, application, contracts without servers
	$(BIN)/pytest -n auto --dist worksteal --hypothesis-profile=loop -m "not (postgres or rabbitmq or rabbitmq_node)" \
	  tests/domain tests/application tests/architecture tests/contract

# Measuring coverage nearly doubles the time of a test, so only those that cover the core are measured.
MEASURED := tests/domain tests/application tests/contract tests/architecture tests/adapters/outbound/declared \
  $(addprefix tests/adapters/http/,accounts compat datasets ingest)

test: $(VENV)/.develops    ## run every test
	$(BIN)/pytest -n auto --dist worksteal --cov=domain --cov=application --cov-branch --cov-fail-under=100 $(MEASURED)
	$(BIN)/pytest -n auto --dist worksteal $(addprefix --ignore=,$(MEASURED))

check: $(VENV)/.develops    ## format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.develops    ## write what follows from the code: .env.example, settings, commands
	$(BIN)/python -m tests.docs.generate

bench: $(VENV)/.develops    ## measure, beside the bare limits and peers; takes ten minutes
	$(BIN)/python -m tests.bench

prove: $(VENV)/.develops    ## hold the promises against kills and crowds, 40 minutes; P=7 for one
	$(BIN)/python -m tests.prove $(P)

upstreams: $(VENV)/.develops    ## add, walk and serve servers that others wrote; S="--install drf" for one
	$(BIN)/python -m tests.upstreams $(S)

lock: $(VENV)/.develops    ## refresh the lock files
	$(BIN)/uv pip compile --universal --generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --python-version 3.11 --upgrade --group build -o requirements.lock pyproject.toml
	$(BIN)/uv pip compile --universal --generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --python-version 3.11 --upgrade --group build --extra otel -c requirements.lock -o requirements-otel.lock pyproject.toml
	$(BIN)/uv pip compile --universal --generate-hashes --no-strip-extras --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	  --python-version 3.11 --upgrade --group build --group dev --extra otel -c requirements-otel.lock -o requirements-dev.lock pyproject.toml

clean:    ## forget the virtual environment and the caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Catchment needs Python 3.11 or newer; $(PYTHON) is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Could not create $(VENV). On Debian and Ubuntu: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.runs: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing what runs (about 30 seconds, once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.develops: requirements-dev.lock $(VENV)/.runs
	@echo "Installing what develops (about 30 seconds, once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@
