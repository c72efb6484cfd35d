"""PyTorch's side of quant.ts: GPTQ of one layer for each line on standard input, in float32 on the processor.

The same algorithm, step by step, as `src/quant/gptq.ts` has it: Hessian, damping, the factor of its
inverse, columns in blocks, a scale for each group from the weights as they then are. Prints the seconds
of each part, and the error that is left as a part of the outputs' mean square.
"""

import json
import sys
import time

import torch

settings = json.loads(sys.argv[1])
size, tokens, bits = settings["size"], settings["tokens"], settings["bits"]
group, block, chunk = settings["group"], settings["block"], settings["chunk"]
torch.set_num_threads(settings["threads"])
torch.manual_seed(0)
weights = torch.randn(size, size) * 0.02
# Activations with a spectrum, as a model's have: neighbouring channels are mixed, and some are large.
inputs = torch.randn(tokens, size)
inputs = (inputs + inputs.roll(1, 1) + 0.5 * inputs.roll(7, 1)) * (1 + 4 * torch.rand(size) ** 8)
top = 2 ** (bits - 1)


def hessian():
    h = torch.zeros(size, size)
    for i in range(0, tokens, chunk):
        x = inputs[i : i + chunk]
        h.addmm_(x.T, x, alpha=2 / tokens)
    return h


def inverse_factor(h):
    h = h.clone()
    h.diagonal().add_(0.01 * h.diagonal().mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(h))
    return torch.linalg.cholesky(inverse, upper=True)


def sweep(upper):
    w = weights.clone()
    q = torch.empty_like(w)
    for begin in range(0, size, block):
        end = min(size, begin + block)
        part, u = w[:, begin:end].clone(), upper[begin:end, begin:end]
        errors = torch.empty_like(part)
        for i in range(end - begin):
            if (begin + i) % group == 0:
                here = part[:, i : i + group]
                scale = here.abs().amax(1).clamp(min=1e-12) / (top - 0.5)
            column = part[:, i]
            value = (column / scale).round().clamp(-top, top - 1) * scale
            error = (column - value) / u[i, i]
            part[:, i:].addr_(error, u[i, i:], alpha=-1)
            q[:, begin + i] = value
            errors[:, i] = error
        w[:, end:].addmm_(errors, upper[begin:end, end:], alpha=-1)
    return q


for line in sys.stdin:
    marks = [time.perf_counter()]
    h = hessian()
    marks.append(time.perf_counter())
    upper = inverse_factor(h)
    marks.append(time.perf_counter())
    q = sweep(upper)
    marks.append(time.perf_counter())
    difference = (weights - q).double()
    error = ((difference @ h.double()) * difference).sum() / ((weights.double() @ h.double()) * weights).sum()
    seconds = [b - a for a, b in zip(marks, marks[1:])]
    print(json.dumps({"hessian": seconds[0], "factor": seconds[1], "sweep": seconds[2], "error": error.item()}), flush=True)
