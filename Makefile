# Everything runs in .venv, which the first target that needs it makes.
# PYTHON names the interpreter to make it with (3.12 or newer).
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
READY := $(VENV)/.ready
TYPES := build/types
LOWEST := build/lowest

.PHONY: demo docs gallery test test-all test-browser test-kill test-fits test-lowest fuzz lint format check types notebooks notebooks-full calibrate cards bench clean

demo: $(READY)
	$(RUN) -m bayesmig demo

# files in their order: every study is compiled in the first, the others find it in the cache
test: $(READY)
	$(RUN) -m pytest -q -m "not slow and not fits and not timed and not browser" -n 2 --dist loadfile --no-loadscope-reorder
	$(RUN) -m pytest -q -m timed

test-all: $(READY)
	$(RUN) -m pytest -q

# the site, without a network; what it warns of is an error
docs: $(READY)
	@$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	@rm -rf build/site
	$(RUN) -m sphinx -q -E -W --keep-going -c docs -d build/doctrees . build/site
	@echo "build/site/index.html"

# the pictures of docs/gallery.md
gallery: $(READY)
	$(RUN) docs/gallery.py

# report and site in a real browser: needs Chromium, and installs what drives it
test-browser: docs
	@$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[browser]"
	$(RUN) -m pytest -q -m browser

# runs of the command line ended by every signal at every place, and at forty random times
test-kill: $(READY)
	$(RUN) -m pytest -q -m slow tests/safety/test_killed.py

# short fits of the studies that take longest to compile, in other processes and in a cluster
test-fits: $(READY)
	$(RUN) -m pytest -q -m "fits and not slow" -n 2 --dist loadfile

# the oldest versions that pyproject.toml allows, in an environment of their own
test-lowest: $(READY)
	@$(RUN) -m venv $(LOWEST)
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-lowest.txt -e ".[test]"
	$(LOWEST)/bin/python -m pytest -q -m "not slow and not fits and not timed and not browser" tests/engine tests/studies/emigration

# 20,000 damaged files at every door, an hour or so
fuzz: $(READY)
	$(RUN) tests/fuzz 20000

lint: format check types

format: $(READY)
	$(RUN) -m ruff format --check .

check: $(READY)
	$(RUN) -m ruff check .

# mypy sees the package as it is installed: models/ where its import path says
types: $(READY)
	@rm -rf $(TYPES)/bayesmig && mkdir -p $(TYPES)/bayesmig
	@ln -s $(CURDIR)/bayesmig/* $(CURDIR)/models $(TYPES)/bayesmig/
	cd $(TYPES) && $(CURDIR)/$(RUN) -m mypy --config-file $(CURDIR)/pyproject.toml -p bayesmig

# every notebook, few draws, nothing stored
notebooks: $(READY)
	$(RUN) notebooks/run.py --quick

# every notebook at its full length, its output stored
notebooks-full: $(READY)
	$(RUN) notebooks/run.py

# the coverage tables of the model cards
calibrate: $(READY)
	$(RUN) -m bayesmig.models.emigration.recovery
	$(RUN) -m bayesmig.models.emigration.microdata.recovery
	$(RUN) -m bayesmig.models.social_capital.recovery
	$(RUN) -m bayesmig.models.transnationalism.recovery
	$(RUN) -m bayesmig.models.snapshot.recovery

# the tables of the model cards, from what calibrate and the like have stored
cards: $(READY)
	$(RUN) -m bayesmig.stored models/*/

# seconds to the first draw and to compile, cold and warm; the snapshot model, the multinomial logit
# (with several columns of groups, too; of a million people) and counted persons against peers; all of
# it stored, with machine, versions and commit, and put into docs/speed.md
bench: $(READY)
	$(RUN) benchmarks/run.py

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || \
	  { echo "bayesmig needs Python 3.12 or newer, and $(PYTHON) is not: make $(MAKECMDGOALS) PYTHON=python3.13"; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (once; a minute or two)"
	@$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info out
