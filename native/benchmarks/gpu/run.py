"""Everything that a GPU machine can tell, in one command of at most eight minutes.

    python3 native/benchmarks/gpu/run.py [--peers FOLDER]...

Needs a GPU, nvcc 12.4 or later, cmake and Python 3; uses GoogleTest, compute-sanitizer and torch where they are found, fla and vllm also
from checkouts (FOLDER), and artifacts/publish (a self-contained publish of the tool minimax) where it is there. Builds, tests, checks,
times, and writes results/gpu.json and results/gpu.md. What could not run is a row that says why. Exit code 1 if a check failed.

    python3 native/benchmarks/gpu/run.py --shim BUILD

tries the script itself where there is no GPU: on the host shim of a build that exists, with tiny sizes; writes no results.
"""
import argparse
import datetime
import glob
import json
import os
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from compare import ROOT, Table  # noqa: E402

SECONDS = 470
PATIENCE = 1  # how many times longer everything may take: more on the shim
START = time.monotonic()
COMMAND = "python3 native/benchmarks/gpu/run.py"

# Targets on an H200, by the beginning of the case's name. At least this share of the floor:
SHARES = {"lightning forward 32768 tokens 64": 0.65, "lightning decode batch 32": 0.8, "lightning decode batch 64": 0.8, "lightning decode batch 256": 0.8,
          "moe experts forward T 32768": 0.75, "moe experts backward T 32768": 0.7, "moe experts forward T 16384": 0.75,
          "moe experts backward T 16384": 0.7, "moe experts forward T 24576": 0.55, "moe experts backward T 24576": 0.55,
          "moe experts forward T 1 ": 0.8}
# At least so many TFLOP/s.
RATES = {"moe experts forward T 32768": 590, "moe experts backward T 32768": 550, "moe experts forward T 16384": 600,
         "moe experts forward T 24576": 435}
# At most so many microseconds.
LIMITS = {"lightning forward 32768 tokens 64x128": 770.0, "lightning forward+backward 32768 tokens 64x128": 3200.0,
          "lightning decode batch 1": 6.0}
# So many times as fast as the Triton peer.
TIMES = {"lightning forward 32768": 2.0, "lightning forward+backward 32768": 3.0, "moe experts forward T 32768": 1.25,
         "moe experts forward T 16384": 1.25, "moe experts forward T 24576": 1.25}


def target_of(targets, case):
    return next((target for name, target in targets.items() if case.startswith(name)), None)


def left():
    return PATIENCE * SECONDS - (time.monotonic() - START)


def step(command, most, environment=None):
    """(exit code, output): None and the reason if it did not run or took too long."""
    limit = min(PATIENCE * most, left())
    if limit < 5:
        return None, "no time was left"
    print(f"[{time.monotonic() - START:5.0f} s] {' '.join(command)}", file=sys.stderr, flush=True)
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=limit, cwd=ROOT,
                              env=dict(os.environ, **(environment or {})))
        return done.returncode, done.stdout
    except subprocess.TimeoutExpired as e:
        output = e.stdout or ""
        return None, (output.decode(errors="replace") if isinstance(output, bytes) else output) + f"\nstopped after {limit:.0f} s"
    except OSError as e:
        return None, str(e)


def json_lines(output):
    """The complete ones of what was printed."""
    found = []
    for line in output.splitlines():
        try:
            found += [json.loads(line)] if line.startswith("{") else []
        except ValueError:
            pass
    return found


def first_line(command, contains=""):
    code, output = step(command, 20)
    return next((line.strip() for line in output.splitlines() if contains in line), "unknown") if code == 0 else "unknown"


def last_line(output):
    return next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "no output")[:200]


class Report:
    def __init__(self):
        self.table = Table("floor")
        self.failed = []

    def missing(self, case, why):
        self.table.missing(case, why.replace("|", "/").replace("\n", " ")[:200])

    def check(self, case, code, output, may_stop=False):
        """A row of a check; its output goes to standard error if it failed. What has not ended is a failure too, unless it may stop."""
        if code is None:
            print(output[-2000:], file=sys.stderr)
            self.missing(case, last_line(output))
            if not may_stop:
                self.failed.append(case)
            return
        if code != 0:
            print(output[-6000:], file=sys.stderr)
            self.failed.append(case)
        self.table.fact(case, 0 if code == 0 else 1, "failures", 0)


def build(report, folder):
    options = ["-DMINIMAX_CUDA=ON", "-DMINIMAX_BENCHMARKS=ON", "-DCMAKE_BUILD_TYPE=Release"]
    nvcc = shutil.which("nvcc")
    if nvcc:
        options.append(f"-DMINIMAX_NVCC={nvcc}")
    code, output = step(["cmake", "-S", ROOT, "-B", folder, *options], 60)
    if code != 0 and "GTest" in output:
        report.missing("native tests", "GoogleTest was not found")
        code, output = step(["cmake", "-S", ROOT, "-B", folder, *options, "-DMINIMAX_TESTS=OFF"], 60)
    if code == 0:
        code, output = step(["cmake", "--build", folder, "-j", str(os.cpu_count())], 330)
    report.check("build", code, output)
    return code == 0


def tests(report, folder, environment):
    for binary in sorted(glob.glob(os.path.join(folder, "native", "tests", "*_test"))):
        code, output = step([binary], 60, dict(environment, MINIMAX_TEST_TARGET="cuda", MINIMAX_CUDA_MANAGED="1"))
        report.check(os.path.basename(binary) + " on the GPU", code, output)


def sanitizers(report, bench, environment):
    """Over the bench in tiny sizes: every operation, in device memory, called and in a graph."""
    tool = shutil.which("compute-sanitizer")
    for name in ("memcheck", "racecheck", "initcheck"):
        if not tool:
            report.missing(f"compute-sanitizer {name}", "compute-sanitizer was not found")
            continue
        code, output = step([tool, "--tool", name, "--error-exitcode", "9", bench, "--small"], 45, environment)
        report.check(f"compute-sanitizer {name}", code, output, may_stop=True)


def goldens(report, folder, environment):
    publish = os.path.join(ROOT, "artifacts", "publish")
    tool = os.path.join(publish, "minimax")
    if not os.path.exists(tool):
        report.missing("minimax check on the GPU", "artifacts/publish did not travel along")
        return
    environment = dict(environment, MINIMAX_NATIVE_PATH=os.path.join(folder, "native", "libminimax.so"), DOTNET_SYSTEM_GLOBALIZATION_INVARIANT="1")
    code, output = step([tool, "check", "--goldens", os.path.join(ROOT, "interop-tests", "goldens"), "--device", "cuda"], 60, environment)
    report.check("minimax check on the GPU", code, output)


def peers(report, folder, environment, options):
    """Rows beside PyTorch and Triton; the fastest dense product that was seen, in TFLOP/s, and whose it was."""
    small = "--small" in options
    if step([sys.executable, "-c", "import torch" + ("" if small else "; assert torch.cuda.is_available()")], 30)[0] != 0:
        report.missing("PyTorch and Triton peers", "no torch was found" if small else "no torch with CUDA was found")
        return None
    native = os.path.join(folder, "native")
    code, output = step([sys.executable, os.path.join(HERE, "peers.py"), os.path.join(native, "libminimax.so"), os.path.join(native, "abi.json"),
                         *options], 150, environment)
    if code != 0:
        report.check("PyTorch and Triton peers", code, output)
    dense = None
    for line in json_lines(output):
        if "torch" in line:
            report.table.missing("peers", f"torch {line['torch']}, CUDA {line['cuda']}")
            continue
        case = line["case"] + " beside " + line["peer"]
        if "missing" in line:
            report.missing(case, line["missing"])
            continue
        if not line["agrees"]:
            report.failed.append(case)
            print(f"{case}: outputs differ by {line['error']:.3g}, at most {line['bound']:.3g}", file=sys.stderr)
        report.table.fact(case + ": relative distance of the outputs", line["error"], "", line["bound"])
        target = target_of(TIMES, line["case"]) if "Triton" in line["peer"] else None
        for times, unit in ((line["graph_us"], "us in a graph"), (line["called_us"], "us, called")):
            if times:
                report.table.row(case, *times, line["peer"], unit, target, lower=True)
        if line["case"].startswith("linear forward bf16"):
            m, k, n = (int(s) for s in line["case"].split()[-1].split("x"))
            for who, time_us in zip(("ours", "torch.mm"), line["graph_us"] or line["called_us"]):
                rate = 2 * m * k * n / time_us * 1e-6
                if dense is None or rate > dense[0]:
                    dense = rate, who
    return dense


def bench_rows(report, output, dense):
    lines = [line for line in json_lines(output) if "case" in line]
    good = {line["case"]: line for line in lines if "error" not in line}

    def best(line):
        return line["graph_us"] or line["eager_us"]

    if "copy" not in good:
        report.missing("operations against their floors", "the copy bandwidth could not be measured")
        return
    bandwidth = good["copy"]["bytes"] / best(good["copy"]) * 1e-6  # TB/s
    report.table.fact("copy bandwidth", bandwidth * 1e3, "GB/s", None)
    if dense is None:
        rates = [line["flops"] / best(line) * 1e-6 for case, line in good.items() if case.startswith("linear forward bf16")]
        dense = (max(rates), "ours") if rates else None
    if dense:
        report.table.fact(f"dense bf16 product, the fastest seen ({dense[1]})", dense[0], "TFLOP/s", None)
    for line in lines:
        case = line["case"]
        if "error" in line:
            report.missing(case, line["error"])
            report.failed.append(case)
            continue
        if case == "copy":
            continue
        by_bytes = line["bytes"] / bandwidth * 1e-6
        in_fp32 = "fp32" in case or case.startswith("lm head")  # multiplied without tensor cores: no measured rate to compare with
        by_flops = line["flops"] / dense[0] * 1e-6 if dense and not in_fp32 else 0.0
        rate, share = target_of(RATES, case), target_of(SHARES, case)
        if rate:
            report.table.row(case, line["flops"] / best(line) * 1e-6, rate, "target", "TFLOP/s", 1)
        elif line["flops"]:
            report.table.fact(case, line["flops"] / best(line) * 1e-6, "TFLOP/s", None)
        floor = "floor: products" if by_flops > by_bytes else "floor: bytes"
        if not (in_fp32 and line["flops"]):
            report.table.row(case, best(line), max(by_bytes, by_flops), floor, "us in a graph" if line["graph_us"] else "us, called", share, lower=True)
        report.table.fact(case + ", called one by one", line["eager_us"], "us", None)
        if case in LIMITS:
            report.table.fact(case, best(line), "us in a graph", LIMITS[case])


def machine():
    gpu = first_line(["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"])
    return f"{gpu}; {first_line(['nvcc', '--version'], 'release')}; {datetime.date.today()}"


def main():
    global PATIENCE
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--shim", metavar="BUILD", help="a build with the host shim and gpu_bench")
    ap.add_argument("--peers", action="append", default=[], metavar="FOLDER", help="where Python finds fla or vllm")
    a = ap.parse_args()
    small = ["--small"] if a.shim else []
    if a.shim:
        PATIENCE = 10
    report = Report()
    folder = os.path.abspath(a.shim) if a.shim else os.path.join(ROOT, "artifacts", "gpu")
    library = "shim/libminimax_cuda_shim.so" if a.shim else "libminimax_cuda12.so"
    environment = {"MINIMAX_CUDA_LIBRARY": os.path.join(folder, "native", "cuda", library)}
    bench = os.path.join(folder, "native", "benchmarks", "gpu_bench")
    try:
        if a.shim or build(report, folder):
            tests(report, folder, environment)
            goldens(report, folder, environment)
            dense = peers(report, folder, environment, small + [o for peer in a.peers for o in ("--peers", peer)])
            code, output = step([bench, *small], 110, environment)
            if code != 0:
                report.check("gpu_bench", code, output)
            bench_rows(report, output, dense)
            sanitizers(report, bench, environment)
    except Exception as e:  # what there is by now is written all the same
        report.failed.append("run.py")
        report.missing("run.py", f"{type(e).__name__}: {e}")
    if a.shim:
        print(json.dumps(report.table.rows, indent=1))
    else:
        report.table.write("gpu", None, COMMAND, machine(), first_line(["git", "rev-parse", "HEAD"]))
    print("failed: " + ", ".join(report.failed) if report.failed else "no check failed", file=sys.stderr)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
