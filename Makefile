# Everything a newcomer or CI runs. `make` alone lists it.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

.PHONY: help demo test test-distributed lint format docs contracts bench bench-peers bench-compare bench-publish chaos lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/run: requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing the locked dependencies (once, two to four minutes) …"
	@$(PIP) install --quiet --require-hashes -r requirements/run.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev: requirements/dev.txt .venv/run
	@echo "installing what the tests need …"
	@$(PIP) install --quiet --no-compile --require-hashes -r requirements/dev.txt
	@touch $@

demo: .venv/run  ## start Muniment on an example handbook, ask three questions as two people
	@$(BIN)/python examples/demo.py

# Tests start many processes: each would compile all of Muniment again where nothing may be kept, and start threads
# for sums that are small.
test: export PYTHONDONTWRITEBYTECODE :=
test: export OPENBLAS_NUM_THREADS := 1
test: .venv/dev  ## the default suite; COUNT_LINES=1: with coverage
	@$(BIN)/python tests/kit/prepare_model.py
	@$(BIN)/coverage erase
	@TMPDIR=$$($(BIN)/python tests/kit/folder.py) $(BIN)/pytest -q -n 3 -m "not distributed"
	@if [ -n "$(COUNT_LINES)" ]; then $(BIN)/coverage combine -q && $(BIN)/coverage report; fi

test-distributed: export PYTHONDONTWRITEBYTECODE :=
test-distributed: export OPENBLAS_NUM_THREADS := 1
test-distributed: .venv/dev  ## its scenarios once more, in many processes, over PostgreSQL and Qdrant
	@$(BIN)/python tests/kit/prepare_model.py
	@TMPDIR=$$($(BIN)/python tests/kit/folder.py) $(BIN)/pytest -q -n 2 -m distributed

lint: .venv/dev  ## formatting, lint, types, import contracts
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: .venv/dev  ## format and mend what can be mended
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: .venv/dev  ## write the generated pages of docs/
	@$(BIN)/python docs/generate.py

contracts: .venv/dev  ## write the schemas of the contracts; refuses what narrows one
	@$(BIN)/python tests/rules/schemas.py

bench: .venv/dev  ## measure, each figure beside its baseline
	@$(BIN)/python -m bench

bench-peers: .venv/dev  ## make the environments of the peers (gigabytes), and measure beside them
	@$(BIN)/python -m bench embedding pipeline versus --peers

bench-compare: .venv/dev  ## A=… B=…: what moved between two runs (files or commits) beyond their noise
	@$(BIN)/python -m bench.compare $(A) $(B)

bench-publish: .venv/dev  ## RUNS=…: put those files of results into docs/performance, with table and plots
	@$(BIN)/python -m bench.published $(RUNS)

chaos: .venv/dev  ## kill every process at random moments of an ingestion; count what is lost or left
	@$(BIN)/python tests/kit/prepare_model.py
	@$(BIN)/python -m bench.chaos

lock: .venv/dev  ## resolve the dependencies afresh
	@$(BIN)/uv --version >/dev/null 2>&1 || $(PIP) install --quiet uv
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --upgrade pyproject.toml --group build -o requirements/run.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--no-annotate --upgrade pyproject.toml --extra postgres --extra local-llm --group build --group dev -o requirements/dev.txt

clean:  ## remove what was made here
	@rm -rf .venv .demo .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
