"""PyTorch's side of training.ts: one step for each line on standard input, its processor seconds on standard output."""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

settings = json.loads(sys.argv[1])
shape = settings["shape"]
torch.set_num_threads(settings["threads"])
torch.manual_seed(0)
width, length, vocab = shape["hiddenSize"], shape["contextLength"], shape["vocabSize"]
heads, kv_heads, inner = shape["numHeads"], shape["numKvHeads"], shape["intermediateSize"]
head_dim = width // heads
angles = torch.outer(torch.arange(length).float(), 10000.0 ** (-torch.arange(0, head_dim, 2) / head_dim))
cosines, sines = torch.cos(angles), torch.sin(angles)


def rotate(x):
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cosines - b * sines, b * cosines + a * sines), -1).flatten(-2)


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn_norm, self.ffn_norm = nn.RMSNorm(width, 1e-5), nn.RMSNorm(width, 1e-5)
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, kv_heads * head_dim, bias=False)
        self.v = nn.Linear(width, kv_heads * head_dim, bias=False)
        self.o = nn.Linear(width, width, bias=False)
        self.gate, self.up = nn.Linear(width, inner, bias=False), nn.Linear(width, inner, bias=False)
        self.down = nn.Linear(inner, width, bias=False)

    def forward(self, x):
        y = self.attn_norm(x)
        q, k, v = (p(y).view(len(x), length, -1, head_dim).transpose(1, 2) for p in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(rotate(q), rotate(k), v, is_causal=True, enable_gqa=True)
        x = x + self.o(y.transpose(1, 2).flatten(-2))
        y = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(y)) * self.up(y))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(vocab, width)
        self.layers = nn.Sequential(*(Layer() for _ in range(shape["numLayers"])))
        self.norm = nn.RMSNorm(width, 1e-5)

    def forward(self, tokens):
        return F.linear(self.norm(self.layers(self.embedding(tokens))), self.embedding.weight)


model = Model()
for parameter in model.parameters():
    if parameter.dim() == 2:
        nn.init.normal_(parameter, std=0.02)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
for line in sys.stdin:
    begin = time.process_time()
    windows = torch.randint(vocab, (settings["windows"], length + 1))
    loss = F.cross_entropy(model(windows[:, :-1]).flatten(0, 1), windows[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    print(time.process_time() - begin, flush=True)
