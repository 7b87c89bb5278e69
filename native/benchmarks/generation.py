"""Runs the generation engine and the server, and the PyTorch peer's decoding in the same go; writes results/generation.json.

    python3 native/benchmarks/generation.py --peer-root DIR --peers DIR --reference DIR [--threads 2]

The arguments are those of compare.py. Nothing else should run meanwhile; it takes about five minutes.
"""
import os

from compare import HERE, ROOT, Table, arguments, lines, peer_model, prepare_peer, rows, run


def main():
    a = arguments(__doc__)
    prepare_peer(a)
    model, theirs = peer_model(a)
    run("dotnet", "build", "-c", "Release", os.path.join(HERE, "ModelBenchmark"), "-v", "q")
    run("dotnet", "build", "-c", "Release", os.path.join(ROOT, "managed", "MiniMaxSharp.Cli"), "-v", "q")

    def bench(*command):
        return run("dotnet", "run", "-c", "Release", "--no-build", "--project", os.path.join(HERE, "ModelBenchmark"), "--", *command)

    ours = lines(bench(model, str(a.threads), "generation"))
    tool = os.path.join(ROOT, "managed", "MiniMaxSharp.Cli", "bin", "Release", "net10.0", "minimax.dll")
    facts = rows(bench("int8", model)) + rows(bench("soak", model, tool))

    table = Table(f"PyTorch {theirs['torch']}")
    published = f"PyTorch {theirs['torch']}, published code"
    table.row("decode, batch 1", ours["decode, batch 1"], theirs["decode, batch 1, after the prefill"]["tokens_per_s_best"], published, "tokens/s", 1.5)
    table.row("decode, batch 32", ours["decode, batch 32"], ours["decode, batch 1"], "batch 1", "tokens/s", 6)
    table.row("16 rollouts of a 1,024-token prompt, 64 new tokens each", ours["16 rollouts of 1,024 tokens, shared"],
              ours["16 rollouts of 1,024 tokens, separate"], "without prefix sharing", "s", 3, lower=True)
    table.fact("greedy text alone and among 32: tokens that differ", ours["greedy text alone and among 32 differs at"], "tokens", at_most=0)
    for fact in facts:
        table.fact(fact["case"], fact["value"], fact["unit"], {"errors": 0, "times": 1.02}.get(fact["unit"]))
    table.write("generation", a.threads, "python3 native/benchmarks/generation.py --peer-root DIR --peers DIR --reference DIR")


if __name__ == "__main__":
    main()
