#!/usr/bin/env python3
"""EntroPE (arXiv 2509.26157) in eager LibTorch, as one would write it for research: what bench-forecast is timed beside.

    entrope.py FILE [--threads N] [--repeats N] [--serve]

FILE is what `bench-forecast --write-peer FILE` writes: weights, windows and our forecast of them. The network here has
the same weights and must forecast the same; the cases are timed then, and told as JSON. --serve answers one line
"CASE TIMES" of standard input at a time instead, so that ours and this one can take turns.

Modules, padded batches and LibTorch's own kernels (Linear, RMSNorm, scaled_dot_product_attention, Adam), fp32:
windows (B,L,C) are normalised, put to bins, and an entropy model's logits (B C,L,V) written out; the patches' lengths
are split and padded in lists, to the longest row of the batch; the network attends under masks of such a batch.
Where the published code lets padding take part, masks keep it out here, as in ours: forecasts would depend on the
batch otherwise. Patches attend to their own tokens alone and P becomes 2 P + A, as first published; the head takes
tokens in the order (L,d), and no position stands behind the last value.
"""
import argparse
import json
import sys

import torch
import torch.nn.functional as F
from torch import nn

from peer import answer, keep_freed_memory, read_safetensors

FIRST_BIN = 5  # the tokens before it are no values
EPS = 1e-5


def heads_of(x, heads):
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)  # (N,H,T,d/H)


def joined(x):
    return x.transpose(1, 2).flatten(2)


class Tokeniser(nn.Module):
    def __init__(self, options):
        super().__init__()
        centres = torch.linspace(options["low"], options["high"], options["vocabulary"] - FIRST_BIN)
        self.register_buffer("edges", (centres[1:] + centres[:-1]) / 2)

    def forward(self, z):
        scale = z.abs().mean(-1, keepdim=True)
        scale = torch.where(scale > 0, scale, torch.ones_like(scale))
        return torch.bucketize(z / scale, self.edges, right=True) + FIRST_BIN


class EntropyBlock(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, bias=False)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.norm2 = nn.LayerNorm(width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, h):
        q, k, v = (heads_of(x, self.heads) for x in self.qkv(self.norm1(h)).chunk(3, -1))
        h = h + self.out(joined(F.scaled_dot_product_attention(q, k, v, is_causal=True)))
        return h + self.down(F.gelu(self.up(self.norm2(h))))


class EntropyModel(nn.Module):
    """Of the next value's bin, by a causal transformer in the manner of GPT-2."""

    def __init__(self, o):
        super().__init__()
        self.token = nn.Embedding(o["vocabulary"], o["width"])
        self.position = nn.Embedding(o["context"], o["width"])
        self.block = nn.ModuleList(EntropyBlock(o["width"], o["heads"]) for _ in range(o["depth"]))
        self.norm = nn.LayerNorm(o["width"], bias=False)

    def forward(self, ids):
        h = self.token(ids) + self.position.weight[: ids.shape[1]]
        for block in self.block:
            h = block(h)
        return F.linear(self.norm(h), self.token.weight)


class Patcher(nn.Module):
    """Lengths of the patches of each row, padded by zeros to the longest: (N,P)."""

    def __init__(self, options):
        super().__init__()
        self.model = EntropyModel(options["model"])
        self.quantile = options["boundaries"]["quantile"]
        self.most = options["boundaries"]["max_length"]

    def entropies(self, ids):
        log_p = F.log_softmax(self.model(ids), -1)
        return -(log_p.exp() * log_p).sum(-1)

    def split(self, lengths):
        out = []
        for length in lengths:
            while length > self.most:
                out.append(self.most)
                length -= self.most
            if length > 0:
                out.append(length)
        return out

    @torch.no_grad()
    def forward(self, ids):
        h = self.entropies(ids)
        starts = torch.zeros_like(h, dtype=torch.bool)
        starts[:, 1:] = h[:, :-1] > torch.quantile(h, self.quantile, dim=1, keepdim=True)
        patch = starts.cumsum(1)
        lengths = torch.zeros(len(h), int(patch.max()) + 1, dtype=torch.int64)
        lengths.scatter_add_(1, patch, torch.ones_like(patch))
        rows = [self.split(row) for row in lengths.tolist()]
        longest = max(len(row) for row in rows)
        return torch.tensor([row + [0] * (longest - len(row)) for row in rows])


class SwiGLU(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.w1 = nn.Linear(width, hidden, bias=False)
        self.w3 = nn.Linear(width, hidden, bias=False)
        self.w2 = nn.Linear(hidden, width, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class Rotary(nn.Module):
    """Pairs of features beside each other, turned as complex numbers."""

    def __init__(self, head, longest, theta=1e4):
        super().__init__()
        angle = torch.arange(longest)[:, None] * theta ** (-torch.arange(0, head, 2) / head)
        self.register_buffer("turn", torch.polar(torch.ones_like(angle), angle)[:, None])  # (T,1,d/2)

    def forward(self, x):  # (N,T,H,d)
        pairs = torch.view_as_complex(x.unflatten(-1, (-1, 2)))
        return torch.view_as_real(pairs * self.turn[: x.shape[1]]).flatten(-2)


class Layer(nn.Module):
    def __init__(self, width, heads, hidden, longest):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.RMSNorm(width, eps=EPS), nn.RMSNorm(width, eps=EPS)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.wide = SwiGLU(width, hidden)
        self.rotary = Rotary(width // heads, longest)

    def forward(self, h, mask=None):
        """Causal where no mask is given."""
        q, k, v = (x.unflatten(-1, (self.heads, -1)) for x in self.qkv(self.norm1(h)).chunk(3, -1))
        q, k, v = (x.transpose(1, 2) for x in (self.rotary(q), self.rotary(k), v))
        a = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        h = h + self.out(joined(a))
        return h + self.wide(self.norm2(h))


class Cross(nn.Module):
    """A of queries that attend to others."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm_query, self.norm_key = nn.RMSNorm(width, eps=EPS), nn.RMSNorm(width, eps=EPS)
        self.query = nn.Linear(width, width, bias=False)
        self.key_value = nn.Linear(width, 2 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)

    def forward(self, x, of, mask):
        q = heads_of(self.query(self.norm_query(x)), self.heads)
        k, v = (heads_of(y, self.heads) for y in self.key_value(self.norm_key(of)).chunk(2, -1))
        return self.out(joined(F.scaled_dot_product_attention(q, k, v, attn_mask=mask)))


class RevIN(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def normalise(self, x):
        mean = x.mean(1, keepdim=True).detach()
        sd = (x.var(1, keepdim=True, unbiased=False) + EPS).sqrt().detach()
        return (x - mean) / sd, mean, sd

    def restore(self, y, mean, sd):
        return (y - self.bias) / (self.weight + 1e-10) * sd + mean


class Entrope(nn.Module):
    def __init__(self, options):
        super().__init__()
        o, patcher = options["network"], options["patcher"]
        d, heads, lookback = o["width"], o["heads"], o["lookback"]
        self.lookback, self.horizon = lookback, o["horizon"]
        self.frame = RevIN(o["frame"]["channels"])
        self.tokeniser, self.patcher = Tokeniser(patcher["tokeniser"]), Patcher(patcher).requires_grad_(False)
        self.embedding = nn.Embedding(o["vocabulary"], d)
        token, patch = (d, heads, o["token_hidden"], lookback), (d, heads, o["patch_hidden"], lookback)
        self.encoder = nn.ModuleList(Layer(*token) for _ in range(o["encoder_layers"]))
        self.look = nn.ModuleList(Cross(d, heads) for _ in range(o["encoder_layers"]))
        self.between = nn.ModuleList(Layer(*patch) for _ in range(o["global_layers"]))
        self.decoder = nn.ModuleList(Layer(*token) for _ in range(o["decoder_layers"]))
        self.give = nn.ModuleList(Cross(d, heads) for _ in range(o["decoder_layers"]))
        self.norm = nn.RMSNorm(d, eps=EPS)
        self.head = nn.Linear(lookback * d, o["horizon"])
        self.drop, self.head_drop = nn.Dropout(o["dropout"]), nn.Dropout(o["head_dropout"])

    def tokens(self, x):
        """Of windows (B,L,C): (B C,L); and what restores their scale."""
        z, mean, sd = self.frame.normalise(x)
        return self.tokeniser(z.transpose(1, 2).flatten(0, 1).contiguous()), mean, sd

    def network(self, ids, lengths):
        ends = lengths.cumsum(1)
        patch_of = (torch.arange(self.lookback)[None, :, None] >= ends[:, None, :]).sum(-1)  # (N,L)
        own = patch_of[:, None, :] == torch.arange(lengths.shape[1])[None, :, None]  # (N,P,L)
        real, back, own = (lengths > 0)[:, None, None, :], own.transpose(1, 2)[:, None], own[:, None]
        h, patches = self.drop(self.embedding(ids)), None
        for layer, look in zip(self.encoder, self.look):
            h = layer(h)
            if patches is None:
                places = patch_of[:, :, None].expand_as(h)
                patches = h.new_zeros(len(h), lengths.shape[1], h.shape[2])
                patches = patches.scatter_reduce(1, places, h, "amax", include_self=False)
            patches = 2 * patches + look(patches, h, own)
        patches = self.drop(patches)
        for layer in self.between:
            patches = layer(patches, real)
        h = self.drop(h)
        for layer, give in zip(self.decoder, self.give):
            h = layer(2 * h + give(h, patches, back))
        return self.head_drop(self.head(self.drop(self.norm(h)).flatten(1)))

    def forward(self, x, lengths=None):
        """Windows (B,L,C) to what follows them, (B,T,C)."""
        ids, mean, sd = self.tokens(x)
        if lengths is None:
            lengths = self.patcher(ids)
        y = self.network(ids, lengths).unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)
        return self.frame.restore(y, mean, sd)


def renamed(ours):
    """Our tensors by the names that they have here, with a query for the decoder, whose result it does not change."""
    state = {}
    for name, tensor in ours.items():
        place, _, rest = name.partition(".")
        if place == "entropy":
            name = "patcher.model." + rest
            name += "" if name.endswith(".weight") else ".weight"
        elif place == "forecaster":
            part = rest.split(".")
            if part[0] in ("encoder", "decoder", "global"):
                cross = {"encoder": "look", "decoder": "give"}.get(part[0])
                own = {"global": "between"}.get(part[0], part[0])
                if part[2] == "cross":
                    name = ".".join([cross, part[1], part[3], "weight"])
                else:
                    wide = ["wide"] if part[2] in ("w1", "w2", "w3") else []
                    name = ".".join([own, part[1], *wide, part[2], "weight"])
            else:
                name = {"token.embedding": "embedding.weight", "norm": "norm.weight"}.get(rest, rest)
        else:
            continue
        state[name] = tensor
    for name in [name for name in state if name.endswith(".value.weight")]:
        value = state.pop(name)
        stem = name[: -len("value.weight")]
        state[stem + "key_value.weight"] = torch.cat([torch.zeros_like(value), value])
        state[stem + "query.weight"] = torch.zeros_like(value)
        state[stem + "norm_query.weight"] = torch.ones(value.shape[1])
    return state


class Bench:
    def __init__(self, path):
        tensors, metadata = read_safetensors(path)
        options = json.loads(metadata["options"])
        self.model = Entrope(options)
        missing, unknown = self.model.load_state_dict(renamed(tensors), strict=False)
        buffers = {name for name, _ in self.model.named_buffers()}
        if unknown or set(missing) - buffers:
            sys.exit(f"error: {path}: the weights do not fit: missing {missing}, unknown {unknown}")
        channels = options["network"]["frame"]["channels"]
        turn = lambda rows: rows.unflatten(0, (-1, channels)).transpose(1, 2).contiguous()
        self.x, self.y = turn(tensors["values"]), turn(tensors["target"])
        self.ours = tensors
        self.lengths = self.lengths_of(tensors["offsets"], tensors["begin"])
        self.optimiser = torch.optim.Adam(
            [p for p in self.model.parameters() if p.requires_grad], lr=options["lr"])
        self.cases = {
            "forward-128": lambda: self.forecast(self.x),
            "forward-128-given": lambda: self.forecast(self.x, self.lengths),
            "one-window": lambda: self.forecast(self.x[:1]),
            "patcher": self.patch,
            "train-step": self.step,
            "train-step-given": lambda: self.step(self.lengths),
        }

    def lengths_of(self, offsets, begin):
        """Our packed patches as padded lengths."""
        rows = [begin[a:b] for a, b in zip(offsets[:-1], offsets[1:])]
        rows = [torch.diff(row, append=torch.tensor([self.model.lookback])) for row in rows]
        return nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def forecast(self, x, lengths=None):
        self.model.eval()
        with torch.inference_mode():
            return self.model(x, lengths)

    def patch(self):
        self.model.eval()
        with torch.inference_mode():
            return self.model.patcher(self.model.tokens(self.x)[0])

    def step(self, lengths=None):
        self.model.train()
        self.optimiser.zero_grad()
        loss = F.mse_loss(self.model(self.x, lengths), self.y)
        loss.backward()
        self.optimiser.step()

    def check(self):
        """Greatest difference of the forecasts, over rows whose tokens and cuts are the same: a value on the very edge
        of a bin, or an entropy on the quantile, may round to either side."""
        self.model.eval()
        with torch.inference_mode():
            ids = self.model.tokens(self.x)[0]
            lengths = self.model.patcher(ids)
            entropies = self.model.patcher.entropies(ids)
            forecast = self.model(self.x).transpose(1, 2).flatten(0, 1)
        widest = max(lengths.shape[1], self.lengths.shape[1])
        mine, theirs = (F.pad(x, (0, widest - x.shape[1])) for x in (lengths, self.lengths))
        same_ids = (ids == self.ours["ids"]).all(1)
        same = same_ids & (mine == theirs).all(1)
        away = (forecast - self.ours["forecast"]).abs()[same].max().item()
        result = {
            "rows": len(same),
            "rows_compared": int(same.sum()),
            "difference": away,
            "entropy_difference": (entropies - self.ours["entropies"]).abs()[same_ids].max().item(),
            "patches_padded_to": lengths.shape[1],
        }
        if not away <= 1e-4 or result["rows_compared"] < 0.98 * result["rows"]:
            sys.exit(f"error: the networks are not the same: {json.dumps(result)}")
        return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--serve", action="store_true")
    a = parser.parse_args()
    keep_freed_memory()
    torch.manual_seed(0)
    torch.set_num_threads(a.threads)
    bench = Bench(a.file)
    about = {"torch": torch.__version__, "threads": a.threads, "check": bench.check()}
    answer(about, bench.cases, a.repeats, a.serve)


if __name__ == "__main__":
    main()
