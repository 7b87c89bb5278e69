// The LM head's log-probabilities, entropies and gradients on every instruction set, against double
// precision, finite differences and themselves.
#include "support.h"

namespace mm::test {
namespace {

struct Shape {
  int64_t rows, width, vocabulary;
};

// Below, at and beyond the pieces in which rows and vocabulary are cut.
const Shape kShapes[] = {{1, 8, 5}, {9, 33, 70}, {3, 40, 2048}, {300, 17, 2051}, {4, 24, 4500}};

struct Inputs {
  Buffer<float> hidden, w, dlogp, dentropy;
  Buffer<int32_t> targets;
};

// Values that bf16 holds. A third of the rows is ignored, as prompts are; one of those has a gradient of the
// entropy all the same.
Inputs inputs_of(Shape s, uint64_t seed) {
  Random random(seed);
  Inputs in{random.floats(s.rows * s.width, 2), random.floats(s.vocabulary * s.width, 1),
            random.floats(s.rows), random.floats(s.rows), Buffer<int32_t>(s.rows)};
  for (auto* values : {&in.hidden, &in.w}) {
    for (float& value : *values) value = from_bf16(to_bf16(value));
  }
  for (int64_t r = 0; r < s.rows; r++) {
    const bool ignored = r % 3 == 1;
    in.targets[r] = ignored ? MM_IGNORE_LABEL : static_cast<int32_t>(random.below(s.vocabulary));
    if (ignored && r != 4) in.dentropy[r] = 0;
  }
  in.targets[0] = static_cast<int32_t>(s.vocabulary - 1);
  return in;
}

struct Outputs {
  std::vector<double> logp, lse, entropy, dhidden, dw;
};

// The gradients are those of sum_r dlogp logp + dentropy entropy.
Outputs reference(Shape s, const Inputs& in, const std::vector<double>& hidden, const std::vector<double>& w,
                  bool with_entropy) {
  Outputs out{std::vector<double>(s.rows), std::vector<double>(s.rows), std::vector<double>(s.rows),
              std::vector<double>(hidden.size()), std::vector<double>(w.size())};
  std::vector<double> logits(s.vocabulary);
  for (int64_t r = 0; r < s.rows; r++) {
    double largest = -INFINITY, total = 0;
    for (int64_t v = 0; v < s.vocabulary; v++) {
      logits[v] = 0;
      for (int64_t c = 0; c < s.width; c++) logits[v] += hidden[r * s.width + c] * w[v * s.width + c];
      largest = std::fmax(largest, logits[v]);
    }
    for (double logit : logits) total += std::exp(logit - largest);
    const double lse = out.lse[r] = largest + std::log(total);
    for (double logit : logits) out.entropy[r] -= std::exp(logit - lse) * (logit - lse);
    const bool scored = in.targets[r] != MM_IGNORE_LABEL;
    out.logp[r] = scored ? logits[in.targets[r]] - lse : 0;
    for (int64_t v = 0; v < s.vocabulary; v++) {
      const double log_p = logits[v] - lse, p = std::exp(log_p);
      double dlogit = scored ? in.dlogp[r] * ((v == in.targets[r]) - p) : 0;
      if (with_entropy) dlogit -= in.dentropy[r] * p * (log_p + out.entropy[r]);
      for (int64_t c = 0; c < s.width; c++) {
        out.dhidden[r * s.width + c] += dlogit * w[v * s.width + c];
        out.dw[v * s.width + c] += dlogit * hidden[r * s.width + c];
      }
    }
  }
  return out;
}

std::vector<double> doubles(const Buffer<float>& x) { return {x.begin(), x.end()}; }

Outputs reference(Shape s, const Inputs& in, bool with_entropy = true) {
  return reference(s, in, doubles(in.hidden), doubles(in.w), with_entropy);
}

Buffer<uint16_t> halves(const Buffer<float>& x) {
  Buffer<uint16_t> rounded;
  for (float value : x) rounded.push_back(to_bf16(value));
  return rounded;
}

Buffer<float> widened(const Buffer<uint16_t>& x) {
  Buffer<float> values;
  for (uint16_t value : x) values.push_back(from_bf16(value));
  return values;
}

// Forward and backward through the ABI; outputs begin as NaN, dw as 2.
struct Native {
  Native(mm_context* context, Shape s, const Inputs& in, mm_dtype dtype = MM_DTYPE_F32,
         mm_dtype dw_dtype = MM_DTYPE_F32)
      : hidden(in.hidden),
        w(in.w),
        logp(s.rows, NAN),
        lse(s.rows, NAN),
        entropy(s.rows, NAN),
        dhidden(in.hidden.size(), NAN),
        dw(in.w.size(), 2.0f),
        hidden_half(halves(hidden)),
        w_half(halves(w)),
        dhidden_half(halves(dhidden)),
        dw_half(halves(dw)),
        targets(in.targets),
        dlogp(in.dlogp),
        dentropy(in.dentropy) {
    const bool half = dtype == MM_DTYPE_BF16, half_dw = dw_dtype == MM_DTYPE_BF16;
    forward.struct_size = sizeof forward;
    forward.hidden = backward.hidden = half ? static_cast<void*>(hidden_half.data()) : hidden.data();
    forward.w = backward.w = half ? static_cast<void*>(w_half.data()) : w.data();
    forward.targets = backward.targets = targets.data();
    forward.logp = logp.data(), forward.lse = lse.data(), forward.entropy = entropy.data();
    forward.rows = backward.rows = s.rows;
    forward.width = backward.width = s.width;
    forward.vocabulary = backward.vocabulary = s.vocabulary;
    forward.hidden_dtype = forward.w_dtype = backward.hidden_dtype = backward.w_dtype = dtype;
    MM_EXPECT_OK(mm_lm_head_forward(context, &forward));
    backward.struct_size = sizeof backward;
    backward.lse = lse.data(), backward.entropy = entropy.data();
    backward.dlogp = dlogp.data(), backward.dentropy = dentropy.data();
    backward.dhidden = half ? static_cast<void*>(dhidden_half.data()) : dhidden.data();
    backward.dw = half_dw ? static_cast<void*>(dw_half.data()) : dw.data();
    backward.dw_dtype = dw_dtype;
    MM_EXPECT_OK(mm_lm_head_backward(context, &backward));
    if (half) dhidden = widened(dhidden_half);
    if (half_dw) dw = widened(dw_half);
  }

  Buffer<float> hidden, w, logp, lse, entropy, dhidden, dw;
  Buffer<uint16_t> hidden_half, w_half, dhidden_half, dw_half;
  Buffer<int32_t> targets;
  Buffer<float> dlogp, dentropy;
  mm_lm_head_forward_params forward{};
  mm_lm_head_backward_params backward{};
};

void expect_refused(mm_status status, const char* message) {
  EXPECT_EQ(status, MM_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(mm_last_error(), message), nullptr) << mm_last_error();
}

TEST(LmHead, TheReferenceHasTheGradientsOfItsForward) {
  const Shape s{5, 3, 7};
  const Inputs in = inputs_of(s, 1);
  const auto hidden = doubles(in.hidden), w = doubles(in.w);
  const Outputs want = reference(s, in);
  auto loss = [&](const std::vector<double>& at_hidden, const std::vector<double>& at_w) {
    const Outputs out = reference(s, in, at_hidden, at_w, true);
    double sum = 0;
    for (int64_t r = 0; r < s.rows; r++) sum += in.dlogp[r] * out.logp[r] + in.dentropy[r] * out.entropy[r];
    return sum;
  };
  for (size_t i = 0; i < hidden.size(); i++) {
    auto above = hidden, below = hidden;
    above[i] += 1e-4, below[i] -= 1e-4;
    EXPECT_NEAR((loss(above, w) - loss(below, w)) / 2e-4, want.dhidden[i], 1e-7);
  }
  for (size_t i = 0; i < w.size(); i++) {
    auto above = w, below = w;
    above[i] += 1e-4, below[i] -= 1e-4;
    EXPECT_NEAR((loss(hidden, above) - loss(hidden, below)) / 2e-4, want.dw[i], 1e-7);
  }
}

TEST(LmHead, EqualsDoublePrecisionInEveryDtype) {
  for (Shape s : kShapes) {
    const Inputs in = inputs_of(s, 3 + s.width);
    Outputs want = reference(s, in);
    for (double& value : want.dw) value += 2;
    for (const Target& target : all_targets()) {
      Context context(target);
      for (mm_dtype dtype : {MM_DTYPE_F32, MM_DTYPE_BF16}) {
        for (mm_dtype dw_dtype : {MM_DTYPE_F32, MM_DTYPE_BF16}) {
          // Products are fp32 whatever the storage: only the gradients are rounded, and once.
          const Native got(context, s, in, dtype, dw_dtype);
          expect_close(got.logp, want.logp, 1e-6, "logp");
          expect_close(got.lse, want.lse, 1e-6, "lse");
          expect_close(got.entropy, want.entropy, 2e-6, "entropy");
          expect_close(got.dhidden, want.dhidden, dtype == MM_DTYPE_F32 ? 5e-6 : 0x1.01p-8, "dhidden");
          expect_close(got.dw, want.dw, dw_dtype == MM_DTYPE_F32 ? 5e-6 : 0x1.01p-8, "dw");
        }
      }
    }
  }
}

TEST(LmHead, StandsLargeLogits) {
  const Shape s{3, 2, 5000};
  Inputs in = inputs_of(s, 7);
  for (float& value : in.hidden) value *= 500;
  const Outputs want = reference(s, in);
  for (const Target& target : all_targets()) {
    Context context(target);
    const Native got(context, s, in);
    expect_close(got.logp, want.logp, 1e-6, "logp");
    expect_close(got.entropy, want.entropy, 1e-3, "entropy");
  }
}

TEST(LmHead, RowsWithoutGradientGetZero) {
  for (const Target& target : all_targets()) {
    Context context(target);
    const Shape s{600, 20, 100};
    Inputs in = inputs_of(s, 8);
    for (int64_t r = 0; r < s.rows; r++) in.dlogp[r] = r % 2 ? 0 : in.dlogp[r], in.dentropy[r] = 0;
    Native got(context, s, in);
    Outputs want = reference(s, in);
    for (double& value : want.dw) value += 2;
    expect_close(got.dhidden, want.dhidden, 2e-6, "dhidden");
    expect_close(got.dw, want.dw, 2e-6, "dw");
    for (int64_t r = 0; r < s.rows; r++) {
      for (int64_t c = 0; c < s.width && (r % 2 || r % 3 == 1); c++)
        ASSERT_EQ(got.dhidden[r * s.width + c], 0.0f);
    }
    // None at all.
    std::fill(got.dlogp.begin(), got.dlogp.end(), 0.0f);
    std::fill(got.dhidden.begin(), got.dhidden.end(), NAN);
    const auto dw = got.dw;
    MM_EXPECT_OK(mm_lm_head_backward(context, &got.backward));
    EXPECT_EQ(got.dhidden, Buffer<float>(got.dhidden.size(), 0.0f));
    EXPECT_EQ(got.dw, dw);
  }
}

TEST(LmHead, LeavesOutWhatIsNotWanted) {
  const Shape s{9, 33, 70};
  const Inputs in = inputs_of(s, 9);
  Context context;
  Native got(context, s, in);
  const auto logp = got.logp, dhidden = got.dhidden, dw = got.dw;
  got.forward.entropy = nullptr;
  std::fill(got.logp.begin(), got.logp.end(), NAN);
  MM_EXPECT_OK(mm_lm_head_forward(context, &got.forward));
  EXPECT_EQ(got.logp, logp);
  got.backward.dw = nullptr;
  std::fill(got.dhidden.begin(), got.dhidden.end(), NAN);
  MM_EXPECT_OK(mm_lm_head_backward(context, &got.backward));
  EXPECT_EQ(got.dhidden, dhidden);
  got.backward.dw = got.dw.data(), got.backward.dhidden = nullptr;
  std::fill(got.dw.begin(), got.dw.end(), 2.0f);
  MM_EXPECT_OK(mm_lm_head_backward(context, &got.backward));
  EXPECT_EQ(got.dw, dw);
  got.backward.dentropy = nullptr, got.backward.entropy = nullptr;
  got.backward.dhidden = got.dhidden.data();
  MM_EXPECT_OK(mm_lm_head_backward(context, &got.backward));
  expect_close(got.dhidden, reference(s, in, false).dhidden, 2e-6, "dhidden");
}

TEST(LmHead, ARowDependsOnNeitherTheBatchNorTheThreads) {
  const Shape s{300, 40, 2100};
  const Inputs in = inputs_of(s, 10);
  for (const Target& target : all_targets()) {
    Context context(target);
    mm_set_threads(2);
    const Native all(context, s, in);
    mm_set_threads(1);
    const Native again(context, s, in);
    mm_set_threads(2);
    EXPECT_EQ(again.logp, all.logp);
    EXPECT_EQ(again.entropy, all.entropy);
    EXPECT_EQ(again.dhidden, all.dhidden);
    EXPECT_EQ(again.dw, all.dw);
    for (int64_t r : {0, 4, 257, 299}) {
      Inputs one{{in.hidden.begin() + r * s.width, in.hidden.begin() + (r + 1) * s.width},
                 in.w,
                 {in.dlogp[r]},
                 {in.dentropy[r]},
                 {in.targets[r]}};
      const Native alone(context, {1, s.width, s.vocabulary}, one);
      EXPECT_EQ(alone.logp[0], all.logp[r]);
      EXPECT_EQ(alone.lse[0], all.lse[r]);
      EXPECT_EQ(alone.entropy[0], all.entropy[r]);
      for (int64_t c = 0; c < s.width; c++) EXPECT_EQ(alone.dhidden[c], all.dhidden[r * s.width + c]);
    }
  }
}

TEST(LmHead, RefusesATargetBeyondTheVocabulary) {
  const Shape s{9, 33, 70};
  Context context;
  Native got(context, s, inputs_of(s, 11));
  got.targets[6] = 70;
  expect_refused(mm_lm_head_forward(context, &got.forward), "row 6 is 70");
  got.targets[6] = -1;
  expect_refused(mm_lm_head_backward(context, &got.backward), "row 6 is -1");
}

}  // namespace
}  // namespace mm::test
