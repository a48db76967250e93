# Everything runs from .venv, which `make setup` makes; needed beforehand: Python 3.11+, make and git.
.POSIX:
.SUFFIXES:

BIN = .venv/bin
STAMP = .venv/.synced
ARGS =
KUBECONFIG =
WORKERS = 2

# The first Python that is new enough. A pyenv shim without a version behind it counts as none.
PYTHON = $$(for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo "$$name"; break; fi; done)
CHROMIUM = /usr/bin/chromium

help: ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## make .venv from uv.lock (again only where something changed)

$(STAMP): uv.lock pyproject.toml .ci/bootstrap.py
	@python="$(PYTHON)"; if [ -z "$$python" ]; then \
		echo "setup: no Python 3.11 or newer was found (python3 is: $$(python3 --version 2>&1)); install one" >&2; exit 1; \
	fi; "$$python" .ci/bootstrap.py
	@touch $(STAMP)

demo: setup ## the whole bot against a simulated cluster and a Slack stand-in (ARGS=… are its options)
	@$(BIN)/watchkeeper demo $(ARGS)

serve: setup ## run the bot with the settings of the environment
	@$(BIN)/watchkeeper serve

browser: ## install Debian's chromium for the browser tests where it is missing and may be installed
	@if [ -x $(CHROMIUM) ]; then exit 0; fi; \
	sudo=; if [ "$$(id -u)" != 0 ]; then sudo="sudo -n"; fi; \
	if command -v apt-get >/dev/null && { [ -z "$$sudo" ] || $$sudo true 2>/dev/null; }; then \
		echo "browser: installing chromium with apt-get, for the browser tests"; \
		{ $$sudo apt-get update -qq; $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			--no-install-recommends chromium fonts-liberation fonts-noto-color-emoji; } >/dev/null || true; \
	fi; \
	if [ ! -x $(CHROMIUM) ]; then \
		echo "browser: there is no $(CHROMIUM) and it cannot be installed from here" >&2; [ "$$CI" != true ]; \
	fi

# Without a browser its tests are left out, which is said; where CI=true that is an error instead (see browser).
test: setup browser ## all tests (ARGS=… are pytest's)
	@if [ -x $(CHROMIUM) ]; then set --; else \
		echo "test: there is no $(CHROMIUM): the browser tests are LEFT OUT" >&2; set -- -m "not browser"; fi; \
	$(BIN)/pytest -n $(WORKERS) --dist worksteal "$$@" $(ARGS)

coverage: ## all tests, twice as slow, and which lines they reach
	@rm -f .coverage .coverage.*
	@$(MAKE) test ARGS="--cov --cov-report= $(ARGS)"
	@$(BIN)/coverage report --skip-covered --skip-empty

cluster: setup ## start a real Kubernetes on this machine (the first time builds it); ends by `make cluster-down`
	@$(BIN)/python -m tests.cluster up

cluster-down: setup ## end it and remove what it left
	@$(BIN)/python -m tests.cluster down

# On a cluster of your own: make test-cluster KUBECONFIG=~/.kube/config. Its current context is used, in new namespaces.
test-cluster: setup ## the stories on a real cluster, which is started where none is given (ARGS=… are pytest's)
	@$(BIN)/python -m tests.cluster test --kubeconfig "$(KUBECONFIG)" $(ARGS)

check: setup ## lint, types, import contracts, safety gates, links, migrations, evals
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/test_structure.py tests/test_documents.py
	$(BIN)/python -m migrations check
	$(BIN)/python -m evals

eval: setup ## judge diagnoses by cases with known causes (ARGS="--case crash", ARGS=--model asks a model, too)
	@$(BIN)/python -m evals $(ARGS)

bench: setup ## measure against the limits; writes build/bench.json
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## remove all that make and the tools made
	rm -rf .venv build dist .coverage .coverage.* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: help setup demo serve browser test coverage cluster cluster-down test-cluster check eval bench clean
