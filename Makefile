# make demo   the main job on the user's case, with embedded parts
# make quick  while you work: the tests that need no Node, no browser, no server of its own and no whole commands
# make test   every test;  make lint   style, types, arrows;  make bench   the benchmarks
# make docs   the documentation as a site in build/site;  make dist  wheel and source archive, checked and tried
# make bundle the example project's functions, for the demo and tests without Node
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
NPM_INSTALLED := tests/official/node_modules/.installed

.PHONY: demo quick test lint format bench bundle docs dist clean

demo: $(INSTALLED)
	@$(BIN)/supavex demo

# Four workers on two processors, for tests wait as well. A file is one worker's, with the servers that its tests share,
# and the slowest files begin (tests/conftest.py). The assertions of a test file are rewritten once and kept, whatever the
# environment says of bytecode.
PYTEST := PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(CURDIR)/$(VENV)/bytecode $(BIN)/python -m pytest -n 4 \
	--dist loadfile --no-loadscope-reorder

quick: $(INSTALLED)
	$(PYTEST) --quick

test: $(INSTALLED) $(NPM_INSTALLED)
	@PATH="$(BIN):$$PATH" sh tests/browser/install.sh
	$(PYTEST)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(INSTALLED)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# NAMES: some of them; SIZE=full: all rows; JSON=1: as JSON; RECORD=1: into benchmarks/RESULTS.md.
SIZE ?= quick
bench: $(INSTALLED)
	@$(BIN)/python -m benchmarks $(NAMES) --size $(SIZE) $(if $(JSON),--json) $(if $(RECORD),--record)

# What Convex's own CLI makes of the example project's functions: needed when they have changed.
bundle: $(INSTALLED) $(NPM_INSTALLED)
	$(BIN)/python -m tests.official.test_my21staff

$(INSTALLED): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing supavex and its tools into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt hatchling hatch-fancy-pypi-readme editables pip
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-build-isolation --editable '.[all,storage,cluster]' --group dev
	@touch $@

$(NPM_INSTALLED): tests/official/package.json tests/official/package-lock.json
	@echo "Installing the official convex package into tests/official …"
	@cd tests/official && npm ci --silent --no-audit --no-fund
	@touch $@

# A dead link or a page that nothing leads to fails it.
docs: $(INSTALLED)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --site-dir build/site
	@echo "The site: build/site/index.html"

# Builds dist/, has twine check it, and installs it into clean environments: the core, each extra, all.
dist: $(INSTALLED)
	$(BIN)/python -m tests.distribution

clean:
	rm -rf build dist $(VENV) tests/official/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis
