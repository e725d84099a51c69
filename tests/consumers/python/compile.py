"""compile.py LIBRARY: the operators under torch.compile, opcheck and autocast."""
import sys

import torch

torch.ops.load_library(sys.argv[1])
ops = torch.ops.attn


def expect(holds, what):
    if not holds:
        sys.exit(f"FAILED: {what}")


def inputs(**options):
    torch.manual_seed(2)
    q = torch.randn(2, 4, 5, 8, requires_grad=True, **options)
    k, v = (torch.randn(2, 2, 7, 8, requires_grad=True, **options) for _ in range(2))
    return q, k, v


# Schema, autograd registration, shapes without data, and tracing with static and symbolic sizes.
scores, values = torch.randn(9, 2, requires_grad=True), torch.randn(9, 6, requires_grad=True)
offsets = torch.tensor([0, 4, 9])
bias = torch.randn(4, 5, 7, requires_grad=True)
torch.library.opcheck(ops.attention.default, inputs(), {"causal": "bottom_right", "bias": bias})
torch.library.opcheck(ops.attention.default, inputs(), {"window_left": 2, "softcap": 3.0, "column_mass": True})
torch.library.opcheck(ops.attention_pool.default, (scores, values, offsets))
log_decay, state = -torch.rand(2, 4, 7, requires_grad=True), torch.randn(2, 4, 8, 8, requires_grad=True)
norm = torch.rand(2, 4, 8, requires_grad=True)
linear_q = torch.randn(2, 4, 7, 8, requires_grad=True)
torch.library.opcheck(ops.linear_attention.default, (linear_q, *inputs()[1:]), {"log_decay": log_decay, "state": state, "norm": norm, "map": "elu", "normalise": True})
torch.library.opcheck(ops.linear_attention.default, inputs(), {"map": "taylor", "causal": False})
parts = [ops.attention(*inputs()) for _ in range(2)]
torch.library.opcheck(ops.merge_attention.default, tuple([p[i].detach() for p in parts] for i in (0, 1, 2, 3, 5)))


def loss(q, k, v):
    out, lse, entropy, *_ = ops.attention(q, k, v, causal="bottom_right")
    return out.square().sum() + (lse * entropy).sum()


# One graph, forward and backward, equal to the eager result.
compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
eager_inputs, compiled_inputs = inputs(), inputs()
loss(*eager_inputs).backward()
compiled(*compiled_inputs).backward()
for a, b in zip(eager_inputs, compiled_inputs):
    expect(torch.equal(a.grad, b.grad), "the compiled gradient equals the eager one")

with torch.autocast("cpu", dtype=torch.bfloat16):
    q, k, v = inputs(dtype=torch.bfloat16)
    result = ops.attention(q, k, v)
    result[0].sum().backward()
expect(result[0].dtype == torch.float32, "autocast computes in fp32")
expect(q.grad.dtype == torch.bfloat16, "and gives gradients in the type of the inputs")
