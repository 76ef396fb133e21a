# make demo and make test do everything from a bare clone: Python 3.11 or newer and make are enough.

PYTHON ?= python3
BIN := .venv/bin

# Without .pyc files every start would take three times as long.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint lock bench chaos browser renderer counterparts

demo: .venv/ready
	$(BIN)/offboard demo

test: .venv/ready
	$(BIN)/python -m pytest

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: .venv/ready
	$(BIN)/python -m tests.bench

chaos: .venv/ready
	$(BIN)/python -m tests.chaos --kills 50

# Debian's Chromium, for the demo's own test; skipped with a clear line where it is absent.
browser:
	command -v chromium >/dev/null || (apt-get update -qq && apt-get install -y -qq chromium)

# A real Active Directory domain controller, for the tests of the domain's connector; skipped likewise.
counterparts: browser renderer
	test -e /usr/share/samba/setup/provision.ldif || (apt-get update -qq && apt-get install -y -qq --no-install-recommends \
		samba-ad-dc samba-ad-provision samba-dsdb-modules samba-vfs-modules winbind)

# Microsoft's own renderer of Adaptive Cards, for the tests that look at ours in it; skipped likewise.
renderer:
	test -e .counterparts/node_modules/adaptivecards/dist/adaptivecards.min.js || ! command -v npm >/dev/null || \
		npm install --silent --no-save --no-package-lock --no-audit --no-fund --ignore-scripts \
		--prefix .counterparts adaptivecards@3.0.6

lock: .venv/bin/uv
	$(BIN)/uv pip compile -q pyproject.toml --extra lab --extra teams --group dev --universal \
		--python-version 3.11 --generate-hashes --no-header --no-annotate -o requirements.lock

.venv/ready: requirements.lock pyproject.toml .venv/bin/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	touch .venv/ready

.venv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "offboard needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
