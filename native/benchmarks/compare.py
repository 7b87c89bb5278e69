"""Runs our benchmarks and the PyTorch peer in one go and writes results/cpu.json and a table.

    python3 native/benchmarks/compare.py --peer-root DIR --peers DIR --reference DIR [--threads 2]

--peer-root  a folder with a Debian system that has PyTorch (entered by chroot; needs root)
--peers      the folder with pytorch_m1.py and refstubs.py
--reference  the folder with modeling_minimax_m1.py and configuration_minimax_m1.py of MiniMax-AI/MiniMax-M1

Ratios say how many times better ours is. Each side takes the best of its runs; nothing else should run meanwhile.
"""
import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, "artifacts", "benchmarks")
WORK = "/tmp/minimax-peer"


def run(*command, **options):
    print("$", " ".join(command), file=sys.stderr, flush=True)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def rows(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def lines(text, unit=None):
    return {row["case"]: row["value"] for row in rows(text) if unit in (None, row["unit"])}


def machine(threads):
    """The processor by family and model too: a virtual machine's name says little (family 25 is Zen 4, 26 Zen 5)."""
    facts = {}
    with open("/proc/cpuinfo") as f:
        for line in f:
            name, _, value = line.partition(":")
            facts.setdefault(name.strip(), value.strip())
    model = facts.get("model name", platform.machine())
    if "cpu family" in facts:
        model += f" (family {facts['cpu family']}, model {facts['model']})"
    return f"{model}, {os.cpu_count()} cores, {threads} threads, {datetime.date.today()}"


class Table:
    """Rows of results/NAME.json and NAME.md: ratio says how many times better ours is than the peer, or than the limit."""

    def __init__(self, peer):
        self.peer = peer
        self.rows = []

    def row(self, case, mine, other, name, unit, target, lower=False):
        ratio = other / mine if lower else mine / other
        self.rows.append({"case": case, "ours": round(mine, 3), "peer": round(other, 3), "peer_name": name, "unit": unit,
                          "ratio": round(ratio, 3), "target": target, "met": None if target is None else ratio >= target})

    def fact(self, case, value, unit, at_most):
        """A figure without a peer, and the most that it may be; None: anything."""
        ratio = None if at_most is None else at_most / value if value else 1.0
        self.rows.append({"case": case, "ours": round(value, 3), "peer": at_most, "peer_name": "limit", "unit": unit,
                          "ratio": ratio and round(ratio, 3), "target": None if at_most is None else 1,
                          "met": None if at_most is None else ratio >= 1})

    def missing(self, case, why):
        """What could not be measured."""
        self.rows.append({"case": case, "ours": None, "peer": None, "peer_name": why, "unit": "", "ratio": None, "target": None, "met": None})

    def write(self, name, threads, command, where=None, commit=None):
        result = {"machine": where or machine(threads), "commit": commit or run("git", "-C", ROOT, "rev-parse", "HEAD").strip(),
                  "command": command, "rows": self.rows}
        folder = os.path.join(HERE, "results")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name + ".json"), "w") as f:
            json.dump(result, f, indent=1)
            f.write("\n")

        def text(value):
            return "–" if value is None else {True: "yes", False: "no"}[value] if isinstance(value, bool) else f"{value:g}"

        lines = ["| case | ours | peer | unit | ratio | target | met |", "|---|---|---|---|---|---|---|"]
        lines += ["| " + " | ".join([r["case"], text(r["ours"]), text(r["peer"]) + (f" ({r['peer_name']})" if r["peer_name"] != self.peer else ""),
                                     r["unit"], text(r["ratio"]), text(r["target"]), text(r["met"])]) + " |" for r in self.rows]
        table = f"{result['machine']}; commit {result['commit'][:12]}; peer: {self.peer} in the same run\n\n" + "\n".join(lines) + "\n"
        with open(os.path.join(folder, name + ".md"), "w") as f:
            f.write(table)
        print(table)


def arguments(description):
    ap = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--peer-root", required=True)
    ap.add_argument("--peers", required=True)
    ap.add_argument("--reference", required=True)
    ap.add_argument("--threads", type=int, default=2)
    return ap.parse_args()


def peer(a, *command):
    return run("chroot", a.peer_root, "env", f"OMP_NUM_THREADS={a.threads}", "python3", *command)


def prepare_peer(a):
    inside = a.peer_root + WORK
    shutil.rmtree(inside, ignore_errors=True)
    os.makedirs(inside)
    for folder, name in ((a.peers, "pytorch_m1.py"), (a.peers, "refstubs.py"), (HERE, "peer_gemm.py"),
                         (a.reference, "modeling_minimax_m1.py"), (a.reference, "configuration_minimax_m1.py")):
        shutil.copy(os.path.join(folder, name), inside)


def peer_model(a):
    """Times the published code; its times, and the folder with the model and the ids that it ran."""
    inside = a.peer_root + WORK
    peer(a, f"{WORK}/pytorch_m1.py", "--ref", WORK, "--threads", str(a.threads), "--json", f"{WORK}/peer.json", "--save", f"{WORK}/model")
    with open(inside + "/peer.json") as f:
        return inside + "/model", json.load(f)


def main():
    a = arguments(__doc__)
    t = str(a.threads)
    run("cmake", "-S", ROOT, "-B", BUILD, "-DMINIMAX_TESTS=OFF")
    run("cmake", "--build", BUILD, "-j", "2")
    run("dotnet", "build", "-c", "Release", os.path.join(HERE, "ModelBenchmark"), "-v", "q")
    prepare_peer(a)

    def bench(name, unit):
        return lines(run(os.path.join(BUILD, "native", "benchmarks", name), t), unit)

    gemm, peer_gemm = bench("gemm_bench", "GFLOP/s"), lines(peer(a, f"{WORK}/peer_gemm.py", t))
    lightning = bench("lightning_bench", None)
    moe = bench("moe_bench", "ms")
    model, theirs = peer_model(a)
    ours = lines(run("dotnet", "run", "-c", "Release", "--no-build", "--project", os.path.join(HERE, "ModelBenchmark"), "--", model, t))

    torch = f"PyTorch {theirs['torch']}"
    table = Table(torch)
    row = table.row
    for case, value in peer_gemm.items():
        row(f"product {case}", gemm[case], value, torch, "GFLOP/s", 1.2 if case.startswith("fp32") else None)
    for mode in ("forward", "forward+backward"):
        row(f"lightning {mode} 8x64x2048", lightning[f"lightning {mode} 8x64x2048"],
            theirs[f"lightning core 8x64 {mode}"]["best_s"] * 1e3, torch + ", published code", "ms", 3.0, lower=True)
    moe_case = next((k for k in moe if "forward" in k and "2048" in k and "fp32" in k and "backward" not in k), None)
    if moe_case:
        row("MoE block 8 experts top-2 768, 2048 tokens", moe[moe_case],
            theirs["one MoE block (8 experts, top 2, 768)"]["best_s"] * 1e3, torch + ", published code", "ms", 1.5, lower=True)
    for case, key, target in (("prefill", "model forward incl. lm_head (prefill)", None),
                              ("forward+backward", "forward+backward (no optimizer)", 1.2),
                              ("decode", "decode, batch 1, after the prefill", 1.5)):
        row(f"model 93.8M {case}", ours[case], theirs[key]["tokens_per_s_best"], torch + ", published code", "tokens/s", target)
    short, long = (ours[f"decode after {n} tokens, lightning layers only"] for n in (512, 32768))
    row("decode after 32,768 tokens, lightning layers only", long, short, "after 512 tokens", "tokens/s", 0.9)
    flat = {k: v for k, v in lightning.items() if k.startswith("lightning forward per token")}
    if flat:
        row("lightning time a token, longest against shortest sequence", max(flat.values()), min(flat.values()),
            "the fastest length from 16K to 256K", "ns", 0.9, lower=True)

    table.write("cpu", a.threads, "python3 native/benchmarks/compare.py --peer-root DIR --peers DIR --reference DIR")


if __name__ == "__main__":
    main()
