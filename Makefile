# Each target makes the environment when it must; `make` alone lists the targets.
VENV ?= .venv
LOCK ?= requirements/book.txt
PYTHON ?=
ARGS ?=
PY := $(VENV)/bin/python
ENVIRONMENT := tools/environment.py --venv "$(VENV)" --lock "$(LOCK)" --asked "$(PYTHON)"

# TensorFlow's start-up messages say nothing that a reader or a test needs.
export TF_CPP_MIN_LOG_LEVEL ?= 3
export PYTHONUTF8 = 1

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help environment book open test test-backends notebooks lab lint lock colab check check-book robust reproduce bench pictures clean distclean

help: ## List the targets
	@echo "make book PYTHON=python3.12   names the Python; VENV=FOLDER another environment (a conda one, say)"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

environment: ## Make or mend .venv from the exact lock (every other target does this first)
	@$(PY) -I -S $(ENVIRONMENT) --check 2>/dev/null && exit 0; \
	for python in "$(PYTHON)" python3 python3.13 python3.12 python3.11; do \
	  if [ -n "$$python" ] && "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 6))' 2>/dev/null; then \
	    exec "$$python" $(ENVIRONMENT); fi; done; \
	echo "make: Python 3.11, 3.12 or 3.13 is needed and none was found (on Debian: apt-get install python3 python3-pip)." >&2; \
	exit 2

book: environment ## Build the book into _build/html (ALL=1: every page, from nothing)
	@$(PY) tools/build_book.py $(if $(ALL),--all)

open: environment ## Build the book and open it in the browser
	@$(PY) tools/build_book.py --open

# Two workers, a core each: with more threads than that TensorFlow spends a fifth of its time waiting for itself.
ONE_THREAD := TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1

test: book ## Run every test: the library, the notebooks (re-run and compared), the figures in a browser
	@$(ONE_THREAD) $(PY) -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-backends: environment ## Test the library on TensorFlow, JAX and PyTorch, and carry saved models from each to the others
	@$(PY) tools/backends_check.py $(ARGS)

notebooks: environment ## Run the notebooks again and store their outputs (ARGS=notebooks/NAME.ipynb for one)
	@$(PY) tools/execute_notebooks.py $(ARGS)

lab: environment ## Open the notebooks in JupyterLab
	@$(PY) -m jupyterlab notebooks

lint: environment ## Check code, spelling, addresses and workflow files
	@$(PY) tools/lint.py

lock: ## Resolve requirements/*.in into the lock files and environment.yml (UPGRADE=1: newest versions)
	@$(MAKE) --no-print-directory environment
	@$(PY) tools/lock.py $(if $(UPGRADE),--upgrade)

colab: environment ## Run each notebook alone, with Colab's versions and the built wheel
	@$(PY) tools/colab_check.py $(ARGS)

check-book: book ## Check the built book: links, figures, alt texts, nothing from off the machine
	@$(PY) tools/check_book.py

robust: environment ## Run the notebook tests as on an older processor and on one core
	@$(PY) tools/robust_check.py

check: test test-backends check-book lint colab robust ## Everything that a change must pass

reproduce: environment ## Train a recipe anew and compare with its records (RECIPE=mnist-noise, ARGS="--variant drsn-cw")
	@$(PY) -m drsn_lib reproduce $(or $(RECIPE),mnist-noise) $(ARGS)

bench: environment ## Time the networks side by side on every backend that is installed; needs a machine at rest
	@$(PY) benchmarks/run.py $(ARGS)

pictures: book ## Take screenshots of the book into _build/pictures
	@$(PY) tools/screenshot.py $(ARGS)

clean: ## Remove what was built
	rm -rf _build build dist .pytest_cache .ruff_cache .jupyter_cache
	find drsn_lib tests tools book notebooks -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## Remove what was built and the environments
	rm -rf .venv .venv-backends .venv-colab .venv-newest
