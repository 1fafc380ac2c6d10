# The course's commands; `make` alone lists them. The first of them that needs it makes
# .venv and installs there; later ones install nothing until a requirement changes.

VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/installed
PINS := requirements.txt pyproject.toml site/package-lock.json
PYTEST := $(PY) -m pytest -n 2
SUPPORTED := import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info < (3, 15))
PORT := 8000

# The first Python that runs and is supported; choose one with `make … PYTHON=python3.12`.
PYTHONS := python3.11 python3.12 python3.13 python3.14 python3.10 python3
PYTHON = $(shell for python in $(PYTHONS); do \
	$$python -c '$(SUPPORTED)' 2>/dev/null && echo $$python && break; done)

# Says why a Python is not taken.
define REFUSED
import os, sys
name, version = os.path.basename(sys.argv[1]), "Python %d.%d" % sys.version_info[:2]
if sys.version_info < (3, 10):
    print(f"  {version} is too old.")
elif sys.version_info >= (3, 15):
    print(f"  {version} is too new: the course has not been tried with it.")
else:
    print(f"  {version} lacks venv: on Debian and Ubuntu, apt install {name}-venv")
endef

# Runs a command while no other make does so here. The lock is on the open Makefile: it
# ends with the last process of the command, however that ends.
define ALONE
import fcntl, os, sys
try:
    lock = os.open("Makefile", os.O_RDWR)
    os.set_inheritable(lock, True)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print("Another make installs here: waiting for it.", file=sys.stderr, flush=True)
    fcntl.flock(lock, fcntl.LOCK_EX)
except OSError:
    pass  # a file system without locks
os.execvp(sys.argv[1], sys.argv[1:])
endef
export REFUSED ALONE

.PHONY: help book test assignments slides notebooks check matrix lint screens serve clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

ifneq ($(origin LOCKED),command line)
$(INSTALLED): $(PINS)
	@'$(PYTHON)' -c '$(SUPPORTED)' 2>/dev/null || { { \
	echo "No Python 3.10 to 3.14 with venv found$(if $(PYTHON), ('$(PYTHON)' is none))." \
	"Install one, or name it: make PYTHON=/path/to/python3.11"; \
	for python in $(if $(PYTHON),'$(PYTHON)',$(PYTHONS) python3.15); do \
	"$$python" -c "$$REFUSED" "$$python" 2>/dev/null; done | awk '!seen[$$0]++'; \
	} >&2; exit 1; }
	@'$(PYTHON)' -c "$$ALONE" $(MAKE) --no-print-directory LOCKED=1 PYTHON='$(PYTHON)' $@
else
# Reached with the lock, and only if no other make has done it meanwhile. Without the
# stamp .venv is unfinished and is made anew; with an old one it is updated.
$(INSTALLED): $(PINS)
	test -f $@ || '$(PYTHON)' -m venv --clear $(VENV)
	$(PY) -m pip install --quiet --requirement requirements.txt --editable .
	PATH="$(abspath $(VENV))/bin:$$PATH" npm ci --loglevel=error --no-audit --no-fund --prefix site
	touch $@
endif

book: $(INSTALLED)  ## build the book: _build/html/index.html (SOLUTIONS=0: without them)
ifeq ($(SOLUTIONS),0)
	$(PY) -m tools.without_solutions
else
	$(VENV)/bin/jupyter-book build . --all -W -n --keep-going
endif

test: $(INSTALLED)  ## run all tests: package, notebooks, book
	$(PYTEST)

check: $(INSTALLED)  ## run the quick tests: package and notebooks' conventions
	$(PYTEST) tests --ignore tests/test_book.py --ignore tests/test_colab.py

assignments: $(INSTALLED)  ## build the assignments: students' notebooks and autograders
	$(PY) -m tools.assignments

slides: $(INSTALLED)  ## make two lectures of the chapters: _build/slides
	$(PY) -m tools.slides

notebooks: $(INSTALLED)  ## run all notebooks on real data and store their outputs
	$(PY) tools/notebooks.py execute

# CELLS="3.13-newest 3.10-oldest-dgl" runs some of them.
matrix: $(INSTALLED)  ## run the tests on each Python, old and new libraries: book/status.md
	$(PY) -m tools.matrix run $(CELLS)

lint: $(INSTALLED)  ## check format and style of package, tests and notebooks
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .

screens: book  ## take pictures of every page: _build/screens
	$(PY) -m tools.screens

serve: $(INSTALLED)  ## show the built book at http://localhost:8000
	$(PY) -m http.server $(PORT) --bind localhost --directory _build/html

clean:  ## remove what was built (keeps .venv)
	rm -rf _build build *.egg-info .pytest_cache .ruff_cache
	find . -name .venv -prune -o -name __pycache__ -prune -exec rm -rf {} +
