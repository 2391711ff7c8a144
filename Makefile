# `make train` and `make test` work from a clean checkout with nothing but
# Python, and do not change an active environment.

# Only the command line sets these: a VENV in the environment is not meant for
# this Makefile.
VENV = .venv
PYTHON =
GPU = auto
RUN = $(VENV)/bin/python

NOISY_DIGITS = --dataset=digits --augmentation=none \
  --noise_type=symmetric_inclusive --noise_rate=0.5 \
  --network=simple_cnn --width=64 --num_epochs=100

# The files that have tests which take long; the others need not run again.
LONG_TESTS = $(shell grep --recursive --files-with-matches \
  --include='*_test.py' long_tests tests)

.PHONY: help environment train test test-long test-gpu torture bazel build_files \
  results lint format lock clean

help:
	@echo "make environment   install locked versions of everything into .venv"
	@echo "make train   train on noisy digits, NCT and standard (2 minutes)"
	@echo "make test    run the test suite (5 minutes)"
	@echo "make test-long   kill runs, workers and exports, and more (25 minutes)"
	@echo "make test-gpu   what has to hold on a GPU (needs one)"
	@echo "make torture   kill runs two hundred times (40 minutes)"
	@echo "make bazel   run the test suite with Bazel instead"
	@echo "make build_files   write the BUILD files from the imports"
	@echo "make results   write the tables of RESULTS.md from results/"
	@echo "make lint    check style;  make format  correct it"
	@echo "make lock    renew constraints/ from setup.py"
	@echo "make clean   remove the environment and the runs of make train"
	@echo "GPU=no|yes|auto   CUDA libraries for TensorFlow (auto asks nvidia-smi)"
	@echo "VENV=folder PYTHON=/path/to/python3.12 choose another Python"

environment:
	@tools/environment.sh "$(VENV)" "$(PYTHON)" "$(GPU)"

train: environment
	@$(RUN) -m scripts.train $(NOISY_DIGITS) --method=nct \
	  --workdir=runs/digits_nct --overwrite --export_dir=exports/digits
	@$(RUN) -m scripts.train $(NOISY_DIGITS) --method=standard \
	  --workdir=runs/digits_standard --overwrite
	@$(RUN) -m scripts.compare \
	  --workdirs=runs/digits_standard,runs/digits_nct \
	  --figure=runs/memorisation.png

test: environment
	@$(RUN) -m pytest

test-long: environment
	@NCT_TF_LONG_TESTS=1 $(RUN) -m pytest $(LONG_TESTS)

# One process: two would share the GPU. Skipped tests are named.
test-gpu: environment
	@$(RUN) -m pytest --numprocesses=0 -vv -rs tests/gpu_test.py

torture: environment
	@NCT_TF_NUM_KILLS=200 $(RUN) -m pytest -s --numprocesses=0 \
	  tests/training/resume_kill_test.py

bazel: environment
	@tools/bazel_test.sh "$(VENV)/bin"

# This needs nothing but Python 3.10 or later.
build_files:
	@$(or $(PYTHON),python3) -m tools.build_files

results: environment
	@$(RUN) -m tools.results_tables

lint: environment
	@$(VENV)/bin/ruff check . && $(VENV)/bin/ruff format --check .

format: environment
	@$(VENV)/bin/ruff check --fix . && $(VENV)/bin/ruff format .

lock:
	@tools/lock.sh

clean:
	rm -rf .venv .venv-* *.egg-info .pytest_cache .ruff_cache
	rm -rf runs/digits_nct runs/digits_standard runs/memorisation.png \
	  exports/digits
