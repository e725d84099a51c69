#!/usr/bin/env python3
"""The ranking network of attn-rank in eager LibTorch, as one would write it for research: bench-rank's peer.

    rank_network.py FILE [--threads N] [--repeats N] [--serve] [--write OUT]
    rank_network.py --make FILE [--lists N] [--rows N] [--columns N] [--ragged] [--seed N]

FILE is a safetensors file of weights, lists and, where there are, our scores of them, which the network here must give
as well (else it ends with an error); then the cases are timed and told as JSON. --serve answers one line "CASE TIMES"
of standard input at a time instead, so that ours and this one can take turns. --write leaves scores (R), and the losses
with their gradients over all lists in one batch without dropout: loss.NAME (1), gradient.NAME.PARAMETER for the losses
pa-bce and bce. --make makes such a FILE from a seed.

Cases: score (all lists), one-list (the first), epoch and epoch-bce (one training epoch over the first train.lists),
loss (pa-bce and its gradient of the first train.batch lists) and loss-long (of the first 5000 rows as one list).

Weights, float32, all (out, in):
    embed.w1 (d,F)  embed.b1 (d)  embed.w2 (d,d)  embed.b2 (d)          h = w2 gelu(w1 x + b1) + b2
    blocks.I.norm1 (d)  blocks.I.qkv (3d,d)  blocks.I.out (d,d)         h += out MHA(qkv norm1(h)), within a list
    blocks.I.norm2 (d)  blocks.I.w1 (hidden,d)  blocks.I.w2 (d,hidden)  h += w2 gelu(w1 norm2(h))
    head.w1 (d,d)  head.b1 (d)  head.w2 (1,d)  head.b2 (1)              s = w2 gelu(w1 norm(h) + b1) + b2
    mean (F), scale (F), where given: x = (features - mean) / scale
gelu with the exact erf; norms are LayerNorm with weight alone, eps 1e-5, that of the head without; the rows of qkv are
those of q, k, v, each of heads in turn; dropout in training behind out and blocks.I.w2.
Lists: features (R,F) float32, offsets (L+1) int64, profit (R) and label (R) float32 or float64; scores (R), if any.
Metadata "options": {"network": {"features", "width", "heads", "blocks", "hidden", "dropout"}, "train": {"lr",
"weight_decay", "batch", "lists"}}.

Chosen by measurement as the fastest that this library offers on the CPU: scores through scaled_dot_product_attention
(its flash kernel), training through two batched products and a softmax; the number of lists scored at a time of those
in BATCHES. nn.TransformerEncoderLayer, its fast path included, is slower in both. Lists of one length need no mask:
ragged ones are scored by length, and trained padded under a mask.
"""
import argparse
import json
import math
import sys

import torch
import torch.nn.functional as F
from torch import nn

from peer import answer, keep_freed_memory, read_safetensors, seconds_of, write_safetensors

BATCHES = (64, 128, 256, 1024)


class Block(nn.Module):
    def __init__(self, width, heads, hidden, dropout):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.w1 = nn.Linear(width, hidden, bias=False)
        self.w2 = nn.Linear(hidden, width, bias=False)
        self.drop = nn.Dropout(dropout)

    def plain(self, q, k, v, real):
        """What scaled_dot_product_attention computes, of (B,H,N,d/H)."""
        scale = q.shape[-1] ** -0.5
        q, k, v = (x.flatten(0, 1) for x in (q, k, v))  # (BH,N,d/H)
        if real is None:
            logits = torch.baddbmm(q.new_empty(1), q, k.mT, beta=0, alpha=scale)
        else:
            shut = q.new_zeros(real.shape).masked_fill(~real, -math.inf)  # (B,N)
            logits = torch.baddbmm(shut.repeat_interleave(self.heads, 0)[:, None], q, k.mT, alpha=scale)
        return torch.bmm(logits.softmax(-1), v).unflatten(0, (-1, self.heads))

    def attend(self, x, real):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        if self.training:
            a = self.plain(q, k, v, real)
        else:
            a = F.scaled_dot_product_attention(q, k, v, None if real is None else real[:, None, None])
        return self.out(a.transpose(1, 2).flatten(2))

    def forward(self, h, real):
        h = h + self.drop(self.attend(self.norm1(h), real))
        return h + self.drop(self.w2(F.gelu(self.w1(self.norm2(h)))))


class Ranker(nn.Module):
    def __init__(self, o):
        super().__init__()
        d, block = o["width"], (o["width"], o["heads"], o["hidden"], o["dropout"])
        self.register_buffer("mean", torch.zeros(o["features"]))
        self.register_buffer("scale", torch.ones(o["features"]))
        self.embed = nn.ModuleDict({"w1": nn.Linear(o["features"], d), "w2": nn.Linear(d, d)})
        self.blocks = nn.ModuleList(Block(*block) for _ in range(o["blocks"]))
        self.norm = nn.LayerNorm(d, elementwise_affine=False)
        self.head = nn.ModuleDict({"w1": nn.Linear(d, d), "w2": nn.Linear(d, 1)})

    def forward(self, features, real=None):
        """Of lists (B,N,F), whose rows all exist or where `real` (B,N): scores (B,N)."""
        x = (features - self.mean) / self.scale
        h = self.embed["w2"](F.gelu(self.embed["w1"](x)))
        for block in self.blocks:
            h = block(h, real)
        return self.head["w2"](F.gelu(self.head["w1"](self.norm(h)))).squeeze(-1)


def place_of(name):
    """Where a name of the module stands in the file: blocks.0.qkv.weight as blocks.0.qkv, embed.w1.bias as embed.b1."""
    stem, _, kind = name.rpartition(".")
    if kind == "bias":
        return stem[:-2] + "b" + stem[-1]
    return stem if kind == "weight" else name


def pa_bce(scores, profit, real):
    """All pairs of each list, mean over lists whose loss is not 0; padding has no part in it."""
    weight = torch.log1p((profit[:, :, None] - profit[:, None, :]).relu()) / math.log(10)
    rows = profit.shape[1]
    if real is not None:
        weight = weight * (real[:, :, None] & real[:, None, :])
        rows = real.sum(1)
    losses = -(weight * F.logsigmoid(scores[:, :, None] - scores[:, None, :])).sum((1, 2)) / rows
    return losses.sum() / (losses != 0).sum().clamp(min=1)


def bce(scores, label, real):
    """Mean over the rows of a list, then over lists."""
    losses = F.binary_cross_entropy_with_logits(scores, (label > 0).float(), reduction="none")
    if real is None:
        return losses.mean()
    return ((losses * real).sum(1) / real.sum(1)).mean()


class Lists:
    """Lists (L) of the same length or padded to the longest; `real` is None where all are of one length."""

    def __init__(self, tensors):
        lengths = torch.diff(tensors["offsets"])
        padded = lambda rows: nn.utils.rnn.pad_sequence(rows.float().split(lengths.tolist()), batch_first=True)
        self.lengths = lengths
        self.features = padded(tensors["features"])
        self.profit, self.label = (padded(tensors[name]) if name in tensors else None for name in ("profit", "label"))
        self.ragged = bool((lengths != lengths[0]).any())
        self.order = lengths.argsort(descending=True, stable=True)

    def cut(self, which, *columns):
        """Rows of the lists `which`, an index tensor or a slice; and which of them are real."""
        if not self.ragged:
            return [c[which] for c in columns] + [None]
        lengths = self.lengths[which]
        longest = int(lengths.max())
        cut = [c[which, :longest] for c in columns]
        return cut + [torch.arange(longest) < lengths[:, None] if longest > int(lengths.min()) else None]

    def batches(self, size):
        """All lists for scoring, those of one length together."""
        if not self.ragged:
            return [slice(i, i + size) for i in range(0, len(self.lengths), size)]
        lengths = self.lengths[self.order].unique_consecutive(return_counts=True)[1]
        return [part for same in self.order.split(lengths.tolist()) for part in same.split(size)]


class Bench:
    def __init__(self, path):
        tensors, metadata = read_safetensors(path)
        self.options = json.loads(metadata["options"])
        self.model = Ranker(self.options["network"])
        load(self.model, tensors, path)
        self.lists, self.ours = Lists(tensors), tensors.get("scores")
        self.losses = {name: tensor.item() for name, tensor in tensors.items() if name.startswith("loss.")}
        train = self.options["train"]
        self.optimiser = torch.optim.AdamW(
            self.model.parameters(), lr=train["lr"], weight_decay=train["weight_decay"], fused=True)
        self.size = BATCHES[0]
        self.cases = {
            "score": self.score,
            "one-list": lambda: self.score_of([slice(0, 1)]),
            "epoch": lambda: self.epoch(pa_bce, self.lists.profit),
            "epoch-bce": lambda: self.epoch(bce, self.lists.label),
            "loss": lambda: self.loss_of(self.lists.profit[:train["batch"]]),
            "loss-long": lambda: self.loss_of(self.lists.profit.flatten()[None, :5000]),
        }

    def choose_batch(self):
        """The fastest of BATCHES for scoring; milliseconds of each."""
        self.score()
        sizes = {size: 1e3 * min(seconds_of(lambda: self.score(size), 1) for _ in range(2)) for size in BATCHES}
        self.size = min(sizes, key=sizes.get)
        return sizes

    def score_of(self, batches):
        self.model.eval()
        with torch.inference_mode():
            return [self.model(*self.lists.cut(which, self.lists.features)) for which in batches]

    def score(self, size=None):
        return self.score_of(self.lists.batches(size or self.size))

    def epoch(self, loss, target):
        train, lists = self.options["train"], self.lists
        self.model.train()
        for which in torch.randperm(min(train["lists"], len(lists.lengths))).split(train["batch"]):
            features, aim, real = lists.cut(which, lists.features, target)
            self.optimiser.zero_grad()
            loss(self.model(features, real), aim, real).backward()
            self.optimiser.step()

    def loss_of(self, profit):
        pa_bce(torch.randn(profit.shape, requires_grad=True), profit, None).backward()

    def scores(self):
        """(R)"""
        rows = torch.zeros(self.lists.features.shape[:2])
        for which, scores in zip(self.lists.batches(self.size), self.score()):
            rows[which, :scores.shape[1]] = scores
        return rows[torch.arange(rows.shape[1]) < self.lists.lengths[:, None]]

    def loss_value(self, name):
        """Of all lists, without dropout."""
        loss, target = {"loss.pa-bce": (pa_bce, self.lists.profit), "loss.bce": (bce, self.lists.label)}[name]
        self.model.eval()
        with torch.inference_mode():
            features, aim, real = self.lists.cut(torch.arange(len(target)), self.lists.features, target)
            return loss(self.model(features, real), aim, real).item()

    def check(self):
        """Greatest difference from our scores, and relative one from our losses, of which 1e-4 is allowed."""
        if self.ours is None:
            return {"rows": 0, "difference": 0.0}
        away = (self.scores() - self.ours).abs().max().item()
        result = {"rows": len(self.ours), "difference": away}
        for name, loss in self.losses.items():
            result[name] = abs(self.loss_value(name) / loss - 1)
            away = max(away, result[name], key=lambda x: (x != x, x))
        if not away <= 1e-4:
            sys.exit(f"error: the networks are not the same: {json.dumps(result)}")
        return result

    def results(self):
        """Scores, losses and their gradients, without dropout."""
        found = {"scores": self.scores()}
        self.model.train()
        for module in self.model.modules():
            if isinstance(module, nn.Dropout):
                module.eval()
        for name, loss, target in (("pa-bce", pa_bce, self.lists.profit), ("bce", bce, self.lists.label)):
            if target is None:
                continue
            features, aim, real = self.lists.cut(torch.arange(len(target)), self.lists.features, target)
            self.model.zero_grad()
            value = loss(self.model(features, real), aim, real)
            value.backward()
            found["loss." + name] = value.detach()[None]
            for place, parameter in self.model.named_parameters():
                found[f"gradient.{name}.{place_of(place)}"] = parameter.grad.clone()
        self.model.zero_grad()
        return found


def load(model, tensors, path):
    state = {}
    for name, tensor in model.state_dict().items():
        if place_of(name) in tensors:
            state[name] = tensors[place_of(name)].reshape(tensor.shape)
        elif name not in ("mean", "scale"):
            sys.exit(f"error: {path}: there is no tensor {place_of(name)}")
    model.load_state_dict(state, strict=False)


def make(a):
    """Lists of normal features; profit of both signs and heavy tails, positive where the label is mostly."""
    torch.manual_seed(a.seed)
    options = {
        "network": {"features": a.columns, "width": 32, "heads": 4, "blocks": 2, "hidden": 64, "dropout": 0.1},
        "train": {"lr": 1e-3, "weight_decay": 0.01, "batch": 32, "lists": 800},
    }
    model = Ranker(options["network"])
    lengths = torch.full((a.lists,), a.rows)
    if a.ragged:
        lengths = torch.randint(max(1, a.rows // 2), a.rows + 1, (a.lists,))
    rows = int(lengths.sum())
    tensors = {place_of(name): tensor for name, tensor in model.state_dict().items()}
    tensors["features"] = torch.randn(rows, a.columns)
    tensors["offsets"] = F.pad(lengths.cumsum(0), (1, 0))
    tensors["profit"] = 100 * (torch.randn(rows) + 0.5 * tensors["features"][:, 0]) * torch.randn(rows).exp()
    tensors["label"] = (tensors["profit"] + 50 * torch.randn(rows) > 100).float()
    write_safetensors(a.make, tensors, {"options": json.dumps(options)})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--write")
    parser.add_argument("--make")
    for name, value in (("lists", 10000), ("rows", 50), ("columns", 18), ("seed", 1)):
        parser.add_argument("--" + name, type=int, default=value)
    parser.add_argument("--ragged", action="store_true")
    a = parser.parse_args()
    if a.make:
        return make(a)
    if not a.file:
        parser.error("give a FILE, or --make FILE")
    keep_freed_memory()
    torch.manual_seed(0)
    torch.set_num_threads(a.threads)
    bench = Bench(a.file)
    about = {"torch": torch.__version__, "threads": a.threads, "check": bench.check()}
    if a.write:
        write_safetensors(a.write, bench.results(), {})
        print(json.dumps(about))
        return
    about["score_ms_by_batch"] = bench.choose_batch()
    about["score_batch"] = bench.size
    answer(about, bench.cases, a.repeats, a.serve)


if __name__ == "__main__":
    main()
