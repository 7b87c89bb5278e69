// Sampling on every target: the same token as a plain evaluation in double precision, in rows of all shapes
// and with all cuts.
#include <algorithm>
#include <numeric>

#include "support.h"

namespace mm::test {
namespace {

struct Rows {
  Rows(int64_t count, int64_t words, uint64_t seed)
      : rows(count),
        vocabulary(words),
        temperature(rows),
        top_p(rows),
        min_p(rows),
        logp(rows, NAN),
        top_k(rows),
        token(rows, -1),
        seeds(rows),
        position(rows) {
    Random random(seed);
    for (int64_t r = 0; r < rows; r++) {
      const float spread = r % 5 == 0 ? 0 : 4 * static_cast<float>(r % 5);  // a fifth of the rows is flat
      for (int64_t i = 0; i < words; i++) {
        const float z = random.uniform() * spread;
        logits.push_back(r % 3 == 0 ? std::round(z) : z);  // a third has many equals
      }
      if (r % 11 == 0 && words > 2) logits[r * words + random.below(words)] = -INFINITY;
      temperature[r] = r % 4 == 0 ? 1 : r % 13 == 0 ? 0 : 1.5f + random.uniform();
      top_k[r] = static_cast<int32_t>(
          r % 2 ? 0 : 1 + random.below(r % 8 ? std::min<int64_t>(words, 40) : 2 * words));
      top_p[r] = r % 3 ? 0.5f + 0.5f * random.uniform() : 1;
      min_p[r] = r % 6 == 1 ? 0.1f * (1 + random.uniform()) : 0;
      if (r % 17 == 3) top_p[r] = 0;
      if (r % 19 == 3) min_p[r] = 1;
      seeds[r] = static_cast<int64_t>(random.next());
      position[r] = random.below(1 << 30);
    }
  }

  mm_status run(mm_context* context) {
    mm_sample_params p{sizeof p,     logits.data(), temperature.data(), top_p.data(), min_p.data(),
                       top_k.data(), seeds.data(),  position.data(),    token.data(), logp.data(),
                       rows,         vocabulary};
    std::fill(token.begin(), token.end(), -1);
    std::fill(logp.begin(), logp.end(), NAN);
    return mm_sample(context, &p);
  }

  int64_t rows, vocabulary;
  Buffer<float> logits, temperature, top_p, min_p, logp;
  Buffer<int32_t> top_k, token;
  Buffer<int64_t> seeds, position;
};

double uniform_of(int64_t seed, int64_t position) {
  auto mix = [](uint64_t z) { return Random(z - 0x9e3779b97f4a7c15ull).next(); };
  const uint64_t key = mix(static_cast<uint64_t>(seed) + 0x9e3779b97f4a7c15ull);
  const uint64_t at = key + 0x9e3779b97f4a7c15ull * (static_cast<uint64_t>(position) + 1);
  return static_cast<double>(mix(at) >> 11) * 0x1p-53;
}

struct Choice {
  int64_t token;
  double logp, distance;  // from the nearest boundary at which another token would be right
};

Choice choose(const Rows& in, int64_t r) {
  const int64_t n = in.vocabulary;
  const float* z = in.logits.data() + r * n;
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return z[a] > z[b]; });
  double total = 0;
  for (int64_t i = 0; i < n; i++) total += std::exp(double(z[i]) - z[order[0]]);
  const double lse = z[order[0]] + std::log(total);
  if (in.temperature[r] == 0) return {order[0], z[order[0]] - lse, 1};
  std::vector<double> e(n);
  for (int64_t i = 0; i < n; i++) e[i] = std::exp((double(z[i]) - z[order[0]]) / in.temperature[r]);
  int64_t count = in.top_k[r] > 0 ? std::min<int64_t>(in.top_k[r], n) : n;
  double kept = 0, mass = 0, distance = 1;
  for (int64_t i = 0; i < count; i++) kept += e[order[i]];
  for (int64_t i = 0; i < count && in.top_p[r] < 1; i++) {
    mass += e[order[i]];
    distance = std::fmin(distance, std::fabs(mass - in.top_p[r] * kept) / kept);
    if (mass >= in.top_p[r] * kept) count = i + 1;
  }
  double smallest = e[order[count - 1]];
  for (double value : e) {
    if (in.min_p[r] > 0) distance = std::fmin(distance, std::fabs(value - in.min_p[r]));
  }
  // What is as large as the last one of top_k or top_p is kept; min_p cuts what is smaller.
  if (in.min_p[r] > 0 && in.min_p[r] < 1) smallest = std::fmax(smallest, in.min_p[r]);
  if (in.min_p[r] >= 1) smallest = 1, distance = 1;
  double all = 0, sum = 0;
  for (double value : e) all += value >= smallest && value > 0 ? value : 0;
  const double at = uniform_of(in.seeds[r], in.position[r]) * all;
  int64_t token = -1;
  for (int64_t i = 0; i < n; i++) {
    if (e[i] < smallest || e[i] == 0) continue;
    sum += e[i];
    distance = std::fmin(distance, std::fabs(sum - at) / all);
    if (sum > at && token < 0) token = i;
  }
  return {token, z[token] - lse, distance};
}

TEST(Sampling, ChoosesTheTokenOfAPlainEvaluation) {
  struct Case {
    int64_t rows, vocabulary;
  };
  for (auto [rows, vocabulary] : {Case{8, 1}, Case{12, 2}, Case{120, 33}, Case{30, 1000}, Case{12, 1025},
                                  Case{10, 9000}, Case{5, 20000}}) {
    Rows in(rows, vocabulary, 50 + vocabulary);
    std::vector<Choice> want;
    for (int64_t r = 0; r < rows; r++) want.push_back(choose(in, r));
    for (const Target& target : all_targets()) {
      Context context(target);
      MM_EXPECT_OK(in.run(context));
      int64_t near = 0;
      for (int64_t r = 0; r < rows; r++) {
        // e has an error of up to 2^-22 of itself, sums of 2^-25 more.
        if (want[r].distance < 1e-6) {
          near++;
          ASSERT_TRUE(in.token[r] >= 0 && in.token[r] < vocabulary);
          continue;
        }
        EXPECT_EQ(in.token[r], want[r].token) << "row " << r << " of " << vocabulary;
        EXPECT_NEAR(in.logp[r], want[r].logp, 2e-6 * std::fmax(1, std::fabs(want[r].logp)));
      }
      EXPECT_LE(near, 4 + rows / 5);
    }
  }
}

TEST(Sampling, ARowHasTheSameTokenAloneAndInABatch) {
  Rows all(20, 3000, 7);
  for (const Target& target : all_targets()) {
    Context context(target);
    MM_EXPECT_OK(all.run(context));
    for (int64_t r : {0, 7, 19}) {
      Rows one(1, 3000, 7);
      std::copy(&all.logits[r * 3000], &all.logits[r * 3000] + 3000, one.logits.begin());
      one.temperature[0] = all.temperature[r], one.top_p[0] = all.top_p[r], one.min_p[0] = all.min_p[r];
      one.top_k[0] = all.top_k[r], one.seeds[0] = all.seeds[r], one.position[0] = all.position[r];
      MM_EXPECT_OK(one.run(context));
      EXPECT_EQ(one.token[0], all.token[r]);
      EXPECT_EQ(one.logp[0], all.logp[r]);
    }
  }
}

// Masks leave a few words, or one.
TEST(Sampling, NeverChoosesAWordOfNoProbability) {
  for (const Target& target : all_targets()) {
    Context context(target);
    Rows in(60, 500, 8);
    for (int64_t r = 0; r < in.rows; r++) {
      for (int64_t i = 0; i < 500; i++) {
        if (i % 100 != r || r == 59) in.logits[r * 500 + i] = i == 77 ? -3.0f : -INFINITY;
      }
    }
    MM_EXPECT_OK(in.run(context));
    for (int64_t r = 0; r < in.rows; r++) {
      ASSERT_GE(in.token[r], 0);
      EXPECT_TRUE(std::isfinite(in.logits[r * 500 + in.token[r]])) << r;
    }
    EXPECT_EQ(in.token[59], 77);
    EXPECT_EQ(in.logp[59], 0.0f);
  }
}

TEST(Sampling, RefusesLogitsThatAreNotNumbers) {
  for (const Target& target : all_targets()) {
    Context context(target);
    Rows in(3, 40, 9);
    in.logits[77] = NAN;
    mm_status status = in.run(context);
    if (target.device == MM_DEVICE_KIND_CUDA) {
      EXPECT_EQ(status, MM_STATUS_OK);
      status = mm_context_synchronize(context);
    }
    EXPECT_EQ(status, MM_STATUS_INVALID_ARGUMENT);
  }
}

}  // namespace
}  // namespace mm::test
