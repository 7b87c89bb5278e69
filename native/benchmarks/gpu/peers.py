"""Ours beside PyTorch and Triton on a GPU: the same inputs, outputs compared, times taken in turn.

    python3 native/benchmarks/gpu/peers.py LIBMINIMAX.SO ABI.JSON [--peers FOLDER]... [--small]

Needs torch with CUDA. Triton kernels are those of fla (flash-linear-attention) and vllm, where Python finds them or a FOLDER holds them
(a checkout). MINIMAX_CUDA_LIBRARY names the backend. A line of JSON a case: microseconds a call of both, one after the other (called) and
recorded in a graph, each the median of batches that take turns, the peer, and the relative distance of the outputs with what it may be. Each
case takes its buffers in turn from sets that together are larger than the L2 cache. What could not run is a line with the reason.

--small tries the script itself where there is no GPU: tiny sizes, PyTorch on the CPU, ours on the host shim, no graphs.
"""
import argparse
import ctypes
import itertools
import json
import math
import statistics
import struct
import sys
import time

import torch
import torch.nn.functional as F

BF16 = 1
SMALL = "--small" in sys.argv
DEVICE = "cpu" if SMALL else "cuda"
ROTATED = 256e6  # bytes that the sets of a case take at least


def size(real, tiny):
    return tiny if SMALL else real


def synchronize():
    if not SMALL:
        torch.cuda.synchronize()  # waits for every stream of the device


class Library:
    """The C ABI: parameters are packed by the offsets of abi.json."""

    def __init__(self, path, abi):
        self.library = ctypes.CDLL(path)
        self.library.mm_last_error.restype = ctypes.c_char_p
        with open(abi) as f:
            self.structs = json.load(f)["structs"]
        self.context = ctypes.c_void_p()
        self.check(self.library.mm_context_create(self.pack("mm_context_create_params", {"device": 1}), ctypes.byref(self.context)))

    def check(self, status):
        if status:
            raise RuntimeError(self.library.mm_last_error().decode())

    def pack(self, name, values):
        layout = self.structs[name]
        memory = ctypes.create_string_buffer(layout["size"])
        offsets = sorted(layout["fields"].values()) + [layout["size"]]
        for field, value in dict(values, struct_size=layout["size"]).items():
            at = layout["fields"][field]
            wide = offsets[offsets.index(at) + 1] - at >= 8
            if isinstance(value, torch.Tensor):
                value = value.data_ptr()
            kind = "<f" if isinstance(value, float) else "<q" if wide else "<i"
            struct.pack_into(kind, memory, at, value)
        return memory

    def call(self, operation, **values):
        """The call, to be made any number of times; it keeps the tensors that it was given."""
        memory, function = self.pack(f"mm_{operation}_params", values), getattr(self.library, f"mm_{operation}")

        def call(kept=values):
            self.check(function(self.context, memory))

        return call

    def wait(self):
        self.check(self.library.mm_context_synchronize(self.context))

    def graph(self, work):
        """The launch of what `work` calls."""
        graph = ctypes.c_void_p()
        self.check(self.library.mm_graph_begin(self.context))
        try:
            work()
        finally:
            self.check(self.library.mm_graph_end(self.context, ctypes.byref(graph)))
        return (lambda: self.check(self.library.mm_graph_launch(self.context, graph))), \
            lambda: self.check(self.library.mm_graph_destroy(self.context, graph))


def batch(work, repeats):
    synchronize()
    LIBRARY.wait()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    LIBRARY.wait()
    synchronize()
    return (time.perf_counter() - start) / repeats * 1e6


def in_turn(ours, theirs):
    """Microseconds of both: medians of batches of about 20 ms that take turns."""
    repeats = [1 if SMALL else max(1, int(20_000 / batch(work, 1))) for work in (ours, theirs)]
    times = [[], []]
    for _ in range(1 if SMALL else 5):
        for side, work in enumerate((ours, theirs)):
            times[side].append(batch(work, repeats[side]))
    return [statistics.median(side) for side in times]


def in_graphs(ours, theirs):
    """The same with both recorded; None if the peer does not let itself be recorded."""
    graph = torch.cuda.CUDAGraph()
    try:
        with torch.cuda.graph(graph):
            theirs()
    except Exception as e:
        print(f"no graph of the peer: {e}"[:200], file=sys.stderr)
        torch.cuda.synchronize()
        return None
    launch, destroy = LIBRARY.graph(ours)
    try:
        return in_turn(launch, graph.replay)
    finally:
        destroy()


def compare(case, peer, bound, footprint, build):
    """build() allocates a set of buffers, `footprint` bytes or more: our call, the peer's, and a function that gives pairs of tensors, one of
    each side, after a call of both."""
    try:
        sets = [build() for _ in range(1 if SMALL else max(1, min(64, math.ceil(ROTATED / footprint))))]
        ours, theirs = ((lambda calls=calls: [call() for call in calls]) for calls in zip(*(s[:2] for s in sets)))
        ours(), theirs()
        LIBRARY.wait()
        synchronize()
        error = max(((a.double() - b.double()).norm() / b.double().norm()).item() for s in sets for a, b in s[2]())
        called, recorded = in_turn(ours, theirs), None if SMALL else in_graphs(ours, theirs)
        line = {"called_us": [t / len(sets) for t in called], "graph_us": recorded and [t / len(sets) for t in recorded], "peer": peer,
                "error": error, "bound": bound, "agrees": error <= bound}
    except Exception as e:
        line = {"peer": peer, "missing": f"{type(e).__name__}: {e}"[:300]}
    print(json.dumps({"case": case, **line}), flush=True)
    if not SMALL:
        torch.cuda.empty_cache()


def random(*shape, dtype=torch.bfloat16, scale=1.0):
    return ((torch.rand(*shape, device=DEVICE) * 2 - 1) * scale).to(dtype)


def ints(values, dtype=torch.int32):
    return torch.tensor(values, device=DEVICE, dtype=dtype)


def products():
    for n, rows, k in ((1024, 1024, 1024), (4096, 4096, 4096), (8192, 8192, 8192), (2048, 16384, 6144)):
        rows, n, k = size(rows, 33), size(n, 48), size(k, 64)

        def build():
            x, w, y, out = random(rows, k), random(n, k), random(rows, n), random(rows, n)
            ours = LIBRARY.call("linear_forward", x=x, w=w, y=y, rows=rows, in_features=k, out_features=n, x_dtype=BF16, w_dtype=BF16,
                                y_dtype=BF16)
            return ours, lambda: torch.mm(x, w.T, out=out), lambda: [(y, out)]

        compare(f"linear forward bf16 {rows}x{k}x{n}", "torch.mm", 1e-2, 2 * (rows * k + n * k + rows * n), build)


def blocks_of_lightning(q, k, v, slopes, block=256):
    """The published algorithm in eager PyTorch: q, k, v [tokens, heads, d], the state in fp32."""
    n, heads, d = q.shape
    steps = torch.arange(block, device=DEVICE, dtype=torch.float32)
    s = slopes[:, None]
    into, out_of = torch.exp(-s * (steps + 1)), torch.exp(-s * (block - 1 - steps))
    back = steps[:, None] - steps[None]
    mask = torch.where(back >= 0, torch.exp(-slopes[:, None, None] * back.clamp(min=0)), 0.0)
    state, parts = torch.zeros(heads, d, d, device=DEVICE), []
    for at in range(0, n, block):
        a, b, c = (t[at:at + block].transpose(0, 1) for t in (q, k, v))
        inside = (torch.matmul(a, b.transpose(1, 2)) * mask).to(c.dtype)
        parts.append((torch.matmul(inside, c) + torch.matmul(a.float() * into[..., None], state)).transpose(0, 1).to(q.dtype))
        state = torch.exp(-slopes * block)[:, None, None] * state + torch.matmul((b * out_of[..., None].to(b.dtype)).transpose(1, 2), c)
    return torch.cat(parts)


def fla_lightning(q, k, v, slopes):
    from fla.ops.simple_gla import chunk_simple_gla
    decay = (-slopes).expand(1, *q.shape[:2]).contiguous()
    return chunk_simple_gla(q[None], k[None], v[None], g=decay, scale=1.0)[0][0]


def lightning(heads):
    tokens, heads, d = size(32768, 512), size(heads, heads // 8), size(128, 64)
    shape, tensor = f"{tokens} tokens {heads}x{d}", 2 * tokens * heads * d
    slopes = torch.exp2(-8.0 * (torch.arange(heads, device=DEVICE) + 1) / heads)

    def build(function, backward):
        q, k, v, o, g = (random(tokens, heads, d) for _ in range(5))
        common = dict(q=q, k=k, v=v, slopes=slopes, cu_seqlens=ints([0, tokens]), sequences=1, tokens=tokens, max_seqlen=tokens, heads=heads,
                      dim_k=d, dim_v=d, dtype=BF16, **{f"{t}_token_stride": heads * d for t in "qkvo"}, **{f"{t}_head_stride": d for t in "qkvo"})
        forward, found = LIBRARY.call("lightning_attention_forward", o=o, **common), {}
        if not backward:
            def theirs():
                with torch.no_grad():
                    found["o"] = function(q, k, v, slopes)

            return forward, theirs, lambda: [(o, found["o"])]
        dq, dk, dv = (torch.empty_like(q) for _ in range(3))
        back = LIBRARY.call("lightning_attention_backward", d_o=g, dq=dq, dk=dk, dv=dv, **common,
                            **{f"d{t}_token_stride": heads * d for t in "qkv"}, **{f"d{t}_head_stride": d for t in "qkv"})
        leaves = [t.clone().requires_grad_() for t in (q, k, v)]

        def both():
            for leaf in leaves:
                leaf.grad = None
            function(*leaves, slopes).backward(g)

        return (lambda: (forward(), back())), both, lambda: [(mine, leaf.grad) for mine, leaf in zip((dq, dk, dv), leaves)]

    for name, function in (("fla chunk_simple_gla (Triton)", fla_lightning), ("PyTorch eager, blocks of 256", blocks_of_lightning)):
        compare(f"lightning forward {shape}", name, 2e-2, 4 * tensor, lambda: build(function, False))
        compare(f"lightning forward+backward {shape}", name, 3e-2, 8 * tensor, lambda: build(function, True))


def decode(batch_size):
    batch_size, heads, d = size(batch_size, min(batch_size, 3)), size(64, 2), size(128, 32)
    slopes = torch.full((heads,), 0.5, device=DEVICE)
    decay = torch.exp(-slopes)[None, :, None, None]

    def build():
        q, k, v, o = (random(batch_size, heads, d, scale=0.1) for _ in range(4))
        state, theirs = (torch.zeros(batch_size, heads, d, d, device=DEVICE) for _ in range(2))
        ours = LIBRARY.call("lightning_attention_decode", q=q, k=k, v=v, o=o, slopes=slopes, state_slots=ints(range(batch_size)), state=state,
                            batch=batch_size, heads=heads, dim_k=d, dim_v=d, dtype=BF16, **{f"{t}_token_stride": heads * d for t in "qkvo"},
                            **{f"{t}_head_stride": d for t in "qkvo"})
        found = {}

        def eager():
            theirs.mul_(decay).add_(k.float()[..., None] * v.float()[..., None, :])
            found["o"] = torch.matmul(q.float()[..., None, :], theirs).squeeze(-2)

        return ours, eager, lambda: [(o, found["o"]), (state, theirs)]

    compare(f"lightning decode batch {batch_size}", "PyTorch eager", 1e-2, 4 * batch_size * heads * d * d, build)


def attention(tokens):
    tokens, heads, kv, d = size(tokens, 70), size(64, 4), size(8, 2), size(128, 32)
    shape, scale = f"{tokens} tokens {heads}/{kv}x{d}", d ** -0.5

    def sdpa(q, k, v):
        a, b, c = (t.transpose(0, 1)[None] for t in (q, k, v))
        return F.scaled_dot_product_attention(a, b, c, is_causal=True, scale=scale, enable_gqa=True)[0].transpose(0, 1)

    def build(backward):
        q, o, g = (random(tokens, heads, d) for _ in range(3))
        k, v = random(tokens, kv, d), random(tokens, kv, d)
        lse, offsets, found = torch.empty(heads, tokens, device=DEVICE), ints([0, tokens]), {}
        common = dict(q=q, k=k, v=v, o=o, lse=lse, cu_seqlens_q=offsets, cu_seqlens_k=offsets, sequences=1, tokens_q=tokens, tokens_k=tokens,
                      max_seqlen_q=tokens, max_seqlen_k=tokens, heads=heads, kv_heads=kv, head_dim=d, scale=scale, dtype=BF16,
                      **{f"{t}_token_stride": (heads if t in "qo" else kv) * d for t in "qkvo"}, **{f"{t}_head_stride": d for t in "qkvo"})
        forward = LIBRARY.call("attention_forward", **common)
        if not backward:
            def theirs():
                with torch.no_grad():
                    found["o"] = sdpa(q, k, v)

            return forward, theirs, lambda: [(o, found["o"])]
        dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        back = LIBRARY.call("attention_backward", d_o=g, dq=dq, dk=dk, dv=dv, **common,
                            **{f"d{t}_token_stride": (heads if t == "q" else kv) * d for t in "qkv"}, **{f"d{t}_head_stride": d for t in "qkv"})
        leaves = [t.clone().requires_grad_() for t in (q, k, v)]

        def both():
            for leaf in leaves:
                leaf.grad = None
            sdpa(*leaves).backward(g)

        return (lambda: (forward(), back())), both, lambda: [(mine, leaf.grad) for mine, leaf in zip((dq, dk, dv), leaves)]

    footprint = 4 * tokens * (heads + kv) * d
    compare(f"attention forward {shape}", "sdpa", 1e-2, footprint, lambda: build(False))
    compare(f"attention forward+backward {shape}", "sdpa", 2e-2, 2 * footprint, lambda: build(True))


class Experts:
    """A shape, its weights, a routing, and what the products of the experts are with it."""

    def __init__(self, tokens, d, n, count, top_k):
        self.tokens, self.d, self.n, self.count, self.top_k = size(tokens, min(tokens, 40)), size(d, 64), size(n, 48), size(count, 4), size(top_k, 2)
        tokens, d, n, count, top_k = self.tokens, self.d, self.n, self.count, self.top_k
        slots = tokens * top_k
        self.shape = f"T {tokens} d {d} n {n} E {count} K {top_k}"
        self.x, self.y, self.g = (random(tokens, d) for _ in range(3))
        self.w1, self.w3 = (random(count, n, d, scale=d ** -0.5) for _ in range(2))
        self.w2 = random(count, d, n, scale=n ** -0.5)
        self.index, self.row_slot, self.slot_row = (torch.empty(slots, device=DEVICE, dtype=torch.int32) for _ in range(3))
        self.offsets, self.weight = torch.empty(count + 1, device=DEVICE, dtype=torch.int32), torch.empty(slots, device=DEVICE)
        self.routing = dict(expert_index=self.index, expert_weight=self.weight, expert_offsets=self.offsets, row_slot=self.row_slot,
                            slot_row=self.slot_row, tokens=tokens, experts=count, top_k=top_k)
        LIBRARY.call("moe_route_forward", logits=random(tokens, count, dtype=torch.float32, scale=3.0), **self.routing)()
        LIBRARY.wait()
        self.common = dict(x=self.x, w1=self.w1, w2=self.w2, w3=self.w3, width=d, ffn=n, dtype=BF16, **self.routing)

    def ours(self, backward):
        forward = dict(self.common, y=self.y, weight_dtype=BF16)
        if not backward:
            return LIBRARY.call("moe_experts_forward", **forward)
        gate, up = (random(self.tokens * self.top_k, self.n) for _ in range(2))
        self.dx = torch.empty_like(self.x)
        dw = {f"d{name}": torch.zeros_like(w) for name, w in (("w1", self.w1), ("w2", self.w2), ("w3", self.w3))}
        first = LIBRARY.call("moe_experts_forward", gate=gate, up=up, **forward)
        second = LIBRARY.call("moe_experts_backward", gate=gate, up=up, dy=self.g, dx=self.dx, dweight=torch.empty_like(self.weight),
                              dw_dtype=BF16, **dw, **self.common)
        return lambda: (first(), second())

    def with_product(self, product, x, w1, w3, w2):
        """y by a product of sorted rows with the experts' [experts, k, n]."""
        rows = x[self.row_slot.long() // self.top_k]
        gate, up = product(rows, w1.transpose(1, 2)), product(rows, w3.transpose(1, 2))
        out = product(F.silu(gate) * up, w2.transpose(1, 2))
        return (out[self.slot_row.long()].float() * self.weight[:, None]).view(self.tokens, self.top_k, self.d).sum(1).to(x.dtype)

    def grouped(self, rows, w):
        return torch._grouped_mm(rows, w, offs=self.offsets[1:])

    def one_by_one(self, rows, w):
        ends = self.offsets.tolist()
        return torch.cat([rows[first:end] @ w[e] for e, (first, end) in enumerate(itertools.pairwise(ends))])


def experts(*sizes):
    e = Experts(*sizes)
    training = e.tokens > 256 or SMALL
    footprint, found = 6 * e.d * e.n * min(e.count, e.tokens * e.top_k), {}
    peers = [("torch._grouped_mm, routing given", e.grouped)] + ([("PyTorch eager, expert by expert", e.one_by_one)] if SMALL else [])
    for name, product in peers:
        def forward():
            with torch.no_grad():
                found["y"] = e.with_product(product, e.x, e.w1, e.w3, e.w2)

        def both():
            for leaf in leaves:
                leaf.grad = None
            e.with_product(product, *leaves).backward(e.g)

        compare(f"moe experts forward {e.shape}", name, 2e-2, footprint, lambda: (e.ours(False), forward, lambda: [(e.y, found["y"])]))
        if not training:
            continue
        leaves = [t.detach().requires_grad_() for t in (e.x, e.w1, e.w3, e.w2)]
        compare(f"moe experts forward+backward {e.shape}", name, 3e-2, footprint, lambda: (e.ours(True), both, lambda: [(e.dx, leaves[0].grad)]))
        leaves = []

    def build():
        from vllm.model_executor.layers.fused_moe import fused_experts
        w13 = torch.cat((e.w1, e.w3), 1)
        weight, index = e.weight.view(e.tokens, e.top_k), e.index.view(e.tokens, e.top_k)

        def fused():
            found["y"] = fused_experts(hidden_states=e.x, w1=w13, w2=e.w2, topk_weights=weight, topk_ids=index)

        return e.ours(False), fused, lambda: [(e.y, found["y"])]

    compare(f"moe experts forward {e.shape}", "vLLM fused_experts (Triton), routing given", 2e-2, footprint, build)


def norms():
    rows, width = size(32768, 35), size(6144, 64)

    def norm():
        x, branch, y, total = (random(rows, width) for _ in range(4))
        w, found = random(width), {}
        ours = LIBRARY.call("rms_norm_forward", x=x, branch=branch, weight=w, sum=total, y=y, rows=rows, width=width, eps=1e-5, alpha=1.0,
                            beta=1.0, dtype=BF16, weight_dtype=BF16)
        return ours, lambda: found.update(y=F.rms_norm(x + branch, (width,), w, 1e-5)), lambda: [(y, found["y"])]

    def swiglu():
        gate, up, y = (random(rows, width) for _ in range(3))
        found = {}
        ours = LIBRARY.call("swiglu_forward", gate=gate, up=up, y=y, count=rows * width, dtype=BF16)
        return ours, lambda: found.update(y=F.silu(gate) * up), lambda: [(y, found["y"])]

    compare("rms norm forward with residual", "F.rms_norm after a sum", 1e-2, 8 * rows * width, norm)
    compare("swiglu forward", "PyTorch eager", 1e-2, 6 * rows * width, swiglu)


def optimizer():
    tensors, each = 16, size(1 << 24, 1000)

    def build():
        ours_w = [random(each, dtype=torch.float32) for _ in range(tensors)]
        theirs = [w.clone().requires_grad_() for w in ours_w]
        grads = [random(each, dtype=torch.float32) for _ in range(tensors)]
        m, v = ([torch.zeros(each, device=DEVICE) for _ in range(tensors)] for _ in range(2))
        for parameter, grad in zip(theirs, grads):
            parameter.grad = grad
        adamw = torch.optim.AdamW(theirs, lr=1e-4, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, fused=True, capturable=not SMALL)
        arrays = {name: (ctypes.c_void_p * tensors)(*(t.data_ptr() for t in list_)) for name, list_ in
                  (("master", ours_w), ("grad", grads), ("m", m), ("v", v))}
        counts, decay = (ctypes.c_int64 * tensors)(*[each] * tensors), (ctypes.c_float * tensors)(*[0.1] * tensors)
        call = LIBRARY.call("adamw_step", **{name: ctypes.addressof(a) for name, a in arrays.items()}, counts=ctypes.addressof(counts),
                            weight_decay=ctypes.addressof(decay), tensors=tensors, step=1, learning_rate=1e-4, beta1=0.9, beta2=0.95, eps=1e-8,
                            grad_scale=1.0)

        def ours(kept=(arrays, counts, decay, m, v)):
            call()

        return ours, adamw.step, lambda: list(zip(ours_w, (p.detach() for p in theirs)))

    compare("adamw", "torch.optim.AdamW(fused=True); no bf16 copy on either side", 1e-5, 16 * tensors * each, build)


def main():
    global LIBRARY
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("library")
    ap.add_argument("abi")
    ap.add_argument("--peers", action="append", default=[], metavar="FOLDER", help="where Python finds fla or vllm")
    ap.add_argument("--small", action="store_true")
    a = ap.parse_args()
    sys.path[:0] = a.peers
    LIBRARY = Library(a.library, a.abi)
    torch.manual_seed(1)
    print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda}), flush=True)
    shapes = (32768, 4096, 2048, 64, 4), (16384, 6144, 9216, 32, 2), (24576, 1536, 1024, 32, 2), (1, 6144, 9216, 32, 2), (64, 6144, 9216, 32, 2)
    parts = [(products,), *((lightning, h) for h in (64, 8)), *((decode, b) for b in (1, 8, 32, 64, 256)), *((experts, *shape) for shape in shapes),
             *((attention, n) for n in (4096, 16384)), (norms,), (optimizer,)]
    for part, *sizes in parts:
        try:
            part(*sizes)
        except Exception as e:  # a part that cannot be prepared
            case = " ".join([part.__name__, *map(str, sizes)])
            print(json.dumps({"case": case, "peer": "PyTorch", "missing": f"{type(e).__name__}: {e}"[:300]}), flush=True)
        if not SMALL:
            torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
