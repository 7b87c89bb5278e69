"""The peer of the products: torch's matmul, best of many. One JSON line a case.  peer_gemm.py [threads]"""
import json
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
for dtype in (torch.float32, torch.bfloat16):
    for n in (512, 1024, 2048):
        x, w = torch.randn(n, n).to(dtype), torch.randn(n, n).to(dtype)
        x @ w.T
        best, start = 1e9, time.perf_counter()
        while time.perf_counter() - start < 1.0:
            before = time.perf_counter()
            x @ w.T
            best = min(best, time.perf_counter() - before)
        name = "fp32" if dtype == torch.float32 else "bf16"
        print(json.dumps({"case": f"{name} {n}x{n}x{n}", "value": 2 * n**3 / best / 1e9, "unit": "GFLOP/s"}), flush=True)
