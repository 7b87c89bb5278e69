"""Ours beside PyTorch and Triton on a GPU: the same inputs, outputs compared, times taken in turn.

    python3 native/benchmarks/gpu/peers.py LIBMINIMAX.SO ABI.JSON

Needs torch with CUDA; fla (Triton kernels) is used where it is found. MINIMAX_CUDA_LIBRARY names the backend. A line of JSON a
case: microseconds a call of both (called one by one, each the median of its batches), the peer, and the relative distance of the outputs with what it
may be. What could not run is a line with the reason. Calls are large, or one after the other, so that waiting for the host is no part.
"""
import ctypes
import json
import statistics
import struct
import sys
import time

import torch
import torch.nn.functional as F

BF16 = 1
DEVICE = "cuda"


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


def batch(work, repeats):
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    torch.cuda.synchronize()  # waits for every stream of the device
    return (time.perf_counter() - start) / repeats * 1e6


def compare(case, ours, theirs, peer, results, bound):
    """results() gives pairs of tensors after one call of each."""
    try:
        ours(), theirs()
        LIBRARY.wait()
        torch.cuda.synchronize()
        error = max(((a.double() - b.double()).norm() / b.double().norm()).item() for a, b in results())
        repeats = [max(1, int(20_000 / batch(work, 1))) for work in (ours, theirs)]
        times = [[], []]
        for _ in range(5):
            for side, work in enumerate((ours, theirs)):
                times[side].append(batch(work, repeats[side]))
        line = {"ours_us": statistics.median(times[0]), "peer_us": statistics.median(times[1]), "peer": peer, "error": error,
                "bound": bound, "agrees": error <= bound}
    except Exception as e:
        line = {"peer": peer, "missing": f"{type(e).__name__}: {e}"[:300]}
    print(json.dumps({"case": case, **line}), flush=True)
    torch.cuda.empty_cache()


def random(*shape, dtype=torch.bfloat16, scale=1.0):
    return ((torch.rand(*shape, device=DEVICE) * 2 - 1) * scale).to(dtype)


def ints(values, dtype=torch.int32):
    return torch.tensor(values, device=DEVICE, dtype=dtype)


def products():
    for rows, n, k in ((1024, 1024, 1024), (4096, 4096, 4096), (8192, 8192, 8192), (16384, 2048, 6144)):
        x, w, y, out = random(rows, k), random(n, k), random(rows, n), random(rows, n)
        ours = LIBRARY.call("linear_forward", x=x, w=w, y=y, rows=rows, in_features=k, out_features=n, x_dtype=BF16, w_dtype=BF16, y_dtype=BF16)
        compare(f"linear forward bf16 {rows}x{k}x{n}", ours, lambda: torch.mm(x, w.T, out=out), "torch.mm", lambda: [(y, out)], 1e-2)


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


def lightning(heads, tokens=32768, d=128):
    shape = f"{tokens} tokens {heads}x{d}"
    q, k, v, o, g = (random(tokens, heads, d) for _ in range(5))
    dq, dk, dv = (torch.empty_like(q) for _ in range(3))
    slopes = torch.exp2(-8.0 * (torch.arange(heads, device=DEVICE) + 1) / heads)
    common = dict(q=q, k=k, v=v, slopes=slopes, cu_seqlens=ints([0, tokens]), sequences=1, tokens=tokens, max_seqlen=tokens, heads=heads, dim_k=d,
                  dim_v=d, dtype=BF16, **{f"{t}_token_stride": heads * d for t in "qkvo"}, **{f"{t}_head_stride": d for t in "qkvo"})
    forward = LIBRARY.call("lightning_attention_forward", o=o, **common)
    backward = LIBRARY.call("lightning_attention_backward", d_o=g, dq=dq, dk=dk, dv=dv, **common,
                            **{f"d{t}_token_stride": heads * d for t in "qkv"}, **{f"d{t}_head_stride": d for t in "qkv"})
    leaves = [t.clone().requires_grad_() for t in (q, k, v)]

    def fla(q, k, v):
        from fla.ops.simple_gla import chunk_simple_gla
        decay = (-slopes).expand(1, tokens, heads).contiguous()
        return chunk_simple_gla(q[None], k[None], v[None], g=decay, scale=1.0)[0][0]

    for name, function in (("fla chunk_simple_gla", fla), ("PyTorch eager, blocks of 256", lambda q, k, v: blocks_of_lightning(q, k, v, slopes))):
        found = {}

        def their_forward():
            with torch.no_grad():
                found["o"] = function(q, k, v)

        def their_both():
            for leaf in leaves:
                leaf.grad = None
            function(*leaves).backward(g)

        compare(f"lightning forward {shape}", forward, their_forward, name, lambda: [(o, found["o"])], 2e-2)
        compare(f"lightning forward+backward {shape}", lambda: (forward(), backward()), their_both, name,
                lambda: [(mine, leaf.grad) for mine, leaf in zip((dq, dk, dv), leaves)], 3e-2)


def decode(batch_size, heads=64, d=128):
    q, k, v, o = (random(batch_size, heads, d, scale=0.1) for _ in range(4))
    slopes = torch.full((heads,), 0.5, device=DEVICE)
    state, theirs = (torch.zeros(batch_size, heads, d, d, device=DEVICE) for _ in range(2))
    decay = torch.exp(-slopes)[None, :, None, None]
    ours = LIBRARY.call("lightning_attention_decode", q=q, k=k, v=v, o=o, slopes=slopes, state_slots=ints(range(batch_size)), state=state,
                        batch=batch_size, heads=heads, dim_k=d, dim_v=d, dtype=BF16, **{f"{t}_token_stride": heads * d for t in "qkvo"},
                        **{f"{t}_head_stride": d for t in "qkvo"})
    found = {}

    def eager():
        theirs.mul_(decay).add_(k.float()[..., None] * v.float()[..., None, :])
        found["o"] = torch.matmul(q.float()[..., None, :], theirs).squeeze(-2)

    compare(f"lightning decode batch {batch_size}", ours, eager, "PyTorch eager", lambda: [(o, found["o"]), (state, theirs)], 1e-2)


def attention(tokens, heads=64, kv=8, d=128):
    q, o, g = (random(tokens, heads, d) for _ in range(3))
    k, v = random(tokens, kv, d), random(tokens, kv, d)
    dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
    lse, offsets, scale = torch.empty(heads, tokens, device=DEVICE), ints([0, tokens]), d ** -0.5
    common = dict(q=q, k=k, v=v, o=o, lse=lse, cu_seqlens_q=offsets, cu_seqlens_k=offsets, sequences=1, tokens_q=tokens, tokens_k=tokens,
                  max_seqlen_q=tokens, max_seqlen_k=tokens, heads=heads, kv_heads=kv, head_dim=d, scale=scale, dtype=BF16,
                  **{f"{t}_token_stride": (heads if t in "qo" else kv) * d for t in "qkvo"}, **{f"{t}_head_stride": d for t in "qkvo"})
    forward = LIBRARY.call("attention_forward", **common)
    backward = LIBRARY.call("attention_backward", d_o=g, dq=dq, dk=dk, dv=dv, **common,
                            **{f"d{t}_token_stride": (heads if t == "q" else kv) * d for t in "qkv"}, **{f"d{t}_head_stride": d for t in "qkv"})
    leaves = [t.clone().requires_grad_() for t in (q, k, v)]

    def sdpa(q, k, v):
        a, b, c = (t.transpose(0, 1)[None] for t in (q, k, v))
        return F.scaled_dot_product_attention(a, b, c, is_causal=True, scale=scale, enable_gqa=True)[0].transpose(0, 1)

    found = {}

    def their_forward():
        with torch.no_grad():
            found["o"] = sdpa(q, k, v)

    def their_both():
        for leaf in leaves:
            leaf.grad = None
        sdpa(*leaves).backward(g)

    shape = f"{tokens} tokens {heads}/{kv}x{d}"
    compare(f"attention forward {shape}", forward, their_forward, "sdpa", lambda: [(o, found["o"])], 1e-2)
    compare(f"attention forward+backward {shape}", lambda: (forward(), backward()), their_both, "sdpa",
            lambda: [(mine, leaf.grad) for mine, leaf in zip((dq, dk, dv), leaves)], 2e-2)


def experts(tokens, d, n, count, top_k):
    slots = tokens * top_k
    x, y = random(tokens, d), random(tokens, d)
    w1, w3, w2 = random(count, n, d, scale=d ** -0.5), random(count, n, d, scale=d ** -0.5), random(count, d, n, scale=n ** -0.5)
    logits = random(tokens, count, dtype=torch.float32, scale=3.0)
    index, row_slot, slot_row = (torch.empty(slots, device=DEVICE, dtype=torch.int32) for _ in range(3))
    offsets, weight = torch.empty(count + 1, device=DEVICE, dtype=torch.int32), torch.empty(slots, device=DEVICE)
    common = dict(expert_index=index, expert_weight=weight, expert_offsets=offsets, row_slot=row_slot, slot_row=slot_row, tokens=tokens,
                  experts=count, top_k=top_k)
    ours = LIBRARY.call("moe_experts_forward", x=x, w1=w1, w2=w2, w3=w3, y=y, width=d, ffn=n, dtype=BF16, weight_dtype=BF16, **common)
    found = {}

    def grouped():
        rows = x[row_slot.long() // top_k]
        ends = offsets[1:]
        gate = torch._grouped_mm(rows, w1.transpose(1, 2), offs=ends)
        up = torch._grouped_mm(rows, w3.transpose(1, 2), offs=ends)
        out = torch._grouped_mm(F.silu(gate) * up, w2.transpose(1, 2), offs=ends)
        found["y"] = (out[slot_row.long()].float() * weight[:, None]).view(tokens, top_k, d).sum(1).to(x.dtype)

    case = f"moe experts forward T {tokens} d {d} n {n} E {count} K {top_k}"
    try:
        LIBRARY.call("moe_route_forward", logits=logits, **common)()
        LIBRARY.wait()
    except RuntimeError as e:
        print(json.dumps({"case": case, "peer": "torch._grouped_mm", "missing": str(e)}), flush=True)
        return
    compare(case, ours, grouped, "torch._grouped_mm, routing given", lambda: [(y, found["y"])], 2e-2)


def small_operations():
    rows, width = 32768, 6144
    x, branch, y, total = (random(rows, width) for _ in range(4))
    w, found = random(width), {}
    ours = LIBRARY.call("rms_norm_forward", x=x, branch=branch, weight=w, sum=total, y=y, rows=rows, width=width, eps=1e-5, alpha=1.0, beta=1.0,
                        dtype=BF16, weight_dtype=BF16)

    def norm():
        found["y"] = F.rms_norm(x + branch, (width,), w, 1e-5)

    compare("rms norm forward with residual", ours, norm, "F.rms_norm after a sum", lambda: [(y, found["y"])], 1e-2)
    swiglu = LIBRARY.call("swiglu_forward", gate=x, up=branch, y=y, count=rows * width, dtype=BF16)

    def silu():
        found["y"] = F.silu(x) * branch

    compare("swiglu forward", swiglu, silu, "PyTorch eager", lambda: [(y, found["y"])], 1e-2)


def optimizer(tensors=16, each=1 << 24):
    ours_w = [random(each, dtype=torch.float32) for _ in range(tensors)]
    theirs = [w.clone().requires_grad_() for w in ours_w]
    grads = [random(each, dtype=torch.float32) for _ in range(tensors)]
    m, v = ([torch.zeros(each, device=DEVICE) for _ in range(tensors)] for _ in range(2))
    for parameter, grad in zip(theirs, grads):
        parameter.grad = grad
    adamw = torch.optim.AdamW(theirs, lr=1e-4, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1, fused=True)
    arrays = {name: (ctypes.c_void_p * tensors)(*(t.data_ptr() for t in list_)) for name, list_ in
              (("master", ours_w), ("grad", grads), ("m", m), ("v", v))}
    counts, decay = (ctypes.c_int64 * tensors)(*[each] * tensors), (ctypes.c_float * tensors)(*[0.1] * tensors)
    ours = LIBRARY.call("adamw_step", **{name: ctypes.addressof(a) for name, a in arrays.items()}, counts=ctypes.addressof(counts),
                        weight_decay=ctypes.addressof(decay), tensors=tensors, step=1, learning_rate=1e-4, beta1=0.9, beta2=0.95, eps=1e-8,
                        grad_scale=1.0)
    compare("adamw", ours, adamw.step, "torch.optim.AdamW(fused=True); no bf16 copy on either side",
            lambda: list(zip(ours_w, (p.detach() for p in theirs))), 1e-5)


def main():
    global LIBRARY
    LIBRARY = Library(sys.argv[1], sys.argv[2])
    torch.manual_seed(1)
    print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda}), flush=True)
    parts = [("products", products), *((f"lightning {h} heads", lambda h=h: lightning(h)) for h in (64, 8)),
             *((f"decode {b}", lambda b=b: decode(b)) for b in (1, 32, 256)), *((f"attention {n}", lambda n=n: attention(n)) for n in (4096, 16384)),
             *((f"experts {a[0]}", lambda a=a: experts(*a)) for a in ((32768, 4096, 2048, 64, 4), (16384, 1536, 1024, 32, 2))),
             ("norms", small_operations), ("adamw", optimizer)]
    for name, part in parts:
        try:
            part()
        except Exception as e:  # a part that cannot be prepared
            print(json.dumps({"case": name, "peer": "PyTorch", "missing": f"{type(e).__name__}: {e}"[:300]}), flush=True)
        torch.cuda.empty_cache()


if __name__ == "__main__":
    main()
