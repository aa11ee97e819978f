# Everything a newcomer needs: `make quickstart` and `make test`.
# Python 3.11 or newer; set PYTHON to choose one.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
QUICKSTART_WORKDIR ?= runs/quickstart

.PHONY: quickstart test test-slow check clean

quickstart: $(VENV)/.installed
	$(BIN)/python -m gd_jax.main --config=configs/quickstart.py \
	  --workdir=$(QUICKSTART_WORKDIR)

test: $(VENV)/.installed-test check
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow

check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright

# uv installs several times faster than pip; pip only brings uv.
$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gd_jax needs Python 3.11 or newer: set PYTHON=python3.12, say"; \
	    exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "can't make a venv: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet uv

$(VENV)/.installed: setup.py | $(VENV)/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e .
	touch $@

$(VENV)/.installed-test: setup.py | $(VENV)/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python -e ".[test]"
	touch $@ $(VENV)/.installed

clean:
	rm -rf $(VENV) runs
