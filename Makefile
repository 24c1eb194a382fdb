# `make demo` shows what Fleeting does; `make test` checks all of it. Both create what they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
KERAS := .venv-bench
export PIP_DISABLE_PIP_VERSION_CHECK := 1

CLIPS := demo/clips
HELD_OUT := demo/held-out
RUN := demo/run

.PHONY: demo quick test bench lint format clean help

help:
	@echo "make demo    install, run the whole chain on synthetic clips, leave a report in $(RUN)/report.html"
	@echo "make quick   lint, types, architecture, the fast tests: under 90 seconds on two cores"
	@echo "make test    lint, types, architecture, tests"
	@echo "make bench   speed and memory beside Keras with TensorFlow, which it installs apart; takes an hour"
	@echo "make format  rewrite the code in the house style"
	@echo "make clean   remove what was installed and made"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Fleeting needs Python 3.11 or later; found `$(PYTHON) --version`. Try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'

# What is compiled into the package.
NATIVE := setup.py $(wildcard src/fleeting/kernels/native/*)

$(VENV)/.installed: pyproject.toml $(NATIVE) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-test: pyproject.toml $(NATIVE) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable . --group test --group lint
	@touch $@ $(VENV)/.installed

# Six subjects' worth of everything would do; sixteen leave enough to learn from in every fold.
demo: $(VENV)/.installed
	$(BIN)/fleeting synth $(CLIPS) --subjects 16 --clips-per-subject 6 --amplitude 2 3
	$(BIN)/fleeting synth $(HELD_OUT) --subjects 1 --clips-per-subject 3 --amplitude 2 3 --first-subject 16
	$(BIN)/fleeting evaluate --data synthetic:$(CLIPS) --motion difference \
	  --recipe talluri2022,frames=18,step=2,height=64,width=64 --protocol subject-kfold \
	  --epochs 60 --watch --cache demo/cache --out $(RUN)
	$(BIN)/fleeting predict "`find $(HELD_OUT) -mindepth 2 -maxdepth 2 -type d -not -path '*/truth*' | sort | head -1`" \
	  --fps 200 --model $(RUN) --figure demo/verdict.png
	@echo
	@echo "The report:  file://$(CURDIR)/$(RUN)/report.html"
	@echo "The verdict: $(CURDIR)/demo/verdict.png"

test: $(VENV)/.installed-test
	@$(MAKE) --no-print-directory lint
	-@$(BIN)/python tests/data/fetch_videos.py
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

# What breaks first when something breaks; `make test` runs the rest.
QUICK := tests/test_house.py tests/test_architecture.py tests/test_ground.py tests/records tests/clips tests/datasets \
  tests/metrics tests/protocols tests/motion tests/sequences tests/reports src/fleeting

quick: $(VENV)/.installed-test
	@$(MAKE) --no-print-directory lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto -m "not slow and not gpu" $(wildcard $(QUICK))

# Beside our own environment, whose versions TensorFlow must not decide.
$(KERAS)/.installed: pyproject.toml | $(BIN)/python
	$(PYTHON) -m venv $(KERAS)
	$(KERAS)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(KERAS)/bin/python -m pip install --quiet --group bench
	@touch $@

bench: $(VENV)/.installed $(KERAS)/.installed
	$(BIN)/python benchmarks/steps.py --keras-python $(KERAS)/bin/python
	$(BIN)/python benchmarks/table4.py
	$(BIN)/python benchmarks/exam.py
	$(BIN)/python benchmarks/costs.py

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(KERAS) demo .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
