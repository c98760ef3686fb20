# make          what there is
# make demo     the main job on real text, from nothing
# make test     the tests, from nothing

SHELL = /bin/sh
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
W2V ?= $(BIN)/w2v

.DEFAULT_GOAL = help
.DELETE_ON_ERROR:

.PHONY: help
help:  ## show these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# ---------------------------------------------------------------- set-up

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

# ---------------------------------------------------------------- the main job

DEMO = runs/demo

.PHONY: demo
demo: $(VENV)/installed  ## preprocess, train, similar and analogy on the news text inside Gensim's wheel
	@mkdir -p runs
	$(W2V) preprocess "$$($(BIN)/python -c 'from gensim.test.utils import datapath; print(datapath("lee_background.cor"))')" -o $(DEMO).txt.gz
	$(W2V) train $(DEMO).txt.gz -o $(DEMO) -c configs/small-corpus.yaml
	$(W2V) similar $(DEMO) police israel cricket -n 5
	$(W2V) analogy $(DEMO) sharon israeli arafat -n 5

# make model CORPUS='texts/*.txt' CONFIG=my.yaml RUN=runs/mine: the whole pipeline, doing again only what changed.
# The tokens depend on the config's preprocess section and on the list and the times of the text files; both are kept
# in RUN.preprocess.txt, which is new when one of them is. The model depends on the tokens and on the whole config.

CORPUS ?=
CONFIG ?= configs/default.yaml
RUN ?= runs/model
ROOM = $(patsubst %/,%,$(RUN))
TOKENS ?= $(ROOM).txt.gz

.PHONY: model
model:  ## train on CORPUS=... with CONFIG=... into RUN=..., doing again only what changed
	@test -n "$(CORPUS)" && test -n "$$(find $(CORPUS) -type f 2>/dev/null | head -n 1)" || \
		{ echo "make model: CORPUS='$(CORPUS)' names no file" >&2; exit 2; }
	@mkdir -p "$(dir $(ROOM))"
	@$(MAKE) --no-print-directory -f $(firstword $(MAKEFILE_LIST)) $(ROOM)/model/word2vec.model

$(ROOM).preprocess.txt: always $(VENV)/installed
	@settings=$$($(W2V) config show -c $(CONFIG) --tsv) || exit 2; \
	{ echo "$$settings" | grep '^preprocess\.' | cut -f 1,2; find $(CORPUS) -type f | LC_ALL=C sort; } >$@.new
	@if cmp -s $@.new $@ && test -f $(TOKENS) && test -z "$$(find $(CORPUS) -type f -newer $(TOKENS) | head -n 1)"; \
	then rm $@.new; else mv $@.new $@; fi

$(TOKENS): $(ROOM).preprocess.txt
	$(W2V) preprocess $(CORPUS) -o $@ -c $(CONFIG)

$(ROOM)/model/word2vec.model: $(TOKENS) $(CONFIG)
	$(W2V) train $(TOKENS) -o $(ROOM) -c $(CONFIG) --force

.PHONY: always
always:

# ---------------------------------------------------------------- development

.PHONY: test
test: $(VENV)/installed-dev  ## the tests, some minutes on two cores
	$(BIN)/python -m pytest

.PHONY: test-slow
test-slow: $(VENV)/installed-dev  ## the tests that take long
	$(BIN)/python -m pytest -m slow

.PHONY: check
check: $(VENV)/installed-dev  ## format, lint, types, and the README's reference against --help
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m tests.readme_reference --check

.PHONY: fix
fix: $(VENV)/installed-dev  ## mend what check can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m tests.readme_reference --write

# make bench TOKENS=novels.txt.gz: skip-gram of 100 dimensions, two threads, as in the README; a long while
BENCH = --set word2vec.sg=1 --set word2vec.sample=1e-4 --set word2vec.workers=2

.PHONY: bench
bench: $(VENV)/installed-dev  ## speed, memory and quality beside Gensim and, where installed, fastText, on TOKENS=...
	@test -f "$(TOKENS)" || { echo "make bench: TOKENS=$(TOKENS) is no file; it wants tokenised text" >&2; exit 2; }
	$(W2V) bench train $(TOKENS) $(BENCH)

TORTURE = build/torture
KILLS ?= 1000

.PHONY: torture
torture: $(VENV)/installed-dev  ## kill training a thousand times, fail every write, fill the disk; a quarter of an hour
	rm -rf $(TORTURE) && mkdir -p $(TORTURE)/mounted
	$(BIN)/python -m tests.faults.torture $(TORTURE)/killed $(KILLS)
	cc -shared -fPIC -O1 -o $(TORTURE)/shim.so tests/faults/shim.c -ldl
	for turn in 0 1 2 3; do LD_PRELOAD=$(TORTURE)/shim.so $(BIN)/python -m tests.faults.injected \
		$(TORTURE)/injected$$turn $(TORTURE)/shim.so 1 $$turn || exit 1; done
	unshare --user --map-root-user --mount sh -c 'mount -t tmpfs -o size=160m none $(TORTURE)/mounted && \
		$(BIN)/python -m tests.faults.full $(TORTURE)/mounted $(TORTURE)/full'

SMOKE = build/smoke

.PHONY: smoke
smoke:  ## the wheel in a clean environment, without the development dependencies
	rm -rf $(SMOKE)
	$(PYTHON) -m venv $(SMOKE)
	$(SMOKE)/bin/pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(SMOKE)/dist .
	$(SMOKE)/bin/pip install --quiet --disable-pip-version-check $(SMOKE)/dist/*.whl
	cd $(SMOKE) && bin/w2v preprocess "$$(bin/python -c 'from gensim.test.utils import datapath; print(datapath("lee_background.cor"))')" -o lee.txt
	cd $(SMOKE) && bin/w2v train lee.txt -o run && bin/w2v similar run police -n 3 && bin/w2v info run

.PHONY: clean
clean:  ## remove the environment, the demo's run and what tools left
	rm -rf $(VENV) $(DEMO) $(DEMO).txt.gz build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
