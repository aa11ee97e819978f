# Everything a newcomer needs: `make quickstart` and `make test`.
# Python 3.11 or newer; set PYTHON to choose one.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
QUICKSTART_WORKDIR ?= runs/quickstart

.PHONY: quickstart test test-slow test-tpu-compile check clean

quickstart: $(VENV)/.installed
	$(BIN)/python -m gd_jax.main --config=configs/quickstart.py \
	  --workdir=$(QUICKSTART_WORKDIR)

test: $(VENV)/.installed-test check
	$(BIN)/python -m pytest -n 2 -m "not slow"

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow

# libtpu (130 MB) compiles for TPUs where there is none; it has a venv of its
# own, for where it is installed JAX looks for a TPU.
test-tpu-compile:
	$(MAKE) VENV=$(VENV)-tpu $(VENV)-tpu/.installed-test
	$(VENV)-tpu/uv/bin/uv pip install --quiet \
	  --python $(VENV)-tpu/bin/python libtpu
	JAX_PLATFORMS=cpu $(VENV)-tpu/bin/python -m pytest -m slow \
	  tests/planning/test_tpu_compiler.py

check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --pythonpath $(BIN)/python

# uv installs several times faster than pip; pip only brings uv. Debian's
# python3 without python3-venv can still make a venv that has no pip.
UV := $(VENV)/uv/bin/uv
$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gd_jax needs Python 3.11 or newer: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || \
	  $(PYTHON) -m venv --without-pip $(VENV)
	@{ test -x $(BIN)/pip && $(BIN)/python -m pip install --quiet \
	    --target $(VENV)/uv uv; } || \
	  $(PYTHON) -m pip install --quiet --target $(VENV)/uv uv || \
	  { echo "pip is missing: apt-get install python3-venv"; exit 1; }

$(VENV)/.installed: setup.py | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python -e ".[export]"
	touch $@

$(VENV)/.installed-test: setup.py | $(UV)
	$(UV) pip install --quiet --python $(BIN)/python -e ".[test]"
	touch $@ $(VENV)/.installed

# Not runs/, where days of work may lie.
clean:
	rm -rf $(VENV) $(QUICKSTART_WORKDIR)
