# Every target installs what it needs; `make` alone lists them.
PYTHON := .venv/bin/python
STAMP := .venv/.installed
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench campaign kernels proto clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 20

setup: $(STAMP) ## install distribution packages and the virtual environment

$(STAMP): pyproject.toml deploy/setup.sh
	@deploy/setup.sh

demo: $(STAMP) ## learn a real container, attack it, watch the deviations arrive (KEEP=1: leave it running)
	@$(PYTHON) deploy/demo/demo.py $(if $(KEEP),--keep)

test: $(STAMP) ## the whole test suite (DRIFTLINE_KERNEL_TESTS=1: a kernel or container test that cannot run fails)
	@$(PYTHON) -m pytest -n 2

lint: $(STAMP) ## format, lint, types, import contracts, proto, C
	ruff format --check .
	ruff check .
	mypy -p driftline -p driftline_collector
	lint-imports
	buf lint
	clang-format --dry-run --Werror bpf/*.c bpf/include/*.h

format: $(STAMP) ## format Python and C
	ruff format .
	ruff check --fix .
	clang-format -i bpf/*.c bpf/include/*.h

bench: $(STAMP) ## measure this machine; writes benchmarks/RESULTS.md
	@PYTHONPATH=tests $(PYTHON) -m benchmarks.run

campaign: $(STAMP) ## a million deviations and 200 kills of the agent, while everything fails (half an hour, root)
	@DRIFTLINE_CAMPAIGN=1000000 DRIFTLINE_KILLS=200 $(PYTHON) -m pytest tests/faults/test_campaign.py \
		tests/faults/test_agent_kill.py tests/faults/test_spool_kill.py

falsealarms: $(STAMP) ## real servers, learned and watched: what is told without reason, which attacks are caught (MINUTES=3)
	@PYTHONPATH=tests $(PYTHON) -m benchmarks.false_alarms --write $(if $(MINUTES),--minutes $(MINUTES))

baselines: $(STAMP) ## make the starter baselines of baselines/ again, from real runs (NAMES="nginx redis": only these)
	@PYTHONPATH=tests:. $(PYTHON) baselines/make.py $(NAMES)

starters: $(STAMP) ## try the starter baselines against the real servers, at work and attacked (NAMES="nginx redis")
	@PYTHONPATH=tests:. $(PYTHON) baselines/make.py --check $(NAMES)

kernels: $(STAMP) ## try the sensor on other kernels under QEMU (slow; not part of `make test`; KERNELS="6.12": only these)
	@PYTHONPATH=tests $(PYTHON) -m vm.matrix $(KERNELS)

proto: $(STAMP) ## regenerate the Python code of proto/
	@$(PYTHON) proto/generate.py

clean: ## remove the virtual environment and caches
	rm -rf .venv .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
