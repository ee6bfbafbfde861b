# make first               pictures of what the shipped network knows, in first.png, before anything is trained
# make study               the study of params.yaml, through dvc and snakemake; make study STUDY=smoke runs studies/smoke.yaml
# make evidence            that study and the small ones beside it, which together test what the papers claim, then the ledger
# make test                the tests
# make test-long           a thousand odd studies, folders and tables of each kind, a thousand folders that change under way, and
#                          ten thousand pictures of each format, where `make test` tries fifty, ten and a hundred
# make lint                style, formats, the workflow and the types; changes nothing
# make test-slurm          the smoke study on a SLURM started on this machine (root, Debian's packages; else it says why not)
# make base                the shipped codec once more, and the base's third stage from its second (an hour)
# make base-flow           the base along the straight path, from the shipped one (half an hour)
# make base-photo          the codec of photographs once more, and the base trained with it (studies/base-photo.yaml says what it needs)
# All set up .venv first, whenever requirements.lock or pyproject.toml changed. Killed? Repeat the command.

STUDY_FILE := $(if $(STUDY),studies/$(STUDY).yaml,params.yaml)
# Where a job fails, dvc leaves out every later stage; snakemake then makes what does not need it, and a draft report.
# In a source archive: dvc needs git, snakemake does not.
UNVERSIONED := $(if $(wildcard .git),,yes)
PYTHON := $(shell command -v python3.11 || command -v python3)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Bytecode is kept, whatever this shell says: without it every job would compile torch anew, which takes longer than most.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: first study evidence test test-long lint test-slurm sheet base base-flow base-photo

first: .venv/ready
	finefit grid first.png

# Where the plan begins with no missing job, snakemake is not started to find that out once more.
study: .venv/ready
	@planned="$$(finefit plan $(STUDY_FILE))" || exit; \
	    $(if $(or $(STUDY),$(UNVERSIONED)),if [ "$${planned#missing}" != "$$planned" ]; then set -x; snakemake --configfile $(STUDY_FILE); fi,\
	    set -x; dvc repro || { snakemake; false; })
	$(if $(UNVERSIONED),@echo "No git here: no version of the artifacts is kept. For that: git init && git add -A && git commit && make study")
	@echo "The report: reports/$$(sed -n 's/^name: *//p' $(STUDY_FILE))/index.html"
	@echo "For finefit, snakemake and dvc by name in this terminal: . .venv/bin/activate"

# What mini leaves open: each study answers one question (docs/studies.md), at most an hour of two cores.
EVIDENCE := depth rates factors resolution shift fewshot steps

evidence: study
	for name in $(EVIDENCE); do $(MAKE) --no-print-directory study STUDY=$$name || exit; done
	finefit ledger reports

# The classes that the README's picture shows: one of each kind.
SHOWN := streaked golden eight-petal flower, speckled wine oval leaf, tipped pink swallow-tailed butterfly, \
    spotted silver fork-tailed fish, streaked tan flat mushroom, wing-barred orange short-tailed bird, \
    banded slate dark snail, spotted emerald slender beetle

test: .venv/ready
	pytest

test-long: .venv/ready
	FINEFIT_FUZZ=1000 pytest tests/test_fuzz.py tests/test_fuzz_pictures.py

lint: .venv/ready
	ruff check
	ruff format --check
	snakefmt --check Snakefile workflow
	snakemake --lint
	mypy

test-slurm: .venv/ready
	pytest -n 0 -m slurm -rs -s tests/test_slurm.py

sheet: .venv/ready
	finefit compare docs/sheet.png --methods full,difffit,finediffusion --classes "$(SHOWN)"

SECOND := 4926d70:data/base/mini-32.safetensors

base: .venv/ready
	@git cat-file -e $(SECOND) 2> /dev/null || { echo "The base's second stage is $(SECOND) of this repository's history, \
	which is not here: run git fetch --unshallow in a clone of it, and repeat"; false; }
	finefit fit-codec data/base/patch-pca-2.safetensors
	mkdir -p data/raw && git show $(SECOND) > data/raw/base-mini-32-second.partial
	mv data/raw/base-mini-32-second.partial data/raw/base-mini-32-second.safetensors
	snakemake phase_finetune --configfile studies/base.yaml
	finefit export-base data/base/mini-32.safetensors --study studies/base.yaml

base-flow: .venv/ready
	snakemake phase_finetune --configfile studies/base-flow.yaml
	finefit export-base data/base/mini-32-flow.safetensors --study studies/base-flow.yaml

base-photo: .venv/ready
	finefit fit-codec data/base/codec-photo.safetensors --photographs
	snakemake phase_finetune --configfile studies/base-photo.yaml
	finefit export-base data/base/photo-32.safetensors --study studies/base-photo.yaml

# pip brings uv, and uv the packages, in parallel; where it cannot, pip does, which takes minutes. uv does not read pip's
# configuration, so it is told of the local wheel folders that pip would search. The package itself is built by the
# pinned setuptools: nothing is fetched.
.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --no-compile --constraint requirements.lock uv || true
	wheels=$$(.venv/bin/pip config get global.find-links 2> /dev/null | sed 's/[^ ][^ ]*/--find-links &/g'); \
	    .venv/bin/uv pip install --quiet --compile-bytecode --python .venv/bin/python $$wheels -r requirements.lock || \
	    .venv/bin/pip install -r requirements.lock
	.venv/bin/pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
