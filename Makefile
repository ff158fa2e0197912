# The front door. `make help` lists what there is; everything installs itself into .venv.
#
# Settings of `make daily` (all optional): DATE=2020-03-03 GRANULES=/data/amsr2 HEMISPHERE=north (south,
# both) MODE=auto (provisional, final) REPLACE=final FILL=gaps (none) REGION=svalbard OUT=/data/products
# DEVICE=auto SR=pmdrnet SIC=xception_aspp SETTINGS=my.toml SR_WEIGHTS=file SIC_WEIGHTS=file; of
# `make train`: DEVICE RECIPE
# Installation: TORCH=torch==2.13.0, PYTHON=python3.13 (3.11 to 3.13), VENV=.venv-3.13,
# PIP_INSTALL='pip install --index-url ...'.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# The first of some interpreters that runs; pyenv's stand in for those it does not put on the path.
first_that_runs = $(shell for each in $(1) $$HOME/.pyenv/versions/*/bin/$(firstword $(notdir $(1))); do \
  "$$each" -c '' 2> /dev/null && { command -v "$$each"; break; }; done)
version_of = $(shell "$(1)" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2> /dev/null)

VENV := .venv
ifneq ($(filter command line environment,$(origin PYTHON)),)
override PYTHON := $(or $(call first_that_runs,$(PYTHON)),$(error PYTHON=$(PYTHON) does not run))
# Another version than that of .venv gets an environment of its own, as .venv-3.13.
ifneq ($(wildcard .venv/bin/python),)
ifneq ($(call version_of,.venv/bin/python),$(call version_of,$(PYTHON)))
VENV := .venv-$(call version_of,$(PYTHON))
endif
endif
else
PYTHON = $(or $(call first_that_runs,python3.11 python3.12 python3.13),python3)
endif
BIN := $(VENV)/bin
TORCH ?= torch==2.13.0
PIP_INSTALL ?= pip install --no-compile
OUT ?= products

# Only what was given is passed on, so that a settings file is not overruled by defaults.
option = $(if $($(2)),--$(1) "$($(2))")
METHOD = $(call option,device,DEVICE) $(call option,sr,SR) $(call option,sic,SIC) \
         $(call option,sr-weights,SR_WEIGHTS) $(call option,sic-weights,SIC_WEIGHTS)
RUN = $(call option,settings,SETTINGS) $(call option,date,DATE) $(call option,granules,GRANULES) \
      $(call option,hemisphere,HEMISPHERE) $(call option,region,REGION) $(call option,mode,MODE) \
      $(call option,replace,REPLACE) $(call option,fill,FILL) \
      $(if $(SETTINGS),$(if $(filter command line environment,$(origin OUT)),--out "$(OUT)"),--out "$(OUT)") \
      $(METHOD)
REPORT = $(if $(filter command line environment,$(origin OUT)),--out "$(OUT)")
# A date needs granules: only where neither is given, the demo is made, whose ice is simulated.
DEMO = $(if $(DATE)$(GRANULES)$(SETTINGS),,--demo)

.PHONY: help daily fetch browse reprocess watch status verify prune chaos fuzz endurance scaling capacity lock audit sbom series scene test test-slow test-desktop lint types layers notebook-test docs train ablations variants compare model-pages evaluate reality classical scene-page bench doctor install clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
	@echo
	@sed -n '3,8s/^# /  /p' $(firstword $(MAKEFILE_LIST))

daily: $(VENV)/.run ## a day's map: of GRANULES= for DATE=; without both, the demo's
	@$(BIN)/seaice daily $(DEMO) $(RUN)

browse: $(VENV)/.run ## products of OUT= in a web browser; EXPORT=folder writes static files instead
	@$(BIN)/seaice browse "$(OUT)" $(call option,port,PORT) $(call option,export,EXPORT)

series: $(VENV)/.run ## extent and area of all products in OUT=folder, by sea, as CSV
	@$(BIN)/seaice series "$(OUT)"

fetch: $(VENV)/.fetch ## granules from JAXA (account in the environment): START= END= GRANULES=folder SOURCE=jaxa
	@$(BIN)/seaice fetch --start "$(START)" --end "$(or $(END),$(START))" --out "$(GRANULES)" \
	  $(call option,source,SOURCE) $(call option,level,LEVEL) $(if $(DRY_RUN),--dry-run)

reprocess: $(VENV)/.run ## many days: START= END= HEMISPHERE=both WORKERS=4, or SCHEDULER=tcp://... or CLUSTER=slurm
	@$(BIN)/seaice reprocess $(call option,start,START) $(call option,end,END) \
	  $(call option,workers,WORKERS) $(call option,scheduler,SCHEDULER) \
	  $(call option,cluster,CLUSTER) $(call option,cluster-settings,CLUSTER_SETTINGS) \
	  $(call option,memory,MEMORY) $(if $(DRY_RUN),--dry-run) $(RUN)

watch: $(VENV)/.run ## provisional maps as granules arrive in GRANULES=
	@$(BIN)/seaice watch $(RUN)

status: $(VENV)/.run ## which days of OUT= are final, provisional, failed and why
	@$(BIN)/seaice status "$(OUT)"

verify: $(VENV)/.run ## every product of OUT= against its manifest; REPAIR=1 makes damaged ones again
	@$(BIN)/seaice verify "$(OUT)" $(if $(REPAIR),--repair) $(call option,granules,GRANULES)

prune: $(VENV)/.run ## remove kept stages of OUT= that no day to come needs: KEEP=4 days
	@$(BIN)/seaice prune "$(OUT)" $(call option,keep,KEEP)

chaos: $(VENV)/.test ## faults at random moments: KIND=processes, or forked (many, quick): ROUNDS=6 SEED=0 DAYS=2
	$(BIN)/python -m pipelines.research.faults.$(if $(filter forked,$(KIND)),forked,chaos) \
	  $(call option,rounds,ROUNDS) $(call option,seed,SEED) $(call option,days,DAYS)

fuzz: $(VENV)/.run ## damaged files, each to be refused with a reason: KIND=granules (settings, weights, references) COUNT=500 SEED=0
	$(BIN)/python -m pipelines.research.faults.fuzz $(call option,kind,KIND) $(call option,count,COUNT) $(call option,seed,SEED)

endurance: $(VENV)/.run ## many small days in one go, memory and files looked at: DAYS=200 SEED=0
	$(BIN)/python -m pipelines.research.faults.endurance $(call option,days,DAYS) $(call option,seed,SEED)

scaling: $(VENV)/.run ## small days on 1, 2, 4 local workers: DAYS=8
	$(BIN)/python -m pipelines.research.faults.scaling $(call option,days,DAYS)

capacity: $(VENV)/.run ## what fourteen years of both hemispheres would take, from benchmarks/results.csv
	@$(BIN)/python -m benchmarks.capacity

lock: $(VENV)/.audit ## requirements.lock: every dependency by version and hash
	$(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --no-emit-index-url --no-emit-find-links \
	  --no-header \
	  --strip-extras --extra s3 --extra cluster --extra docs --output-file requirements.lock pyproject.toml
	sed -i -e '/^# The following packages/d' -e '1i # Every dependency, with the extras s3, cluster and docs, by version and SHA-256: made by `make lock`.\n# torch brings CUDA here; where there is none, take its CPU build from its own index.' requirements.lock

audit: $(VENV)/.audit ## known weaknesses of the locked dependencies; needs the network
	@$(BIN)/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock || \
	  { echo "audit: not clean. Either weaknesses are listed above, or the database was not reached"; \
	    echo "or knows a package not: then nothing was audited. Try again where pypi.org answers."; exit 1; }

sbom: $(VENV)/.audit ## sbom.json: what the package is made of, CycloneDX
	$(BIN)/cyclonedx-py requirements requirements.lock --output-reproducible --of JSON -o sbom.json

scene: $(VENV)/.run ## a map of one scene file: FILE=scene.nc OUT=folder
	@$(BIN)/seaice scene "$(FILE)" --out "$(OUT)" $(call option,settings,SETTINGS) $(METHOD)

test: lint types layers ## lint, types, import layers and the fast tests
	$(BIN)/pytest -n 2

test-desktop: $(VENV)/.test ## products in a real QGIS and a real Chromium (Debian: python3-qgis chromium chromium-driver)
	$(BIN)/pytest -n 2 -m "desktop"

test-slow: $(VENV)/.test ## the tests that take longer than a few seconds
	$(BIN)/pytest -n 2 -m "slow or desktop"

lint: $(VENV)/.test ## ruff (rules and format), and terms that are not of the field
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pipelines.check_vocabulary --at-most 730

types: $(VENV)/.test ## mypy --strict
	$(BIN)/mypy --strict seaice pipelines

layers: $(VENV)/.test ## imports go one way
	$(BIN)/lint-imports

docs: $(VENV)/.docs ## these pages as HTML, build/docs; notebooks are run, warnings are errors
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going docs build/docs
	@echo "build/docs/index.html"

notebook-test: $(VENV)/.test ## every notebook from top to bottom, on a small sea made for them
	$(BIN)/pytest -m slow tests/test_notebooks.py

train: $(VENV)/.run ## train both networks on simulated days, in training/; goes on where it stopped
	$(BIN)/seaice train $(call option,recipe,RECIPE) $(call option,device,DEVICE)

ablations: $(VENV)/.run ## what each part of super-resolution brings: STEPS=1000 SPLIT=valid RECIPE=compact
	$(BIN)/python -m pipelines.research.ablations $(call option,steps,STEPS) $(call option,split,SPLIT) \
	  $(call option,recipe,RECIPE) $(call option,device,DEVICE)

variants: $(VENV)/.run ## what concentration gains from what it is told: STEPS=400 SPLIT=valid RECIPE=compact
	$(BIN)/python -m pipelines.research.variants $(call option,steps,STEPS) $(call option,split,SPLIT) \
	  $(call option,recipe,RECIPE) $(call option,sr-weights,SR_WEIGHTS) $(call option,device,DEVICE)

compare: $(VENV)/.run ## networks on one budget, all or SR=espcn,hat SIC=repvgg,scnet STEPS=150 SEEDS=1 SPLIT=valid
	$(BIN)/seaice compare $(call option,sr,SR) $(call option,sic,SIC) $(call option,steps,STEPS) \
	  $(call option,seeds,SEEDS) $(call option,split,SPLIT) $(call option,device,DEVICE)

model-pages: $(VENV)/.run ## docs/models: a page for every network
	$(BIN)/python -m pipelines.model_pages

evaluate: $(VENV)/.run ## a report: PRODUCT= against REFERENCE=, or methods on simulated test WORLDS=48
	@$(BIN)/seaice evaluate $(if $(PRODUCT),"$(PRODUCT)" "$(REFERENCE)") $(REPORT) \
	  $(call option,date,DATE) $(call option,cell,CELL) $(if $(PRODUCT),,--worlds "$(or $(WORLDS),48)") \
	  $(call option,device,DEVICE) $(foreach one,$(METHODS),--method "$(one)")

reality: $(VENV)/.run ## simulated days against real observations, with verdicts: docs/reality.md; REAL=folder of files
	@$(BIN)/python -m pipelines.research.reality $(call option,real,REAL)

classical: $(VENV)/.run ## formulas on real samples beside published figures: docs/classical.md, RRDP=file
	@$(BIN)/python -m pipelines.research.classical_page "$(RRDP)"

scene-page: $(VENV)/.run ## the picture of docs/scene.md: one real scene by several methods, FILE=scene.nc
	@$(BIN)/python -m pipelines.scene_page "$(FILE)"

bench: $(VENV)/.test ## speed beside what users would do otherwise, and the limit: docs/performance.md; ONLY="reading day" RUNS=5
	$(BIN)/python -m benchmarks $(ONLY) $(call option,runs,RUNS)

doctor: $(VENV)/.run ## what is installed, which device, are weights and GRANULES= usable
	@$(BIN)/seaice doctor $(call option,granules,GRANULES)

install: $(VENV)/.run ## the package into .venv

clean: ## remove everything made here: .venv, products, caches
	rm -rf $(VENV) .venv-* products granules build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache \
	       .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# torch first and pinned: pip would otherwise choose a build of several GB for graphics cards.
$(VENV)/.torch:
	@echo "Installing into $(VENV), once: PyTorch and some 60 packages. Minutes, most of them without a word."
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m $(PIP_INSTALL) --quiet "$(TORCH)"
	touch $@

$(VENV)/.run: pyproject.toml | $(VENV)/.torch
	$(BIN)/python -m $(PIP_INSTALL) --quiet --editable .
	touch $@

$(VENV)/.fetch: pyproject.toml | $(VENV)/.run
	$(BIN)/python -m $(PIP_INSTALL) --quiet --editable ".[fetch]"
	touch $@

$(VENV)/.audit: pyproject.toml | $(VENV)/.run
	$(BIN)/python -m $(PIP_INSTALL) --quiet --editable ".[audit]"
	touch $@

$(VENV)/.docs: pyproject.toml | $(VENV)/.run
	$(BIN)/python -m $(PIP_INSTALL) --quiet --editable ".[docs]"
	touch $@

$(VENV)/.test: pyproject.toml | $(VENV)/.run
	$(BIN)/python -m $(PIP_INSTALL) --quiet --editable ".[test]"
	touch $@
