# `make demo` and `make test` set up everything they need in .venv.

RUN := .venv/bin
ARGS ?=
# Processes that share the tests; 0 runs them in one.
WORKERS ?= 0

.PHONY: help setup demo picture test check lint bench chaos chaos-plans lock clean

help:
	@echo "make demo    see the whole idea, with scripted agents and no key"
	@echo "make picture draw docs/pictures: the app and the summary of a demonstration"
	@echo "make test    all tests with coverage; those whose tool is missing say so (WORKERS=n shares them)"
	@echo "make check   format, lint, types, import layers, then the tests"
	@echo "make bench   measure against raw git, tmux, docker and SQLite"
	@echo "make chaos   kill the supervisor at random points and count what is lost"
	@echo "make chaos-plans   the same while a plan of 200 tasks runs: it ends as if nothing had been"
	@echo "make lock    renew requirements.lock from pyproject.toml"

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml deploy/setup.sh
	@sh deploy/setup.sh
	@touch $@

demo: setup
	@$(RUN)/quarterdeck demo $(ARGS)

picture: setup
	@mkdir -p docs/pictures
	@$(RUN)/quarterdeck demo --picture docs/pictures/demo.svg
	@$(RUN)/python -m tests.pictures docs/pictures

test: setup
	$(RUN)/pytest -n $(WORKERS) --cov --cov-report= $(ARGS)
	$(RUN)/coverage report --include='supervisor/*' --fail-under=95
	$(RUN)/coverage report --format=total --fail-under=80

lint: setup
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports

check: lint test

bench: setup
	$(RUN)/python -m tests.benchmarks $(ARGS)

chaos: setup
	$(RUN)/python -m tests.chaos $(ARGS)

chaos-plans: setup
	$(RUN)/python -m tests.chaos.plans $(ARGS)

lock: setup
	$(RUN)/python -m pip install --quiet uv
	$(RUN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --custom-compile-command "make lock" --quiet --output-file requirements.lock

clean:
	rm -rf .venv dist build .coverage .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
