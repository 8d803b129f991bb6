# Everything runs in an environment of its own, .venv, made from the hash-locked dependencies.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PORT ?= 8000
ROWS ?= 400000
FLOOR := 97
BIN := .venv/bin

# Python keeps what it compiles: the tests start many processes, and each would compile every module anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo loop test store programs check docs types coverage lock clean

help:
	@echo "make demo    simulate a log, train, export, serve, send one request"
	@echo "make loop    serve, search parameters on simulated users, join, train on, promote"
	@echo "make test    all checks: ruff, mypy, import-linter, the documentation, pytest"
	@echo "make docs    the documentation as a site, in build/site"
	@echo "make coverage  the tests once more, with coverage of lines and its floor"
	@echo "make setup   the environment alone"
	@echo "make lock    resolve the dependencies anew (needs uv)"

setup: .venv/.ready

.venv/.ready: lock/dev.txt pyproject.toml
	@echo "installing some 3.7 GB of packages into .venv, which takes minutes"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r lock/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# An S3-compatible store for the tests has an environment of its own: it needs older versions of packages.
store: .venv/store/.ready

.venv/store/.ready: lock/store.txt .venv/.ready
	$(PYTHON) -m venv .venv/store
	.venv/store/bin/pip install --quiet --disable-pip-version-check --require-hashes -r lock/store.txt
	@touch $@

demo: setup
	rm -rf demo
	@$(MAKE) --no-print-directory demo/artifacts
	@$(BIN)/ranker-serve demo/artifacts --port $(PORT) & server=$$!; \
	trap 'kill $$server' EXIT; \
	$(BIN)/python -m serving.example http://127.0.0.1:$(PORT)

demo/artifacts: | .venv/.ready
	$(BIN)/ranker-train simulate --rows $(ROWS) --seed 0 --output demo/log --overwrite
	$(BIN)/ranker-train fit configs/demo.yaml --data demo/log --output demo/artifacts

loop: setup demo/artifacts
	$(BIN)/python -m benchmarks.loop

# The two that take long run side by side.
check: setup
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory --jobs=2 docs types

types: setup
	$(BIN)/mypy

# Run as a module, so that its hooks find the project; Material's notice about MkDocs 2 says nothing of this site.
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet

test: programs store check
	$(BIN)/pytest --numprocesses auto --maxprocesses 8 --dist worksteal

coverage: programs store setup
	$(BIN)/pytest --numprocesses auto --maxprocesses 8 --dist worksteal --cov --cov-report=term --cov-fail-under=$(FLOOR)

programs:
	@tests/install_programs.sh

lock:
	for extra in dev serve serve-cuda; do \
	  uv pip compile pyproject.toml --extra $$extra --python-version 3.11 \
	    --python-platform x86_64-unknown-linux-gnu --generate-hashes --no-annotate --upgrade \
	    --custom-compile-command "make lock" -o lock/$$extra.txt; \
	done
	uv pip compile pyproject.toml --extra train --extra ray-cluster --python-version 3.11 \
	  --python-platform x86_64-unknown-linux-gnu --generate-hashes --no-annotate --upgrade --constraint lock/dev.txt \
	  --custom-compile-command "make lock" -o lock/train.txt
	uv pip compile lock/store.in --python-version 3.11 --python-platform x86_64-unknown-linux-gnu --generate-hashes \
	  --no-annotate --upgrade --custom-compile-command "make lock" -o lock/store.txt

clean:
	rm -rf .venv demo loop build *.egg-info
