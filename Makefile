# The course's commands. All but `help` need Node 20.19 or newer; `lab` and `test` also Python 3.10.
# On Windows, where there is no make: npx infinity lab, npx infinity setup, npm test.

ARGS ?=
INFINITY := node src/cli/infinity.js

.DEFAULT_GOAL := help
.PHONY: help lab setup test bench bench-kernel format notebooks slides clean ready node

help: ## print this
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/make \1	\2/p' Makefile

lab: node ## set everything up and open the course in JupyterLab (ARGS="--no-browser --port 8899")
	@$(INFINITY) lab $(ARGS)

setup: node ## set everything up and stop
	@$(INFINITY) setup $(ARGS)

test: ready ## everything that this machine can check (ARGS="--grep quant" for a part)
	@node node_modules/mocha/bin/mocha.js $(ARGS)

bench: ready bench/.venv ## how fast the engine is on this machine, beside its peers
	@cd bench && node --import tsx quantize.ts $(ARGS)

bench-kernel: ready ## how fast the kernel is, beside those of Deno and IPython
	@cd bench && npm install --no-audit --no-fund --no-package-lock --silent
	@cd bench && node --import tsx kernel.ts $(ARGS)

bench/.venv: bench/requirements.txt
	@python3 -m venv bench/.venv
	@bench/.venv/bin/python -m pip install --quiet --only-binary :all: -r bench/requirements.txt
	@touch bench/.venv

format: ready ## bring every file into the one format
	@node node_modules/prettier/bin/prettier.cjs --write --log-level warn .

notebooks: ready ## run every notebook and keep its outputs, with pictures of its figures
	@.venv/bin/python kernel-ext/jupyter/run_notebooks.py notebooks/*.ipynb
	@node --import tsx/esm kernel-ext/labextension/add-figure-images.ts notebooks/*.ipynb

slides: ready ## an offline deck for each notebook, below build/slides (ARGS="01 --out DIR")
	@$(INFINITY) slides $(ARGS)

clean: ## remove all that set-up and the commands above have made
	rm -rf build node_modules .venv .infinity

ready: node
	@$(INFINITY) setup

node:
	@command -v node >/dev/null || { echo "Node was not found: install Node 20.19 or newer from nodejs.org, then run this again." >&2; exit 2; }
