"""NumPy's side of quantize.ts: one timed run for each line on standard input, seconds on standard output."""

import sys
import time

import numpy as np

rows, cols = int(sys.argv[1]), int(sys.argv[2])
W = np.random.default_rng(0).normal(0, 0.045, (rows, cols)).astype(np.float32)
copy = np.empty_like(W)


def memcpy():
    np.copyto(copy, W)


def int8_tensor():
    scale = np.abs(W).max() / np.float32(127)
    return np.clip(np.rint(W / scale), -128, 127).astype(np.int8)


def int4_group32():
    groups = W.reshape(-1, 32)
    scales = np.abs(groups).max(axis=1, keepdims=True) / np.float32(7)
    codes = np.clip(np.rint(groups / scales), -8, 7).astype(np.int8).reshape(-1, 2)
    return (codes[:, 0] & 15) | (codes[:, 1] << 4)


for line in sys.stdin:
    begin = time.perf_counter()
    globals()[line.strip()]()
    print(time.perf_counter() - begin, flush=True)
