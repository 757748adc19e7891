# One word for each thing that people do here; every target sets up what it needs.
PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
DISTRIBUTIONS := -e . -e ./plugins/identity -e ./plugins/education
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml)
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	--no-annotate $(foreach name,core identity education,--no-emit-package platform-$(name))
# uv is fast and does not read pip's configuration; where it cannot reach its index, pip installs the same files. They are complete,
# so nothing is resolved: pip would refuse an extra that the file pins without naming it.
install = $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r $(1) || { echo "uv cannot; the same with pip …" && \
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r $(1); }
DRILLS := $(sort $(foreach file,$(shell grep -l __main__ tests/drills/*.py),$(basename $(notdir $(file)))))
COVERAGE_ACCESS := */platform_core/access/*,*/platform_identity/services/tokens*,*/platform_identity/services/keys*

.PHONY: help run test drill lint format bench docs release messages lock clean

help: ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

run: $(VENV)/.run ## Serve the reference deployment with demo data on 127.0.0.1:$(PORT)
	@$(BIN)/platformctl --dir config run --demo --port $(PORT)

test: $(VENV)/.dev ## Run every test with coverage
	@$(BIN)/python tests/journeys/browser.py
	@rm -f .coverage .coverage.*
	$(BIN)/pytest -n auto --cov --cov-report= $(ARGS)
	@$(BIN)/coverage report --fail-under=90
	@$(BIN)/coverage report --include='$(COVERAGE_ACCESS)' --fail-under=100

drill: $(VENV)/.dev ## Kill, tamper and break for a long time; each drill first catches a planted fault
	@for name in $(DRILLS); do echo "$$name"; $(BIN)/python -m tests.drills.$$name || exit 1; done

lint: $(VENV)/.dev ## Check style, types, security and who imports whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy platform_core config plugins/identity/platform_identity plugins/education/platform_education tools
	$(BIN)/bandit -q -c pyproject.toml -r platform_core plugins config
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Put the code into the house's form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev ## Measure CPU per request against a hand-written server; ARGS=plugins: what plugins cost
	@$(BIN)/python -m tests.benchmarks $(ARGS)

docs: $(VENV)/.dev ## Write the reference pages that come from the code
	@$(BIN)/python docs/generate.py

release: $(VENV)/.dev ## Keep the API as this version describes it; later ones must not break its clients
	@$(BIN)/python -m tools.released_api

messages: $(VENV)/.dev ## Collect what people read, and compile its French and German
	@$(BIN)/python -m tools.messages

lock: $(VENV)/.uv ## Resolve the dependencies anew; no host name is written
	$(LOCK) requirements/dev.in requirements/workspace.in -o requirements/dev.txt
	$(LOCK) requirements/base.in requirements/workspace-run.in -c requirements/dev.txt -o requirements/base.txt
	$(LOCK) requirements/bootstrap.in -c requirements/dev.txt -o requirements/bootstrap.txt

clean: ## Remove what the targets made, except the deployment's data in var/
	rm -rf $(VENV) .venv-tools .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage* dist

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV) || (rm -rf $(VENV) && \
		$(PYTHON) -m pip install --quiet --target .venv-tools virtualenv && \
		PYTHONPATH=.venv-tools $(PYTHON) -m virtualenv --quiet $(VENV))

$(VENV)/.uv: requirements/bootstrap.txt | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

$(VENV)/.run: requirements/base.txt $(PROJECTS) | $(VENV)/.uv
	@echo "Installing the platform …"
	@$(call install,$<)
	@$(BIN)/uv pip install --quiet --no-deps --no-build-isolation $(DISTRIBUTIONS)
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@echo "Installing what development needs …"
	@$(call install,$<)
	@touch $@
