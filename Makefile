# Two commands carry a newcomer: `make up` and `make test`. Both install what they need first.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
STAMP_ALL := $(VENV)/.installed-all
PACKAGES := libs/contracts libs/runtime libs/storage libs/client clients/web services/gateway services/persister services/notifier cli
SOURCES := libs clients services cli tests bench docs examples
UP     ?=
TESTS  ?=

.DEFAULT_GOAL := help
.PHONY: help install up test browser chaos secrets containers check format docs bench lock clean

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP_ALL) ## create .venv and install everything, pinned by hash

$(STAMP): requirements.lock $(PACKAGES:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or newer is needed; '$(PYTHON)' is: $$($(PYTHON) --version 2>&1 || echo missing). Try: make PYTHON=python3.12 up"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { rm -rf $(VENV); echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@echo "installing into $(VENV) (about half a minute the first time)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation $(PACKAGES:%=-e %)
	@touch $(STAMP)

$(STAMP_ALL): $(STAMP) requirements-dev.lock
	@echo "installing what checks, tests and bench need"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $(STAMP_ALL)

up: $(STAMP) ## run everything on this machine; prints the URL (UP="--port 9000" adds options)
	@exec $(BIN)/chatterbus up $(UP)

test: install ## run the test suite, in two processes (TESTS=tests/unit for a part, in one)
	@$(BIN)/python -m pytest $(or $(TESTS),-n 2)

browser: ## the browser's part of the suite (needs root to install Chromium and Node.js where they are missing)
	@. .ci/tools && $(BIN)/python -m pytest tests/browser

chaos: install ## every fault at full size, and docs/chaos.md (CHAOS="-k gateways", SOAK=3600 for an hour of the nemesis)
	@CHATTERBUS_CHAOS=full $(if $(SOAK),CHATTERBUS_CHAOS_SOAK=$(SOAK)) $(BIN)/python -m pytest tests/chaos -s $(CHAOS); \
	  code=$$?; $(BIN)/python -m tests.chaos.report; exit $$code

secrets: ## passwords for docker-compose.yml, into secrets/ and .env; what is there stays
	@deploy/secrets.sh

containers: install ## the part of the suite that tries the images, docker compose and a cluster (needs Docker with compose)
	@$(BIN)/python -m pytest tests/containers -s $(CONTAINERS)

check: install ## format, lint, types, import rules, generated documents
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m docs.generate --check

format: install ## rewrite the sources in the house format
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

docs: install ## write the generated documents again
	@$(BIN)/python -m docs.generate

bench: install ## measure: every scenario, then beside the peers, half an hour (BENCH="latency", BENCH="compare --runs 1")
	@$(if $(BENCH),$(BIN)/python -m bench $(BENCH),$(BIN)/python -m bench && $(BIN)/python -m bench compare)

lock: install ## resolve the lock files again, the images' too
	@$(BIN)/uv pip compile -q requirements.in -o requirements.lock --upgrade $(LOCK_FLAGS)
	@$(BIN)/uv pip compile -q requirements-dev.in -o requirements-dev.lock --upgrade $(LOCK_FLAGS)
	@for each in $(IMAGE_LOCKS) $(PEER_LOCKS); do $(BIN)/uv pip compile -q $$each.in -o $$each.lock $(LOCK_FLAGS) || exit 1; done

# Each image's dependencies, at the versions of requirements.lock.
IMAGE_LOCKS := deploy/build $(foreach s,gateway persister notifier,services/$(s)/requirements)
# The Python peer of the bench; npm keeps the locks of the others (`npm install --package-lock-only` in their folders).
PEER_LOCKS := bench/peers/fastapi/requirements
LOCK_FLAGS := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header \
  --no-annotate $(foreach p,contracts runtime storage client web gateway persister notifier,--no-emit-package chatterbus-$(p)) --no-emit-package chatterbus

clean: ## remove what was installed and what was run here
	rm -rf $(VENV) bench/.peers bench/peers/*/node_modules .chatterbus .mypy_cache .ruff_cache .pytest_cache .hypothesis
