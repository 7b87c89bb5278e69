#!/usr/bin/env bash
# All tests: formatting, native (Release, and with address and undefined-behaviour sanitizers), a compile for arm64, the CUDA
# backend on the host shim and through nvcc, managed, the trimmed tool. Ends with "tests: N passed, N failed, N skipped" and a status other than 0 on any failure.
set -uo pipefail
cd "$(dirname "$0")"
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 MSBUILDTERMINALLOGGER=off
out=artifacts/test
mkdir -p "$out"
passed=0 failed=0 skipped=0

say() { printf '\n== %s\n' "$*"; }

# One check that counts as one test.
check() {
  local name=$1 log
  log="$out/$(echo "$name" | tr -c 'a-zA-Z0-9\n' '-').log"
  shift
  if "$@" >"$log" 2>&1; then
    passed=$((passed + 1)); echo "ok: $name"
  else
    failed=$((failed + 1)); echo "FAILED: $name"; tail -n 40 "$log"
  fi
}

skip() { skipped=$((skipped + 1)); echo "skipped: $1"; }

need() {  # a command, and the Debian package that has it
  command -v "$1" >/dev/null && return
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && { apt-get -qq update && apt-get -qq install -y "$2"; } >/dev/null 2>&1
  command -v "$1" >/dev/null
}

# Builds the native tests in a folder.
build_native() {
  local name=$1 build=$2
  shift 2
  check "$name: build" bash -c 'cmake -S . -B "$0" -DMINIMAX_BENCHMARKS=OFF "${@}" && cmake --build "$0" -j "$(nproc)"' "$build" "$@"
}

# Runs the native tests of a build and counts their cases; settings of the environment may follow.
run_native() {
  local name=$1 build=$2
  shift 2
  for test in "$build"/native/tests/*_test; do
    [ -x "$test" ] || continue
    local log="$out/$name-$(basename "$test").log"
    env "$@" "$test" >"$log" 2>&1 || { grep -E '^\[  FAILED|Failure|ERROR|runtime error|^shim:' "$log" | head -n 20; grep -q '^\[  FAILED' "$log" || failed=$((failed + 1)); }
    passed=$((passed + $(grep -c '^\[       OK' "$log")))
    failed=$((failed + $(grep '^\[  FAILED' "$log" | grep -c ' ms)')))
  done
}

# The CUDA compiler: where it is, or where it could be put.
find_nvcc() {
  local folder
  for folder in "$(dirname "$(command -v nvcc 2>/dev/null)" 2>/dev/null)" /usr/local/cuda/bin /opt/cuda-12.4/bin; do
    [ -x "$folder/nvcc" ] && { echo "$folder"; return; }
  done
  [ -f ../shared/setup-cuda.sh ] && LIBS="" bash ../shared/setup-cuda.sh >"$out/setup-cuda.log" 2>&1 && echo /opt/cuda-12.4/bin
}

for tool in dotnet cmake g++; do
  command -v "$tool" >/dev/null || { echo "$tool is missing; the README says what is needed"; exit 1; }
done
if [ ! -d /usr/include/gtest ] && [ "$(id -u)" = 0 ]; then
  { apt-get -qq update && apt-get -qq install -y libgtest-dev; } >/dev/null 2>&1
fi

say "Formatting"
if need clang-format clang-format; then
  check "clang-format" bash -c 'git ls-files "native/*.h" "native/*.cpp" "native/*.c" "native/*.cu" "native/*.cuh" | grep -v "\.g\." | xargs clang-format --dry-run --Werror'
else
  skip "clang-format is not installed"
fi

say "Native library"
if [ -d /usr/include/gtest ]; then
  build_native release artifacts/native-release
  run_native release artifacts/native-release
  build_native sanitized artifacts/native-sanitized "-DMINIMAX_SANITIZE=address;undefined" -DCMAKE_BUILD_TYPE=RelWithDebInfo
  run_native sanitized artifacts/native-sanitized
  for folder in artifacts/native-release/native/CMakeFiles/minimax_cpu_*.dir; do
    name=$(basename "$folder" .dir); isa=${name#minimax_cpu_}; isa=${isa/avx512_bf16/avx512}
    # A weak symbol outside the namespace of its instruction set could be linked in place of the baseline's.
    check "no symbols of $name leak" bash -c '! find "$1" -name "*.o" | xargs nm -C | grep -E " [WVu] " | grep -v -E "mm::$0|DW\.ref"' "$isa" "$folder"
  done
else
  skip "GoogleTest is not installed"
fi
if need aarch64-linux-gnu-g++ g++-aarch64-linux-gnu; then
  check "arm64 compiles" bash -c 'cmake -S . -B artifacts/native-arm64 -DMINIMAX_TESTS=OFF -DMINIMAX_BENCHMARKS=OFF -DCMAKE_SYSTEM_NAME=Linux \
    -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ && cmake --build artifacts/native-arm64 -j "$(nproc)" --target minimax'
else
  skip "no compiler for arm64"
fi

say "CUDA backend, on the host shim"
shim="$PWD/artifacts/native-release/native/cuda/shim/libminimax_cuda_shim.so"
if [ -f "$shim" ]; then
  # A kernel whose result depends on the order of its threads between barriers has a race.
  for order in forward reverse random; do
    run_native "shim-$order" artifacts/native-release MINIMAX_CUDA_LIBRARY="$shim" MINIMAX_TEST_TARGET=cuda MINIMAX_SHIM_ORDER=$order
  done
  run_native shim-hopper artifacts/native-release MINIMAX_CUDA_LIBRARY="$shim" MINIMAX_TEST_TARGET=cuda MINIMAX_SHIM_ORDER=random \
    MINIMAX_SHIM_CAPABILITY=90 GTEST_FILTER='Lightning*:Experts*'
else
  skip "the host shim was not built"
fi

say "CUDA backend, compiled for sm_80 and sm_90a"
nvcc=$(find_nvcc)
if [ -n "$nvcc" ]; then
  rm -rf artifacts/cuda  # so that the log is of all kernels
  check "cuda: build" bash -c 'cmake -S . -B artifacts/cuda -DMINIMAX_CUDA=ON -DMINIMAX_TESTS=OFF -DMINIMAX_BENCHMARKS=OFF && cmake --build artifacts/cuda -j "$(nproc)" --target minimax_cuda12'
  check "cuda: no kernel spills" bash -c 'grep -q "0 bytes spill stores" "$0" && ! grep -E "[1-9][0-9]* bytes spill|serialized" "$0"' "$out/cuda--build.log"
  check "cuda: Hopper's kernels use its instructions" bash -c '
    for kernel in lightning_sm90 gemm_sm90; do
      "$0/cuobjdump" -sass "artifacts/cuda/native/cuda/CMakeFiles/minimax_cuda_sm90.dir/$kernel.cu.o" >"$1/$kernel.sass" && grep -q HGMMA "$1/$kernel.sass" && grep -q UTMALDG "$1/$kernel.sass" && ! grep -E "\b(LDL|STL)\b" "$1/$kernel.sass" || exit 1
    done' "$nvcc" "$out"
  check "cuda: loads where there is no driver" env MINIMAX_CUDA_LIBRARY="$PWD/artifacts/cuda/native/cuda/libminimax_cuda12.so" artifacts/native-release/native/tests/cuda_test --gtest_filter='CudaLibrary.*'
else
  skip "neither nvcc nor ../shared/setup-cuda.sh is here: the CUDA code was not compiled for GPUs"
fi

say "Managed"
# The tests of the server that need OpenAI's JavaScript client and a browser are skipped where these cannot be had.
if need node nodejs && need npm npm && need chromium chromium; then
  mkdir -p artifacts/serving-e2e && cp interop-tests/serving-e2e/package.json artifacts/serving-e2e/
  (cd artifacts/serving-e2e && npm install --no-audit --no-fund --no-package-lock) >"$out/npm-install.log" 2>&1 \
    || { echo "npm install failed; the end-to-end tests of the server will be skipped"; tail -n 5 "$out/npm-install.log"; }
else
  echo "node, npm or chromium is missing; the end-to-end tests of the server will be skipped"
fi
check "dotnet build" dotnet build -c Release Bindings.sln
check "dotnet format" dotnet format Bindings.sln --verify-no-changes --no-restore --exclude-diagnostics IDE0130
rm -rf "$out/managed"
dotnet test -c Release Bindings.sln --no-build --logger "trx;LogFilePrefix=managed" --results-directory "$out/managed" >"$out/dotnet-test.log" 2>&1
status=$?
grep -E '^\s*(Failed|Error Message|Passed!|Failed!)' "$out/dotnet-test.log" | head -n 40
counted=0
for trx in "$out"/managed/*.trx; do
  [ -e "$trx" ] || continue
  counters=$(grep -o '<Counters [^>]*>' "$trx")
  number() { echo "$counters" | grep -o "$1=\"[0-9]*\"" | head -n 1 | tr -dc '0-9'; }
  passed=$((passed + $(number passed))); failed=$((failed + $(number failed)))
  skipped=$((skipped + $(number total) - $(number passed) - $(number failed))); counted=1
done
if [ $status -ne 0 ] && { [ $counted = 0 ] || [ $failed = 0 ]; }; then
  failed=$((failed + 1)); echo "FAILED: dotnet test"; tail -n 40 "$out/dotnet-test.log"
fi

if [ -f "$shim" ]; then
  # Those that are quick there; MINIMAX_CUDA_LIBRARY=FILE dotnet test runs all of them on a GPU.
  check "shim: managed tests" env MINIMAX_CUDA_LIBRARY="$shim" dotnet test -c Release interop-tests --no-build \
    --filter 'FullyQualifiedName~DecodeGraphTests|FullyQualifiedName~DeviceTests|FullyQualifiedName~FiniteDifferenceTests|FullyQualifiedName~GoldenTests|FullyQualifiedName~PackageTests.A_consumer'
fi

say "Trimmed tool"
rm -rf artifacts/publish
check "trimmed publish" dotnet publish -c Release managed/MiniMaxSharp.Cli -r linux-x64 --self-contained -p:PublishTrimmed=true -o artifacts/publish
check "trimmed tool stays under 40 MiB" bash -c '[ "$(du -sb --exclude="*.pdb" --exclude="*.xml" artifacts/publish | cut -f1)" -lt 41943040 ]'
check "trimmed tool: doctor" artifacts/publish/minimax doctor
check "trimmed tool: goldens" artifacts/publish/minimax check --goldens interop-tests/goldens
[ -f "$shim" ] && check "trimmed tool: goldens on the shim" env MINIMAX_CUDA_LIBRARY="$shim" artifacts/publish/minimax check --goldens interop-tests/goldens --device cuda
check "trimmed tool: serve" env MINIMAX_TOOL="$PWD/artifacts/publish/minimax" dotnet test -c Release interop-tests --no-build --filter FullyQualifiedName~ServeCommandTests

printf '\ntests: %d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" = 0 ]
