# The verbs of the template; `make` lists them. Everything they need goes to .venv and .cache, from the hashed locks.
.DEFAULT_GOAL := help
.PHONY: help demo demo-down lock check test nightly drill-deploy drill-serve bench bench-verdict bench-compare bench-deploy bench-serve

export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/.cache/bin:$(PATH)
export VIRTUAL_ENV := $(CURDIR)/.venv
unexport PYTHONPATH PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
TARGET ?= local
# Tests that share a thing of the machine stay in one process: tests/scheduling.py
TOGETHER := --numprocesses 2 --no-loadscope-reorder
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header

help: ## Show the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

demo: .venv/.ready-demo ## Play the whole loop on this machine: pull request, verdict, release, rollback (TARGET=docker)
	@python -m tools.demo play --target $(TARGET)

demo-down: .venv/.ready-demo ## Stop what the demo left running
	@python -m tools.demo down

lock: .venv/.ready-demo ## Resolve requirements/*.in into hashed locks
	cd requirements && $(COMPILE) dev.in --output-file dev.txt
	cd requirements && $(COMPILE) --constraint dev.txt demo.in --output-file demo.txt
	cd requirements && $(COMPILE) go.in --output-file go.txt
	cd requirements && $(COMPILE) checkov.in --output-file checkov.txt
	cd infra/mlflow && $(COMPILE) --constraint ../../requirements/dev.txt requirements.in --output-file requirements.txt

check: .venv/.ready-dev ## Lint, types and the fast tests
	pre-commit run --all-files
	pytest -m "not slow" $(TOGETHER)

test: check ## Lint, types and tests; the first time it also builds what they run
	python -m tests.tooling.prepare
	pytest -m "slow and not nightly" --durations 25 $(TOGETHER)

nightly: .venv/.ready-dev ## The long tests that say again what `make test` says once: on another target, by a rarer way
	python -m tests.tooling.prepare
	pytest -m nightly --durations 25 $(TOGETHER)

drill-deploy: .venv/.ready-dev ## Break deployments on purpose, under steady requests: none lost, none wrong
	pytest tests/drills/test_deploy.py --quiet

drill-serve: .venv/.ready-dev ## Break the server on purpose: none lost, none wrong
	DRILL_REQUESTS=10000 DRILL_SECONDS=30 pytest tests/drills/test_serve_bad_requests.py tests/drills/test_serve_failures.py --quiet

bench: .venv/.ready-dev ## Measure what the README claims
	python -m tools.bench

bench-verdict: .venv/.ready-dev ## Measure whether the verdicts are true: false alarms, coverage, power
	PYTHONPATH="<<cookiecutter.project>>/src" python -m tools.verdicts

bench-compare: .venv/.ready-dev ## Measure how fast and small judging is, against a loop over scikit-learn
	PYTHONPATH="<<cookiecutter.project>>/src" python -m tools.speed

bench-deploy: .venv/.ready-dev ## Measure promotions and rollbacks under steady requests (TARGET=docker)
	python -m tools.rollouts --target $(TARGET)

bench-serve: .venv/.ready-dev ## Measure the scoring server against `mlflow models serve` and a tuned FastAPI
	python -m tools.bench_serve

.venv/.ready-%: requirements/%.txt
	@test -x .venv/bin/uv || { $(PYTHON) -m venv .venv && .venv/bin/python -m pip install --quiet --disable-pip-version-check uv; }
	@uv pip install --quiet --require-hashes --compile-bytecode --requirement $<
	@touch $@
