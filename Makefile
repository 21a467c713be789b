# The verbs of the course; `make` alone lists them.
.PHONY: help lab test lint build check grade-demo term bench fuzz tour site pictures colab-mirror drift clean
.DEFAULT_GOAL := help

help:         ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile

lab:          ## install what is needed and open JupyterLab in labs/ (ARGS="--port 9000" go to it)
	@bash scripts/install.sh lab
	@bash scripts/lab.sh $(ARGS)

test:         ## install what the tests need and run them all (ARGS=--fast: 90 seconds; ARGS="-k tokenizer" go to pytest)
	@bash scripts/install.sh lab grade dev site cluster
	@bash scripts/test.sh $(ARGS)

lint:         ## imports that run one way, format, 120 columns, types (ARGS=--fix mends what a machine can)
	@bash scripts/install.sh lab grade dev site cluster
	@bash scripts/lint.sh $(ARGS)

build:        ## make labs/*.ipynb and solutions/*.ipynb from solutions/*.py (ARGS="02_pretraining --force")
	@bash scripts/install.sh lab grade dev
	@.venv/bin/course build $(ARGS)

check:        ## say whether the committed notebooks are what their sources give
	@bash scripts/install.sh lab grade dev
	@.venv/bin/course build --check $(ARGS)

grade-demo:   ## build a small class, grade it, print the table
	@bash scripts/install.sh lab grade dev
	@.venv/bin/python -m course_lib.bench.classes.demo $(ARGS)

term:         ## play a class's whole term with kills, compare every total (ARGS="--seed 7 --students 60")
	@bash scripts/install.sh lab grade dev
	@.venv/bin/python -m course_lib.bench.classes.term $(ARGS)

bench:        ## print a measured figure of docs/results (NAME=pretrain, ARGS=--json)
	@bash scripts/install.sh lab grade dev
	@.venv/bin/course bench $(NAME) $(ARGS)

fuzz:         ## an hour of inputs that may break the grader's readers (ARGS="--seconds 600 notebook"; --replay FILE)
	@bash scripts/install.sh lab grade dev
	@.venv/bin/python -c "import atheris" 2>/dev/null || .venv/bin/pip install -q --only-binary :all: atheris==3.0.0 || true
	@.venv/bin/python tests/fuzz/run.py $(ARGS)

tour:         ## the whole life-cycle in one run, half an hour: a table and a page (ARGS="--size tiny": half a minute)
	@bash scripts/install.sh lab
	@.venv/bin/course tour $(ARGS)

site:         ## the course as pages in build/site: labs without solutions, glossary, guides, the library
	@bash scripts/install.sh lab site
	@.venv/bin/python scripts/make_site.py $(ARGS)

pictures:     ## README's pictures, from the course's own models and notebooks (needs Chromium)
	@bash scripts/install.sh lab dev
	@.venv/bin/python scripts/pictures.py

colab-mirror: ## a venv with Colab's versions, all labs at size tiny in it (5 GB, by hand)
	@bash scripts/colab_mirror.sh $(ARGS)

drift:        ## all labs with the newest releases of transformers, trl, peft, datasets, ipywidgets, jupyterlab
	@bash scripts/install.sh lab grade dev
	@bash scripts/drift.sh $(ARGS)

clean:        ## remove what can be made again; your work/ and submissions/ stay
	@rm -rf .venv .pytest_cache .hypothesis .benchmarks build demo *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
