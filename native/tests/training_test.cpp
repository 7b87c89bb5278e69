// Log-probabilities, policy loss, AdamW, gradient norm and sampling.
#include "support.h"

namespace mm::test {
namespace {

TEST(TokenLogprob, GradientsEqualDifferences) {
  constexpr int64_t rows = 4, vocabulary = 21;
  Random random(1);
  auto z = random.floats(rows * vocabulary, 3);
  const Buffer<int32_t> targets = {0, 20, MM_IGNORE_LABEL, 7};
  const auto dlogp = random.floats(rows), dentropy = random.floats(rows);
  auto value = [&] {
    double total = 0;
    for (int64_t r = 0; r < rows; r++) {
      double sum = 0, entropy = 0;
      for (int64_t i = 0; i < vocabulary; i++) sum += std::exp(double(z[r * vocabulary + i]));
      for (int64_t i = 0; i < vocabulary; i++) {
        const double logp = z[r * vocabulary + i] - std::log(sum);
        entropy -= std::exp(logp) * logp;
      }
      if (targets[r] != MM_IGNORE_LABEL) total += dlogp[r] * (z[r * vocabulary + targets[r]] - std::log(sum));
      total += dentropy[r] * entropy;
    }
    return total;
  };
  std::vector<double> want(z.size());
  for (size_t i = 0; i < z.size(); i++) {
    const float before = z[i], up = before + 1e-2f, down = before - 1e-2f;
    z[i] = up;
    const double high = value();
    z[i] = down;
    want[i] = (high - value()) / (double(up) - down);
    z[i] = before;
  }
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<float> logp(rows, NAN), lse(rows, NAN), entropy(rows, NAN), dz(z.size(), NAN);
    mm_token_logprob_forward_params f{sizeof f,   z.data(),       targets.data(), logp.data(),
                                      lse.data(), entropy.data(), rows,           vocabulary};
    MM_EXPECT_OK(mm_token_logprob_forward(context, &f));
    double total = 0;
    for (int64_t r = 0; r < rows; r++) total += double(dlogp[r]) * logp[r] + double(dentropy[r]) * entropy[r];
    EXPECT_NEAR(total, value(), 1e-5);
    EXPECT_EQ(logp[2], 0.0f);
    mm_token_logprob_backward_params b{sizeof b,       z.data(),     targets.data(),  lse.data(),
                                       entropy.data(), dlogp.data(), dentropy.data(), dz.data(),
                                       rows,           vocabulary};
    MM_EXPECT_OK(mm_token_logprob_backward(context, &b));
    expect_close(dz, want, 1e-4, "dlogits");
  }
}

TEST(PolicyLoss, TokensLeftOutAddNothingWhateverStandsThere) {
  Context context;
  const Buffer<float> logp = {-1, NAN, -2}, old_logp = {-1, 0, -1}, advantage = {1, INFINITY, -1},
                      weight = {0.5f, 0, 0.5f};
  Buffer<float> loss(1, NAN), gradient(3, NAN);
  mm_policy_loss_forward_params p{};
  p.struct_size = sizeof p;
  p.logp = logp.data(), p.old_logp = old_logp.data(), p.advantage = advantage.data(),
  p.token_weight = weight.data();
  p.loss = loss.data(), p.dlogp = gradient.data(), p.tokens = 3;
  p.weight_max = 5, p.mask_low = p.mask_high = INFINITY, p.objective_kind = MM_POLICY_OBJECTIVE_WEIGHTED_LOGP;
  MM_EXPECT_OK(mm_policy_loss_forward(context, &p));
  const float r = std::exp(-1.0f);
  EXPECT_NEAR(loss[0], -0.5f * (1 * 1 * -1) - 0.5f * (r * -1 * -2), 1e-6);
  EXPECT_EQ(gradient[1], 0.0f);
  EXPECT_NEAR(gradient[0], -0.5f, 1e-6);
  EXPECT_NEAR(gradient[2], 0.5f * r, 1e-6);
}

TEST(AdamW, FollowsItsFormulaDownToTheSmallestGradients) {
  constexpr int64_t n = 20011;
  Random random(4);
  auto start = random.floats(n), g = random.floats(n);
  for (int64_t i = 0; i < n; i++) g[i] *= std::pow(10.0f, float(-(i % 18)));
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<float> w = start, m(n, 0.0f), v(n, 0.0f);
    Buffer<uint16_t> model(n, 0);
    float *ws[] = {w.data()}, *ms[] = {m.data()}, *vs[] = {v.data()};
    const float *gs[] = {g.data()}, decay[] = {0.01f};
    void* models[] = {model.data()};
    const int64_t counts[] = {n};
    mm_adamw_step_params p{};
    p.struct_size = sizeof p;
    p.master = ws, p.grad = gs, p.m = ms, p.v = vs, p.model = models, p.counts = counts,
    p.weight_decay = decay, p.tensors = 1;
    p.learning_rate = 1e-3f, p.beta1 = 0.9f, p.beta2 = 0.95f, p.eps = 1e-15f, p.grad_scale = 0.5f;
    std::vector<double> want(start.begin(), start.end()), dm(n), dv(n);
    for (p.step = 1; p.step <= 3; p.step++) {
      MM_EXPECT_OK(mm_adamw_step(context, &p));
      for (int64_t i = 0; i < n; i++) {
        const double scaled = 0.5 * g[i];
        dm[i] = 0.9 * dm[i] + 0.1 * scaled, dv[i] = 0.95 * dv[i] + 0.05 * scaled * scaled;
        const double update =
            dm[i] / (1 - std::pow(0.9, p.step)) / (std::sqrt(dv[i] / (1 - std::pow(0.95, p.step))) + 1e-15);
        want[i] -= 1e-3 * (update + 0.01 * want[i]);
      }
    }
    expect_close(w, want, 2e-6, "weights");
    for (int64_t i = 0; i < n; i++) ASSERT_EQ(model[i], to_bf16(w[i]));
  }
}

TEST(GradNorm, IsTheNormOfAllTensors) {
  Context context;
  Random random(5);
  const auto a = random.floats(40001), b = random.floats(3);
  const float* tensors[] = {a.data(), b.data()};
  const int64_t counts[] = {40001, 3};
  double norm = NAN, want = 0;
  for (float x : a) want += double(x) * x;
  for (float x : b) want += double(x) * x;
  mm_grad_norm_params p{sizeof p, tensors, counts, 2, &norm};
  MM_EXPECT_OK(mm_grad_norm(context, &p));
  EXPECT_NEAR(norm, std::sqrt(want), 1e-9);
}

struct Sampling {
  Buffer<float> temperature, top_p, min_p, logp;
  Buffer<int32_t> top_k, token;
  Buffer<int64_t> seed, position;
  mm_sample_params p{};

  Sampling(const Buffer<float>& logits, int64_t rows)
      : temperature(rows, 1),
        top_p(rows, 1),
        min_p(rows, 0),
        logp(rows, NAN),
        top_k(rows, 0),
        token(rows, -1),
        seed(rows),
        position(rows) {
    for (int64_t r = 0; r < rows; r++) seed[r] = r * 7919;
    p.struct_size = sizeof p;
    p.logits = logits.data(), p.temperature = temperature.data(), p.top_p = top_p.data(),
    p.min_p = min_p.data(), p.top_k = top_k.data();
    p.seed = seed.data(), p.position = position.data(), p.token = token.data(), p.logp = logp.data();
    p.rows = rows, p.vocabulary = int64_t(logits.size()) / rows;
  }
};

TEST(Sample, FollowsTheDistributionAndItsCuts) {
  constexpr int64_t rows = 20000;
  const Buffer<float> row = {std::log(0.4f), std::log(0.3f), std::log(0.15f), std::log(0.1f),
                             std::log(0.05f)};
  Buffer<float> logits;
  for (int64_t r = 0; r < rows; r++) logits.insert(logits.end(), row.begin(), row.end());
  auto shares = [&](auto change) {
    Context context;
    Sampling s(logits, rows);
    for (int64_t r = 0; r < rows; r++) change(s, r);
    MM_EXPECT_OK(mm_sample(context, &s.p));
    std::vector<double> counts(5);
    for (int64_t r = 0; r < rows; r++) {
      counts[s.token[r]] += 1.0 / rows;
      EXPECT_NEAR(s.logp[r], row[s.token[r]], 1e-5);
    }
    return counts;
  };
  auto expect = [&](const std::vector<double>& got, std::vector<double> want) {
    for (int i = 0; i < 5; i++) EXPECT_NEAR(got[i], want[i], 4 * std::sqrt(0.25 / rows)) << i;
  };
  expect(shares([](Sampling&, int64_t) {}), {0.4, 0.3, 0.15, 0.1, 0.05});
  expect(shares([](Sampling& s, int64_t r) { s.top_k[r] = 2; }), {0.4 / 0.7, 0.3 / 0.7, 0, 0, 0});
  expect(shares([](Sampling& s, int64_t r) { s.top_p[r] = 0.8f; }),
         {0.4 / 0.85, 0.3 / 0.85, 0.15 / 0.85, 0, 0});
  expect(shares([](Sampling& s, int64_t r) { s.min_p[r] = 0.2f; }),
         {0.4 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0.1 / 0.95, 0});
  expect(shares([](Sampling& s, int64_t r) { s.temperature[r] = 0; }), {1, 0, 0, 0, 0});
  const double z = 0.16 + 0.09 + 0.0225 + 0.01 + 0.0025;
  expect(shares([](Sampling& s, int64_t r) { s.temperature[r] = 0.5f; }),
         {0.16 / z, 0.09 / z, 0.0225 / z, 0.01 / z, 0.0025 / z});
}

TEST(Sample, ARowDependsOnItsOwnSeedAndPositionOnly) {
  Random random(6);
  const auto logits = random.floats(50 * 300, 2);
  Context context;
  Sampling all(logits, 50);
  MM_EXPECT_OK(mm_sample(context, &all.p));
  const Buffer<float> last(logits.end() - 300, logits.end());
  Sampling one(last, 1);
  one.seed[0] = all.seed[49];
  MM_EXPECT_OK(mm_sample(context, &one.p));
  EXPECT_EQ(one.token[0], all.token[49]);
  EXPECT_EQ(one.logp[0], all.logp[49]);
}

TEST(Sample, RefusesLogitsThatAreNotNumbers) {
  Context context;
  Buffer<float> logits(10, 0.0f);
  logits[7] = NAN;
  Sampling s(logits, 2);
  EXPECT_EQ(mm_sample(context, &s.p), MM_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(mm_last_error(), "logit 2 of row 1"), nullptr) << mm_last_error();
}

}  // namespace
}  // namespace mm::test
