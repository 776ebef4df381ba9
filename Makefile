# make run      install, bring the demo model, and open JupyterLab on the quickstart
# make test     install what the tests need, and run all of them
# make test-versions  the doors once more: on the oldest Jupyter that is supported, and on Python 3.13
# make lint     everything that reads the code without running it
# make faults   kill servers and cut lines: all of it; `make test` takes a random tenth
# make bench    print how fast it is
# make panel    build the JupyterLab extension and the widget, and put them into the environment
# make types    write the API's OpenAPI document and TypeScript types anew
# make lock     choose the versions of all dependencies anew

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8888
# uv installs in seconds what takes pip minutes; where it does not get through (a mirror that only
# pip is configured for), pip does it.
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# Two files of tests at a time: most of what a test does is to wait. Those in a browser and those that
# kill servers have the machine to themselves.
AT_ONCE := -n 2 --dist loadfile
# Where `make run` keeps its things: the demo must not touch the user's own conversations.
RUN := $(CURDIR)/.run
# JupyterLab asks whether to fetch news, in a box that covers the panel's text field.
QUIET := $(RUN)/settings/@jupyterlab/apputils-extension

# The JupyterLab extension, and what it is made of.
PANEL := labextension/dist/package.json
PANEL_SOURCES := $(shell find labextension/src labextension/style labextension/schema -type f 2>/dev/null) \
  labextension/package.json labextension/tsconfig.json labextension/build-widget.mjs

.PHONY: run panel test test-python test-web test-versions faults lint bench types lock clean

$(VENV)/installed: requirements.lock pyproject.toml | $(PANEL)
	@scripts/ensure python
	@echo "Installing Python packages into $(VENV): about a minute"
	@test -x $(BIN)/python || python3 -m venv $(VENV)
	@awk '/^[^ ]/ { wanted = /^uv==/ } wanted' requirements.lock > $(VENV)/uv.lock
	@$(PIP) --require-hashes --requirement $(VENV)/uv.lock
	@$(UV) --require-hashes --requirement requirements.lock || $(PIP) --require-hashes --requirement requirements.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

labextension/node_modules/installed: labextension/package-lock.json
	@scripts/ensure node
	@npm --prefix labextension ci --no-audit --no-fund
	@touch $@

$(PANEL): labextension/node_modules/installed $(PANEL_SOURCES)
	@echo "Building the JupyterLab extension"
	@npm --prefix labextension run --silent build
	@touch $@

# A copy, as pip installs it: a link would let pip remove what it points to.
$(VENV)/panel: $(PANEL) $(VENV)/installed
	@rm -rf $(VENV)/share/jupyter/labextensions/bestchat
	@cp -r labextension/dist $(VENV)/share/jupyter/labextensions/bestchat
	@cp labextension/install.json $(VENV)/share/jupyter/labextensions/bestchat
	@touch $@

panel: $(VENV)/panel

run: $(VENV)/panel
	@mkdir -p $(RUN)/notebooks $(QUIET)
	@cp -n notebooks/*.ipynb $(RUN)/notebooks/
	@echo '{"fetchNews": "false"}' > $(QUIET)/notification.jupyterlab-settings
	@BESTCHAT_DATA_DIR=$(RUN)/data $(BIN)/bestchat models add smollm2-135m
	@BESTCHAT_DATA_DIR=$(RUN)/data BESTCHAT_DEFAULT_MODEL=$${BESTCHAT_DEFAULT_MODEL:-local/smollm2-135m} \
	PATH="$(CURDIR)/$(BIN):$$PATH" \
	JUPYTERLAB_SETTINGS_DIR=$(RUN)/settings \
	$(BIN)/jupyter lab --port=$(PORT) --ServerApp.root_dir=$(RUN)/notebooks \
	  --ServerApp.port_retries=0 --LanguageServerManager.autodetect=False \
	  --LabApp.default_url=/lab/tree/01_quickstart.ipynb \
	  $(if $(filter none,$(BROWSER)),--no-browser) $(if $(filter 0,$(shell id -u)),--allow-root)

test: test-python test-web

# What failed is tried once more, and both runs are printed: on a busy machine a page, a kernel or a line
# that is cut at random stalls now and then. What fails twice has failed.
test-python: $(VENV)/panel labextension/node_modules/installed
	@scripts/ensure chromium postgres redis
	@$(BIN)/python -m pytest $(AT_ONCE) --ignore tests/ui --ignore tests/faults || $(BIN)/python -m pytest --ignore tests/ui --ignore tests/faults --last-failed
	@$(BIN)/python -m pytest tests/faults
	@$(BIN)/python -m pytest tests/ui || $(BIN)/python -m pytest tests/ui --last-failed

test-web: labextension/node_modules/installed
	@npm --prefix labextension run check
	@npm --prefix labextension run test

test-versions: $(VENV)/installed
	@scripts/ensure chromium
	@scripts/test_with python3.11 'jupyter-server==2.14.*' 'ipykernel==6.31.*' -- $(AT_ONCE) tests/web tests/notebooks tests/ui/test_answer_button.py
	@scripts/test_with python3.13 -- $(AT_ONCE) tests/unit tests/doors
	@scripts/test_with python3.11 'notebook==7.6.*' 'voila==0.5.*' -- tests/ui/test_widget.py
	@scripts/test_with python3.11 'jupyter-collaboration==4.*' -- tests/ui/test_rtc.py

faults: $(VENV)/installed
	@scripts/ensure postgres
	@BESTCHAT_FAULTS=all $(BIN)/python -m pytest tests/faults -s

lint: $(VENV)/installed labextension/node_modules/installed
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@npm --prefix labextension run lint

bench: $(VENV)/panel
	@$(BIN)/python tests/bench/load.py
	@$(BIN)/python tests/bench/cells.py
	@$(BIN)/python tests/bench/lanes.py $(if $(CI),--short)
	@$(BIN)/python tests/bench/catalog.py
	@$(BIN)/python tests/bench/conversations.py $(if $(CI),--short)
	@$(BIN)/python tests/bench/streams.py $(if $(CI),--short)
	@scripts/ensure chromium
	@$(BIN)/python tests/bench/panel.py $(if $(CI),--short)

# Does not ask for the panel, which cannot be built as long as its types are of yesterday.
types: labextension/node_modules/installed
	@test -e $(VENV)/installed || $(MAKE) $(VENV)/installed
	@$(BIN)/python scripts/make_api_types.py

lock:
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --custom-compile-command "make lock" --extra dev --output-file requirements.lock pyproject.toml

clean:
	@rm -rf $(VENV) .run labextension/node_modules labextension/lib labextension/dist bestchat_kernel/static
