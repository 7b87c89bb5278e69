"""Collects the main job's summaries: results/main-job.json and a table.

    for s in 0 1 2 3 4; do dotnet run -c Release --project samples/LogicReasoner -- --seed $s; done
    python3 native/benchmarks/main_job.py runs/seed-0 runs/seed-1 runs/seed-2 runs/seed-3 runs/seed-4
"""
import json
import os
import sys

from compare import HERE, machine


def summary(folder):
    """The summary, and what the model could do before answering at once was made its habit."""
    with open(os.path.join(folder, "summary.json")) as f:
        run = json.load(f)
    with open(os.path.join(folder, "metrics.jsonl")) as f:
        run["pass_rate_before_the_habit"] = next(line["skill_pass_rate"] for line in map(json.loads, f) if "skill_pass_rate" in line)
    return run


def main():
    runs = sorted(map(summary, sys.argv[1:]), key=lambda r: (r["weights"], r["seed"]))
    rows = [{"case": f"seed {r['seed']}, {r['weights']}: gain of CISPO over the warm start", "ours": round(r["gain"], 4), "peer": 0.15, "peer_name": "limit",
             "unit": "pass rate", "ratio": round(r["gain"] / 0.15, 3), "target": 1, "met": r["gain"] >= 0.15} for r in runs]
    with open(os.path.join(HERE, "results", "main-job.json"), "w") as f:
        json.dump({"machine": machine("any number of"), "commit": runs[0]["commit"], "command": "python3 native/benchmarks/main_job.py RUNS", "rows": rows,
                   "runs": runs}, f, indent=1)
        f.write("\n")

    def rate(run, key):
        mark = run["pass_rates"][key]["all"]
        return f"{mark['mean']:.3f} ± {mark['standard_error']:.3f}"

    keys = ("untrained", "warm_start", "cispo", "sft_control")
    lines = ["| seed | weights | untrained | before the habit | warm start | CISPO | SFT control | worked out, before → after | zero-gradient tokens | correlation |", "|---|---|---|---|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join([str(r["seed"]), r["weights"], rate(r, keys[0]), f"{r['pass_rate_before_the_habit']:.3f}", *(rate(r, k) for k in keys[1:]),
                                 f"{r['worked_out_share_warm_start']:.0%} → {r['worked_out_share_cispo']:.0%}", str(r["zero_gradient_tokens"]),
                                 f"{r['rollout_trainer_pearson']:.6f}"]) + " |" for r in runs]
    with open(os.path.join(HERE, "results", "main-job.md"), "w") as f:
        f.write("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
