"""main.py LIBRARY: the operator in Python, against LibTorch's own in fp64: results, gradients, and a refusal."""
import math
import sys

import torch

torch.ops.load_library(sys.argv[1])


def reference(q, k, v):
    """Output, log-sum-exp and entropy with the weights in full."""
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    p = scores.softmax(-1)
    return p @ v, scores.logsumexp(-1), -(p * p.log()).sum(-1)


def expect(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")


def expect_equal(ours, theirs, what):
    difference = (ours - theirs).abs().max().item()
    expect(difference < 1e-12, f"{what}: off by {difference}")


torch.manual_seed(1)
k, v = (torch.randn(2, 3, 11, 8, dtype=torch.float64, requires_grad=True) for _ in range(2))

out, lse, entropy, *_ = torch.ops.attn.attention(torch.zeros(2, 3, 5, 8, dtype=torch.float64), k, v)
expect_equal(entropy, torch.full_like(entropy, math.log(11)), "entropy of equal logits, log N")

q = torch.randn(2, 3, 5, 8, dtype=torch.float64, requires_grad=True)
ours = torch.ops.attn.attention(q, k, v)[:3]
theirs = reference(q, k, v)
weights = [torch.randn_like(x) for x in theirs]
gradients = [torch.autograd.grad([(x * w).sum() for x, w in zip(results, weights)], (q, k, v)) for results in (ours, theirs)]
for name, a, b in zip(("out", "lse", "entropy", "dq", "dk", "dv"), (*ours, *gradients[0]), (*theirs, *gradients[1])):
    expect_equal(a, b, name)

causal = torch.ops.attn.attention(q, k, v, causal="bottom_right")[0]
expect_equal(causal[:, :, -1], ours[0][:, :, -1], "the last causal row sees every key")

# Partial results over keys apart, in the order that attention gives them.
halves = [torch.ops.attn.attention(q, k[:, :, s], v[:, :, s], row_max=True) for s in (slice(0, 5), slice(5, None))]
outs, lses, entropies, maxima, _, tails = (list(x) for x in zip(*halves))
for name, a, b in zip(("out", "lse", "entropy"), torch.ops.attn.merge_attention(outs, lses, entropies, maxima, tails), ours):
    expect_equal(a, b, f"merged {name}")

message = ""
try:
    torch.ops.attn.attention(q, k[..., :7], v)
except RuntimeError as error:
    message = str(error)
expect("7" in message and "8" in message, f"widths that differ are refused by their values: {message!r}")
