# Every command of the course. Each sets up what it needs, on a fresh machine with Python 3.11+.
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help install demo clean-demo student test unit lint release validate hostile audit draws \
	bench scale browser postgresql

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

install: .venv/.installed ## the .venv, with everything that the other commands need

.venv/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

demo: install ## grade the sample submissions, write feedback, print the scores and why
	$(BIN)/python -m autograder demo

# In a student's folder, with a student's packages, and about the memory that the grader gives.
student: install ## a student's folder, and JupyterLab in it
	$(BIN)/python -m autograder student
	test -x student/.venv/bin/python || $(PYTHON) -m venv student/.venv
	student/.venv/bin/python -m pip install --quiet --requirement student/requirements.txt
	student/.venv/bin/jupyter labextension disable --level=sys_prefix \
	  @jupyter/nbgrader:create-assignment @jupyter/nbgrader:formgrader
	cd student && PATH="$$PWD/.venv/bin:$$PATH" \
	  $$(command -v prlimit >/dev/null && echo prlimit --data=5368709120) .venv/bin/jupyter lab

clean-demo: install ## take away what the demonstration has written, the gradebook too
	$(BIN)/python -m autograder demo --clear

test: install browser postgresql lint ## every test
	$(BIN)/python -m pytest -n 2 --dist loadfile --ignore tests/test_hostile.py
	$(BIN)/python -m pytest tests/test_hostile.py
	$(BIN)/python -m autograder validate
	$(BIN)/python -m autograder audit --share 12

unit: install ## the tests that start no kernel and no nbgrader
	$(BIN)/python -m pytest -n 2 -m "not kernel and not browser"

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

release: install ## make release/ anew from source/
	$(BIN)/python -m autograder release

hostile: install ## the corpus of hostile submissions, through plain nbgrader autograde
	$(BIN)/python -m pytest tests/test_hostile.py

validate: install ## every solution notebook earns full marks, every released one none, by nbgrader and without
	$(BIN)/python -m autograder validate

audit: install ## the corpora of correct and wrong solutions: points and diagnoses
	$(BIN)/python -m autograder audit

draws: install ## every misconception on fresh inputs: formulas on 10,000, each wrong solution 20 times
	AUTOGRADER_DRAWS=10000 $(BIN)/python -m pytest tests/test_robust_verdicts.py

bench: install ## speed and memory against stock nbgrader and otter-grader: a table of ratios
	-$(BIN)/python -m pip install --quiet --editable '.[bench]'
	$(BIN)/python -m autograder bench

scale: install ## a class of a thousand in one run, hostile work in it: what grows, what is left behind
	$(BIN)/python -m autograder scale

# The feedback is opened in a real browser by some tests; they need a Chromium of the system's.
browser:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } || \
	  echo "No Chromium found: install it for the browser tests (they fail without it)."

# A gradebook on a real PostgreSQL is tested; that needs a server of the system's.
postgresql:
	@ls /usr/lib/postgresql/*/bin/postgres "$$(pg_config --bindir 2>/dev/null)/postgres" 2>/dev/null | grep -q . || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null; } || \
	  echo "No PostgreSQL found: install its server for the tests of a gradebook on it (they fail without it)."
