// Choosing the next token of each row. The uniform number is splitmix64's mix of seed and position, 53 bits,
// so a row's choice depends on nothing else in the batch.
#include <math.h>

#include "cpu/elementwise.h"
#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

uint64_t mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

double uniform(int64_t seed, int64_t position) {
  const uint64_t key = mix(static_cast<uint64_t>(seed) + 0x9e3779b97f4a7c15ull);
  return static_cast<double>(mix(key + 0x9e3779b97f4a7c15ull * (static_cast<uint64_t>(position) + 1)) >> 11) *
         0x1p-53;
}

int32_t largest(const float* z, int64_t n) {
  int64_t best = 0;
  for (int64_t i = 1; i < n; i++) {
    if (z[i] > z[best]) best = i;
  }
  return static_cast<int32_t>(best);
}

// e[i] = exp((z[i] - maximum) scale)
void exponentials(const float* z, int64_t n, float maximum, float scale, float* e) {
  for (int64_t i = 0; i < n; i += kLanes) {
    const int64_t part = min64(kLanes, n - i);
    store_n(e + i, exp((load_n(z + i, part) - maximum) * scale), part);
  }
}

double total(const float* e, int64_t n) {
  double s = 0;
  for (int64_t i = 0; i < n; i++) s += e[i];
  return s;
}

void sift(float* heap, int64_t i, int64_t n) {
  for (int64_t child; (child = 2 * i + 1) < n; i = child) {
    if (child + 1 < n && heap[child + 1] > heap[child]) child++;
    if (heap[i] >= heap[child]) return;
    const float t = heap[i];
    heap[i] = heap[child], heap[child] = t;
  }
}

// The smallest value that is kept: values are taken from a heap in descending order until top_k or top_p is
// reached.
float threshold(const float* e, int64_t n, int64_t top_k, float top_p, float* heap) {
  memcpy(heap, e, n * sizeof(float));
  for (int64_t i = n / 2 - 1; i >= 0; i--) sift(heap, i, n);
  const int64_t most = top_k > 0 ? min64(top_k, n) : n;
  double kept_k = 0;
  // top_p applies to the distribution that top_k leaves, so its mass comes first.
  if (top_k > 0 && top_p < 1) {
    float* copy = heap + n;
    memcpy(copy, heap, n * sizeof(float));
    for (int64_t i = 0, left = n; i < most; i++, left--) {
      kept_k += copy[0];
      copy[0] = copy[left - 1];
      sift(copy, 0, left - 1);
    }
  } else {
    kept_k = total(e, n);
  }
  double mass = 0;
  float value = heap[0];
  for (int64_t i = 0, left = n; i < most; i++, left--) {
    value = heap[0];
    mass += value;
    if (top_p < 1 && mass >= top_p * kept_k) break;
    heap[0] = heap[left - 1];
    sift(heap, 0, left - 1);
  }
  return value;
}

// Ids in ascending order. Equal values at the threshold are all kept.
int32_t choose(const float* e, int64_t n, float smallest, double number) {
  double kept = 0;
  int64_t last = 0;
  for (int64_t i = 0; i < n; i++) {
    if (e[i] >= smallest && e[i] > 0) kept += e[i], last = i;
  }
  const double at = number * kept;
  double mass = 0;
  for (int64_t i = 0; i < n; i++) {
    if (e[i] >= smallest && e[i] > 0 && (mass += e[i]) > at) return static_cast<int32_t>(i);
  }
  return static_cast<int32_t>(last);
}

void sample_row(const mm_sample_params& p, int64_t r) {
  const int64_t n = p.vocabulary;
  const float* z = p.logits + r * n;
  for (int64_t i = 0; i < n; i++)
    MM_REQUIRE(z[i] == z[i], "logit %lld of row %lld is NaN", (long long)i, (long long)r);
  const int32_t best = largest(z, n);
  const float maximum = z[best];
  float* e = static_cast<float*>(thread_scratch(3 * n * sizeof(float)));
  exponentials(z, n, maximum, 1.0f, e);
  const float lse = maximum + static_cast<float>(log(total(e, n)));
  const float temperature = p.temperature[r];
  int32_t token = best;
  if (temperature > 0) {
    if (temperature != 1) exponentials(z, n, maximum, 1.0f / temperature, e);
    float smallest = 0;
    if (p.top_k[r] > 0 || p.top_p[r] < 1) smallest = threshold(e, n, p.top_k[r], p.top_p[r], e + n);
    smallest = fmaxf(smallest, p.min_p[r]);  // the largest of e is 1
    token = choose(e, n, smallest, uniform(p.seed[r], p.position[r]));
  }
  p.token[r] = token;
  p.logp[r] = z[token] - lse;
}

}  // namespace

void sample(mm_context&, const mm_sample_params& p) {
  parallel_for(p.rows, [&](int64_t r) { sample_row(p, r); });
}

}  // namespace mm::MM_ISA_NS
