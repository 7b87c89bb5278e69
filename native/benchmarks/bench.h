// Best and median of repeated runs, printed as a line of JSON.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "minimax/minimax.h"

namespace mm::bench {

inline mm_context* context() {
  mm_context_create_params params{};
  params.struct_size = sizeof params;
  mm_context* context = nullptr;
  if (mm_context_create(&params, &context) != MM_STATUS_OK)
    std::fprintf(stderr, "%s\n", mm_last_error()), std::exit(1);
  return context;
}

inline void ok(mm_status status) {
  if (status != MM_STATUS_OK) std::fprintf(stderr, "%s\n", mm_last_error()), std::exit(1);
}

inline std::vector<float> floats(int64_t count, uint64_t seed = 1) {
  std::vector<float> values(count);
  for (float& value : values) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    value = static_cast<float>(seed >> 40) * 0x1p-23f - 1.0f;
  }
  return values;
}

struct Seconds {
  double best, median;
};

template <typename F>
double seconds(F f) {
  using clock = std::chrono::steady_clock;
  const auto before = clock::now();
  f();
  return std::chrono::duration<double>(clock::now() - before).count();
}

inline Seconds best(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  return {times.front(), times[times.size() / 2]};
}

// Runs for about `budget` seconds after one warm-up.
template <typename F>
Seconds timed(F f, double budget = 0.5) {
  f();
  std::vector<double> times;
  for (double spent = 0; times.size() < 3 || spent < budget; spent += times.back())
    times.push_back(seconds(f));
  return best(times);
}

// `amount` of work in one run, in units of `unit` per second.
inline void report(const std::string& name, Seconds t, double amount, const char* unit) {
  std::printf("{\"case\": \"%s\", \"value\": %.4g, \"median\": %.4g, \"unit\": \"%s\"}\n", name.c_str(),
              amount / t.best, amount / t.median, unit);
  std::fflush(stdout);
}

inline void report_ms(const std::string& name, Seconds t) {
  std::printf("{\"case\": \"%s\", \"value\": %.4g, \"median\": %.4g, \"unit\": \"ms\"}\n", name.c_str(),
              t.best * 1e3, t.median * 1e3);
  std::fflush(stdout);
}

inline void threads(int argc, char** argv) {
  if (argc > 1) ok(mm_set_threads(std::atoi(argv[1])));
}

}  // namespace mm::bench
