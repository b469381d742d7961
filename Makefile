# Needs Python 3.11 or newer, node 20 or newer and make. Every target sets up what it needs; nothing else is to be run first.
#   make demo   a whole market on this machine, cheaters included
#   make test   everything that must hold before a change is merged

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3,$(shell command -v $(name))))
BIN := .venv/bin
STAMPS := build/stamps
ENVIRONMENT := $(STAMPS)/python
PACKAGES := $(STAMPS)/npm
CONTRACTS := $(STAMPS)/contracts
# npm's `forge` command loses the exit status of the program that it wraps: call that program.
FORGE = $(firstword $(wildcard node_modules/@foundry-rs/forge-*/bin/forge))
SOLIDITY := $(shell find contracts -name '*.sol')
DEMO ?=
MUTANTS ?=
ANALYSERS := build/analysers/venv
# Flower does not resolve beside our pins, so it has an environment of its own.
FLOWER := build/flower/venv
# Both analysers ask a `forge` on the path about the project.
WITH_FORGE = PATH="$(abspath $(dir $(FORGE))):$$PATH"
# They count storage writes or gas, which holds for optimised code only.
COUNTING_TESTS := testLockAndUnlockWriteOnce|testCountsStopAtTheirTop|testWhatANumberAndABucketCost|testTheLargest

# Where py-solc-x, and so brownie, looks for compilers: a folder of this checkout's own.
export SOLCX_BINARY_PATH := $(abspath build/solcx)
# What two jobs say does not mix, where make can see to it.
BESIDE = $(MAKE) --no-print-directory -j 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target)
PYTEST = $(BIN)/python -m pytest --ignore tests/contracts/brownie

.PHONY: help setup demo test lint lint-python lint-solidity test-python test-contracts test-forge test-hardhat test-brownie \
	test-deep test-deep-python test-deep-forge test-deep-brownie bench gas mutate coverage analyse deployment deployment-check \
	clean

help:
	@sed -n 's/^#   //p' Makefile
	@echo 'make lint, test-python, test-contracts, test-deep, test-deep-python, test-deep-forge, test-deep-brownie, bench, gas, mutate, coverage, analyse, deployment, deployment-check, setup, clean: parts of these, and more'

setup: $(ENVIRONMENT) $(PACKAGES) $(CONTRACTS)

$(ENVIRONMENT): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo 'no Python found: install Python 3.11 or newer'; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed'; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@mkdir -p $(@D) && touch $@

$(PACKAGES): package.json package-lock.json
	@command -v npm > /dev/null || { echo 'no npm found: install node 20 or newer'; exit 1; }
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@mkdir -p $(@D) && touch $@

$(CONTRACTS): $(ENVIRONMENT) $(PACKAGES) $(SOLIDITY) tools/solc tools/solc-settings.json
	$(BIN)/python -c 'from marketplace.chain.compile import compile_contracts; compile_contracts()'
	@mkdir -p $(@D) && touch $@

# Options of the demo go into DEMO: make demo DEMO='--rounds 3 --attack scale@4'
demo: setup
	$(BIN)/fairshare demo $(DEMO)

# The compilers and brownie use one core each, so two of them run side by side; pytest takes both for itself.
test: setup
	+$(BESIDE) test-forge test-brownie test-hardhat lint
	+$(MAKE) --no-print-directory test-python

lint: lint-python lint-solidity

lint-python: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

lint-solidity: setup
	node_modules/.bin/solhint --max-warnings 0 'contracts/**/*.sol'
	node_modules/.bin/prettier --check 'contracts/**/*.sol'

# In the order of the files, not the fullest first: those that take long come early, and both workers end together.
test-python: setup
	$(PYTEST) -m 'not deep' -n 2 --dist loadfile --no-loadscope-reorder

test-contracts: setup
	+$(BESIDE) test-forge test-brownie test-hardhat

test-forge: setup
	$(FORGE) test

test-hardhat: setup
	node_modules/.bin/hardhat compile

test-brownie: setup
	$(BIN)/python tools/install_solc.py
	$(BIN)/brownie test --network development

# What takes long by its nature. Its three parts can be run one by one.
test-deep: test-deep-python test-deep-forge test-deep-brownie

test-deep-python: setup $(FLOWER)
	$(PYTEST) -m deep -n 2 --dist loadfile --no-loadscope-reorder

test-deep-forge: setup
	FOUNDRY_PROFILE=deep $(FORGE) test

test-deep-brownie: setup
	$(BIN)/python tools/install_solc.py
	FAIRSHARE_DEEP=1 $(BIN)/brownie test tests/contracts/brownie/test_market_any_moves.py --network development

# docs/contract-checks.md says what these three show. Options of the first go into MUTANTS: make mutate MUTANTS='--jobs 4'
mutate: setup
	$(BIN)/python tools/mutate.py $(MUTANTS)

coverage: setup
	$(FORGE) coverage --exclude-tests --no-match-coverage node_modules \
		--no-match-test '$(COUNTING_TESTS)' --report summary --report lcov \
		--report-file build/contracts.lcov

# halmos looks for its solver in the environment that is active.
analyse: setup $(ANALYSERS)
	node_modules/.bin/solhint --max-warnings 0 'contracts/**/*.sol'
	$(WITH_FORGE) $(BIN)/python tools/slither_check.py $(ANALYSERS)/bin/slither
	$(WITH_FORGE) VIRTUAL_ENV="$(abspath $(ANALYSERS))" FOUNDRY_SRC=tests/contracts/halmos FOUNDRY_TEST=tests/contracts/halmos \
		FOUNDRY_OUT=build/halmos FOUNDRY_CACHE_PATH=build/halmos-cache $(ANALYSERS)/bin/halmos \
		--forge-build-out build/halmos --function check_ --loop 17 --solver z3 --solver-timeout-assertion 120s --no-status

$(ANALYSERS): tools/analysers.txt $(ENVIRONMENT)
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check -r tools/analysers.txt
	@touch $@

bench: setup $(FLOWER)
	for benchmark in benchmarks/*.py; do echo "== $$benchmark"; $(BIN)/python "$$benchmark"; done

# The peer of benchmarks/overhead.py: what it needs does not go together with what brownie pins.
$(FLOWER): benchmarks/flower.txt $(ENVIRONMENT)
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/flower.txt
	@touch $@

# Fails where a call costs over 2 % more than benchmarks/gas.json says; `python benchmarks/gas.py --write` renews it.
gas: setup
	$(BIN)/python benchmarks/gas.py --check

# The checked-in file of the development chain: a change of the contracts renews it (docs/deploying.md).
deployment: setup
	$(BIN)/python tools/development_deployment.py

deployment-check: setup
	$(BIN)/python tools/development_deployment.py --check

clean:
	rm -rf build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
