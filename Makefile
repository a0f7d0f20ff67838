# Everything a checkout needs is make and Python 3.11 or newer: each target builds .venv first, if need be.
#
#   make serve    ARGS="--bind 127.0.0.1:9443"
#   make test     ARGS="tests/protocol -k accept"
#   make PYTHON=/path/to/python3.13 VENV=.venv/3.13 test

VENV ?= .venv
# The interpreter .venv is made from. Empty: the first of these that runs and is new enough.
PYTHON ?=
CANDIDATES := python3 python3.13 python3.12 python3.11

IN := $(VENV)/bin
# Newer than pyproject.toml: what it asks for is installed.
SERVE_READY := $(VENV)/.ready-serve
DEV_READY := $(VENV)/.ready-dev

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: serve
serve: $(SERVE_READY) ## serve the built-in tools: https on localhost:8443, http on localhost:8000
	@exec $(IN)/mcp-app serve $(ARGS)

.PHONY: test
test: $(DEV_READY) ## run the tests
	$(IN)/python -m pytest $(ARGS)

.PHONY: lint
lint: $(DEV_READY) ## ruff, mypy, bandit and pip-audit
	$(IN)/ruff check .
	$(IN)/ruff format --check .
	$(IN)/mypy
	$(IN)/python -m tests.lint.insecure
	$(IN)/python -m tests.lint.known

.PHONY: conformance
conformance: $(DEV_READY) ## run the official MCP conformance suite (needs npm)
	$(IN)/python tests/conformance/run.py $(ARGS)

.PHONY: clients
clients: $(DEV_READY) ## test with real MCP clients, installed into .venv-clients (needs npm)
	$(IN)/python tests/clients/build.py
	MCP_APP_CLIENTS=1 $(IN)/python -m pytest tests/clients tests/oauth/test_oauth_live.py $(ARGS)

.PHONY: bench
bench: $(DEV_READY) ## measure beside other servers, installed into .venv-bench: docs/performance.md (needs npm, h2load)
	$(IN)/python -m bench $(ARGS)

.PHONY: cost
cost: $(DEV_READY) ## count the instructions of a call, beside those of a commit: ARGS="--base COMMIT" (perf or valgrind)
	$(IN)/python -m bench.cost $(ARGS)

.PHONY: proof
proof: $(DEV_READY) ## prove at length: ARGS=schemas (100,000 examples), analysis (10,000,000 rows), requests (100,000), connections (10,000), defences, chaos (200 runs); --tenth
	$(IN)/python -m tests.proofs $(ARGS)

.PHONY: format
format: $(DEV_READY) ## write what ruff would have written
	$(IN)/ruff check --fix-only .
	$(IN)/ruff format .

.PHONY: clean
clean: ## remove .venv and what tools left behind; certificates stay
	rm -rf $(VENV) .conformance .venv-clients .venv-bench dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(SERVE_READY): pyproject.toml $(VENV)/.made
	@echo "Installing mcp-app into $(VENV) (again only when pyproject.toml changes) ..."
	@$(IN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]'
	@touch $@

$(DEV_READY): pyproject.toml $(VENV)/.made
	@echo "Installing mcp-app and its development tools into $(VENV) (again only when pyproject.toml changes) ..."
	@$(IN)/python -m pip install --quiet --disable-pip-version-check --editable '.[all]' --group dev
	@touch $@ $(SERVE_READY)

# pip 25.1 is the first that knows dependency groups (--group); the one which Python brings may be older.
# A .venv whose interpreter is gone or too old is made anew (--clear), any other is kept.
$(VENV)/.made:
	@new_enough='import sys; sys.exit(sys.version_info < (3, 11))'; \
	python=''; \
	for candidate in $(if $(PYTHON),'$(PYTHON)',$(CANDIDATES)); do \
		if "$$candidate" -c "$$new_enough" >/dev/null 2>&1; then python="$$candidate"; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "mcp-app needs Python 3.11 or newer; tried: $(or $(PYTHON),$(CANDIDATES))." >&2; \
		echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name one: make PYTHON=/path/to/python3 ..." >&2; \
		exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then \
		version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "$$python is Python $$version without venv or ensurepip, so it cannot make $(VENV)." >&2; \
		echo "Debian, Ubuntu: apt-get install python$$version-venv; or name another one: make PYTHON=/path/to/python3 ..." >&2; \
		exit 1; \
	fi; \
	keep=''; \
	$(IN)/python -c "$$new_enough" >/dev/null 2>&1 || keep='--clear'; \
	echo "Making $(VENV) with $$("$$python" --version) ..."; \
	"$$python" -m venv $$keep $(VENV)
	@$(IN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@touch $@
