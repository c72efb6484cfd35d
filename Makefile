# The course's commands. All but `help` need Node 20.19 or newer; `lab` and `test` also Python 3.10.
# On Windows, where there is no make: npx infinity lab, npx infinity setup, npm test.

ARGS ?=
INFINITY := node src/cli/infinity.js
# Their binaries come in packages; nothing is downloaded or compiled besides.
INSTALL_PEERS := NODE_LLAMA_CPP_SKIP_DOWNLOAD=true npm install --no-audit --no-fund --no-package-lock --silent

.DEFAULT_GOAL := help
.PHONY: help lab setup test bench bench-browser bench-decoding bench-engine bench-kernel bench-paging bench-perplexity bench-quant bench-quant-model bench-report bench-training bench-webgpu oracles format notebooks slides clean ready node

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
	@cd bench && $(INSTALL_PEERS)
	@cd bench && node --import tsx kernel.ts $(ARGS)

bench-engine: ready ## how fast the engine is, beside node-llama-cpp and @huggingface/gguf (ARGS=--smoke for a minute)
	@cd bench && $(INSTALL_PEERS)
	@cd bench && node --import tsx engine.ts $(ARGS)

bench-decoding: ready ## what speculative decoding gains here, and what the formula says (ARGS=--smoke for a minute)
	@cd bench && node --import tsx decoding.ts $(ARGS)

bench-paging: ready ## requests served from one memory: reserved, in blocks, in shared blocks (ARGS=--smoke)
	@cd bench && node --import tsx paging.ts $(ARGS)

bench-webgpu: ready ## how much of a GPU's bandwidth the WebGPU kernels use (ARGS=--software tries it without a GPU)
	@cd bench && node --import tsx webgpu.ts $(ARGS)

bench-browser: ready ## the same in Chromium, beside llama.cpp compiled to wasm (ARGS=--smoke)
	@cd bench && $(INSTALL_PEERS)
	@cd bench && node --import tsx browser.ts $(ARGS)

bench-perplexity: ready ## what compression costs the shipped model, said by us and by llama.cpp (ARGS="--chunks 8")
	@cd bench && $(INSTALL_PEERS)
	@cd bench && node --import tsx perplexity.ts $(ARGS)

bench-report: ready ## bring all that was measured into bench/results/README.md
	@node --import tsx bench/report.ts

oracles: ready build/oracles/.venv ## make the tests' golden values again and compare; ask llama.cpp about what we write
	@build/oracles/.venv/bin/python oracles/check_goldens.py $(ARGS)
	@cd bench && $(INSTALL_PEERS)
	@node --import tsx/esm node_modules/mocha/bin/mocha.js --no-config --exit --timeout 600000 bench/llama-cpp.check.ts

build/oracles/.venv: oracles/requirements.txt
	@python3 -m venv build/oracles/.venv
	@build/oracles/.venv/bin/python -m pip install --quiet --only-binary :all: -r oracles/requirements.txt
	@touch build/oracles/.venv

bench-training: ready build/bench-training/.venv ## how fast a training step is, beside PyTorch on the same processor (ARGS="--preset draft")
	@cd bench && node --import tsx training.ts $(ARGS)

build/bench-training/.venv: bench/requirements-training.txt
	@python3 -m venv build/bench-training/.venv
	@build/bench-training/.venv/bin/python -m pip install --quiet --only-binary :all: -r bench/requirements-training.txt
	@touch build/bench-training/.venv

bench-quant: ready build/bench-quant/.venv ## how fast GPTQ is, beside PyTorch on the same processor
	@cd bench && node --import tsx quant.ts $(ARGS)

bench-quant-model: ready ## GPTQ of a model of 1.1 billion weights: time and memory (ARGS="--layers 1" for a part)
	@cd bench && node --import tsx quant-model.ts $(ARGS)

build/bench-quant/.venv: bench/requirements-training.txt
	@python3 -m venv build/bench-quant/.venv
	@build/bench-quant/.venv/bin/python -m pip install --quiet --only-binary :all: -r bench/requirements-training.txt
	@touch build/bench-quant/.venv

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
