# Every target sets up .venv from the pinned constraints first.
PYTHON ?= python3
VENV := .venv
PORT ?= 4200
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Modules are compiled when they are first imported, as most of what is installed never is; so the results of that
# must be kept, which many container images forbid: without them every stage would take ten seconds more to start.
unexport PYTHONDONTWRITEBYTECODE

# An installation that did not come to its end is begun anew: half a package would be taken for whole.
ifneq ($(wildcard $(VENV)/.installing),)
$(shell rm -rf $(VENV))
endif

# $(call install,package): by uv, and by pip where uv cannot
define install
@touch $(VENV)/.installing
@$(BIN)/python install.py '$(1)' || { echo "uv could not; installing with pip, which takes longer" >&2; \
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt \
	--editable '$(1)'; }
@rm $(VENV)/.installing
@touch $@
endef

# Prefect uses one connection to a SQLite database in whose path ":memory:" stands. With several, its requests find it
# locked by each other and wait for seconds.
ONE_CONNECTION = sqlite+aiosqlite:///$${PREFECT_HOME:-$$HOME/.prefect}/:memory:/../prefect.db

.PHONY: sweep test lint check ui rate stats-check bench accessibility chaos

sweep: $(VENV)/.installed          ## the whole sweep, under Prefect
	palms sweep

check: $(VENV)/.installed          ## check the datasets and prompts
	palms check

test: $(VENV)/.installed-dev       ## all tests
	pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/.installed-dev       ## ruff and mypy
	ruff check tasks flows tests install.py
	mypy --num-workers 2
	mypy --strict install.py

stats-check: $(VENV)/.installed    ## the simulations behind the statistics, in full
	python -m tests.simulations.check

bench: $(VENV)/.installed-bench    ## rates, ratios and sizes, measured side by side
	python -m tests.benchmarks.bench_training
	python -m tests.benchmarks.bench_generation
	python -m tests.benchmarks.bench_startup
	python -m tests.benchmarks.bench_overhead
	python -m tests.benchmarks.bench_schedule
	@if command -v nvidia-smi >/dev/null; then python -m tests.benchmarks.bench_gpu; fi
	python -m tests.benchmarks.bench_toxicity
	python -m tests.benchmarks.bench_cooccurrence
	python -m tests.benchmarks.bench_check
	python -m tests.benchmarks.bench_reading

accessibility: $(VENV)/.installed  ## the report's page under axe-core in Chromium, after a sweep
	python -m tests.accessibility

rate: $(VENV)/.installed           ## the page on which people rate completions (docs/ratings.md)
	palms rate

chaos: $(VENV)/.installed-dev      ## twenty sweeps in which something is killed, an hour or more
	python -m tests.chaos

ui: $(VENV)/.installed             ## a Prefect server with its UI on http://127.0.0.1:$(PORT)
	@mkdir -p "$${PREFECT_HOME:-$$HOME/.prefect}/:memory:"
	export PREFECT_SERVER_DATABASE_CONNECTION_URL="$${PREFECT_SERVER_DATABASE_CONNECTION_URL:-$(ONE_CONNECTION)}"; \
	PREFECT_SERVER_UI_API_URL=http://127.0.0.1:$(PORT)/api PREFECT_SERVER_ANALYTICS_ENABLED=false \
	prefect server start --host 127.0.0.1 --port $(PORT)

$(VENV)/.installed: pyproject.toml constraints.txt install.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "error: Python 3.11 or newer is needed; say which with make PYTHON=python3.11" >&2; exit 2; }
	@echo "installing the pinned dependencies into $(VENV) (half a minute to three, the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(call install,.)

$(VENV)/.installed-dev: $(VENV)/.installed
	$(call install,.[dev])

$(VENV)/.installed-bench: $(VENV)/.installed-dev
	$(call install,.[bench])
