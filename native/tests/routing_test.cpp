// Routing alone: many tokens, whose slots are sorted in pieces; ties, replays, and what is wrong with data.
// And the auxiliary loss of more rows and layers than go at once.
#include <algorithm>
#include <numeric>

#include "support.h"

namespace mm::test {
namespace {

struct Shape {
  int64_t tokens, experts, top_k;
  int64_t slots() const { return tokens * top_k; }
};

// One slot and all experts; a piece of slots exactly, one more, several with an odd rest; more experts than
// two warps and than a scan takes at once.
const Shape kShapes[] = {{1, 1, 1},   {1, 9, 9},   {0, 3, 2},    {256, 4, 2},
                         {257, 4, 2}, {700, 8, 3}, {200, 70, 5}, {30, 1100, 20}};

enum class Logits { kRandom, kTies, kOneExpert, kLowest };

Buffer<float> logits_of(Shape s, Logits kind) {
  Random random(3 + s.tokens);
  auto logits = random.floats(s.tokens * s.experts, 2);
  for (int64_t i = 0; i < s.tokens * s.experts; i++) {
    const int64_t e = i % s.experts;
    if (kind == Logits::kTies) logits[i] = std::round(logits[i] * 2) / 2;
    if (kind == Logits::kOneExpert && e == s.experts / 2) logits[i] += 50;
    if (kind == Logits::kLowest && e % 3 != 0) logits[i] = -INFINITY;  // picked when the others run out
  }
  return logits;
}

struct Native {
  Native(Shape s, const Buffer<float>& values)
      : shape(s),
        logits(values),
        picks(s.slots(), -1),
        offsets(s.experts + 1, -1),
        row_slot(s.slots(), -1),
        slot_row(s.slots(), -1),
        weight(s.slots(), NAN),
        dlogits(values.size(), NAN) {}

  mm_status forward(mm_context* context, int32_t replay = 0) {
    mm_moe_route_forward_params p{sizeof p,       logits.data(),   picks.data(),    weight.data(),
                                  offsets.data(), row_slot.data(), slot_row.data(), shape.tokens,
                                  shape.experts,  shape.top_k,     replay,          0};
    return mm_moe_route_forward(context, &p);
  }
  mm_status backward(mm_context* context, const Buffer<float>& dweight) {
    mm_moe_route_backward_params p{sizeof p,       logits.data(), picks.data(),  dweight.data(),
                                   dlogits.data(), shape.tokens,  shape.experts, shape.top_k};
    return mm_moe_route_backward(context, &p);
  }

  Shape shape;
  Buffer<float> logits;
  Buffer<int32_t> picks, offsets, row_slot, slot_row;
  Buffer<float> weight, dlogits;
};

Buffer<int32_t> picks_of(Shape s, const Buffer<float>& logits) {
  Buffer<int32_t> picks;
  for (int64_t t = 0; t < s.tokens; t++) {
    std::vector<int32_t> order(s.experts);
    std::iota(order.begin(), order.end(), 0);
    const float* row = logits.data() + t * s.experts;
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return row[a] > row[b]; });
    picks.insert(picks.end(), order.begin(), order.begin() + s.top_k);
  }
  return picks;
}

void expect_sorted(const Native& got) {
  std::vector<int32_t> order(got.shape.slots());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return got.picks[a] < got.picks[b]; });
  for (int64_t row = 0; row < got.shape.slots(); row++) {
    ASSERT_EQ(got.row_slot[row], order[row]);
    ASSERT_EQ(got.slot_row[order[row]], row);
  }
  std::vector<int32_t> offsets(got.shape.experts + 1);
  for (int32_t pick : got.picks) offsets[pick + 1]++;
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  for (size_t e = 0; e < offsets.size(); e++) ASSERT_EQ(got.offsets[e], offsets[e]);
}

// Weights and their gradient in double precision.
void expect_weights(const Native& got, const Buffer<float>& dweight) {
  const Shape s = got.shape;
  std::vector<double> weights(s.slots()), dlogits(s.tokens * s.experts);
  for (int64_t t = 0; t < s.tokens; t++) {
    const int32_t* picks = &got.picks[t * s.top_k];
    double *w = &weights[t * s.top_k], largest = -INFINITY, total = 0, mean = 0;
    const float* row = &got.logits[t * s.experts];
    for (int64_t i = 0; i < s.top_k; i++) largest = std::fmax(largest, row[picks[i]]);
    for (int64_t i = 0; i < s.top_k; i++) total += w[i] = std::exp(row[picks[i]] - largest);
    for (int64_t i = 0; i < s.top_k; i++) mean += (w[i] /= total) * dweight[t * s.top_k + i];
    for (int64_t i = 0; i < s.top_k; i++)
      dlogits[t * s.experts + picks[i]] = w[i] * (dweight[t * s.top_k + i] - mean);
  }
  expect_close(got.weight, weights, 3e-7, "weight");
  expect_close(got.dlogits, dlogits, 5e-7, "dlogits");
}

TEST(Routing, EqualsAStableSortAndDoublePrecision) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (Shape s : kShapes) {
      for (Logits kind : {Logits::kRandom, Logits::kTies, Logits::kOneExpert, Logits::kLowest}) {
        Native got(s, logits_of(s, kind));
        const auto dweight = Random(5).floats(s.slots());
        MM_EXPECT_OK(got.forward(context));
        MM_EXPECT_OK(got.backward(context, dweight));
        EXPECT_EQ(got.picks, picks_of(s, got.logits));
        expect_sorted(got);
        expect_weights(got, dweight);
        // Replayed, in another order of the ranks.
        for (int64_t t = 0; t < s.tokens; t++)
          std::reverse(&got.picks[t * s.top_k], &got.picks[t * s.top_k] + s.top_k);
        const auto picks = got.picks;
        if (kind == Logits::kLowest && s.top_k > 1) continue;
        MM_EXPECT_OK(got.forward(context, 1));
        MM_EXPECT_OK(got.backward(context, dweight));
        EXPECT_EQ(got.picks, picks);
        expect_sorted(got);
        expect_weights(got, dweight);
      }
    }
  }
}

TEST(Routing, ATokenHasTheSameBitsAloneAndInABatch) {
  const Shape s{500, 37, 4};
  const auto logits = logits_of(s, Logits::kRandom);
  for (const Target& target : all_targets()) {
    Context context(target);
    Native all(s, logits);
    MM_EXPECT_OK(all.forward(context));
    for (int64_t t : {0, 300, 499}) {
      Native one({1, 37, 4}, {logits.begin() + t * 37, logits.begin() + (t + 1) * 37});
      MM_EXPECT_OK(one.forward(context));
      for (int64_t i = 0; i < 4; i++) {
        EXPECT_EQ(one.picks[i], all.picks[t * 4 + i]);
        EXPECT_EQ(one.weight[i], all.weight[t * 4 + i]);
      }
    }
  }
}

// On a GPU what is wrong is told by the next call that waits.
mm_status status_of(const Target& target, mm_context* context, mm_status status) {
  if (target.device == MM_DEVICE_KIND_CPU) return status;
  EXPECT_EQ(status, MM_STATUS_OK);
  return mm_context_synchronize(context);
}

TEST(Routing, RefusesPicksAndLogitsThatAreWrong) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (int64_t tokens : {3, 300}) {
      const Shape s{tokens, 9, 3};
      const auto logits = logits_of(s, Logits::kRandom);
      Native got(s, logits);
      MM_EXPECT_OK(got.forward(context));
      auto expect_refused = [&](const char* what) {
        EXPECT_EQ(status_of(target, context, got.forward(context, 1)), MM_STATUS_INVALID_ARGUMENT) << what;
        MM_EXPECT_OK(mm_context_synchronize(context));  // once
      };
      const auto picks = got.picks;
      for (int32_t wrong : {9, -1, INT32_MAX, INT32_MIN, picks[4]}) {
        got.picks[5] = wrong;
        expect_refused("pick");
        EXPECT_EQ(status_of(target, context, got.backward(context, got.weight)), MM_STATUS_INVALID_ARGUMENT);
        got.picks = picks;
      }
      for (float wrong : {NAN, INFINITY}) {
        got.logits[2 * 9 + 8] = wrong;
        expect_refused("logit");
        EXPECT_EQ(status_of(target, context, got.forward(context)), MM_STATUS_INVALID_ARGUMENT);
      }
      std::fill(&got.logits[9], &got.logits[18], -INFINITY);
      got.logits[2 * 9 + 8] = 0;
      expect_refused("row");
      got.logits = logits;
      MM_EXPECT_OK(got.forward(context, 1));
    }
  }
}

TEST(Routing, TheAuxiliaryLossOfManyRowsAndLayers) {
  struct Case {
    int64_t layers, tokens, experts, top_k;
  };
  for (auto [layers, tokens, experts, top_k] :
       {Case{0, 7, 3, 1}, Case{2, 0, 3, 1}, Case{1, 1, 1, 1}, Case{130, 5, 4, 2}, Case{2, 333, 70, 3}}) {
    Random random(9 + layers);
    std::vector<Buffer<float>> logits, dlogits;
    std::vector<const float*> pointers;
    std::vector<float*> dpointers;
    Buffer<int32_t> mask(tokens, 1);
    for (int64_t t = 0; t < tokens; t++) mask[t] = t % 4 != 1;
    std::vector<double> fraction(experts), probability(experts);
    double rows = 0;
    for (int64_t i = 0; i < layers; i++) {
      logits.push_back(random.floats(tokens * experts, 3));
      dlogits.push_back(Buffer<float>(tokens * experts, NAN));
      for (float& z : logits.back()) z = std::round(z * 4) / 4;
      const auto picks = picks_of({tokens, experts, top_k}, logits.back());
      for (int64_t t = 0; t < tokens; t++) {
        float* row = &logits.back()[t * experts];
        if (!mask[t]) {
          row[0] = NAN;  // is not looked at
          continue;
        }
        rows++;
        for (int64_t k = 0; k < top_k; k++) fraction[picks[t * top_k + k]]++;
        double total = 0;
        for (int64_t e = 0; e < experts; e++) total += std::exp(double(row[e]));
        for (int64_t e = 0; e < experts; e++) probability[e] += std::exp(double(row[e])) / total;
      }
    }
    for (int64_t i = 0; i < layers; i++)
      pointers.push_back(logits[i].data()), dpointers.push_back(dlogits[i].data());
    double loss = 0;
    for (int64_t e = 0; e < experts; e++) {
      fraction[e] /= std::fmax(rows, 1), probability[e] /= std::fmax(rows, 1);
      loss += static_cast<double>(experts) * fraction[e] * probability[e];
    }
    for (const Target& target : all_targets()) {
      Context context(target);
      Buffer<float> got(1, NAN), f(experts, NAN), P(experts, NAN);
      mm_moe_aux_loss_forward_params forward{
          sizeof forward, pointers.data(), mask.data(), got.data(), f.data(),
          P.data(),       layers,          tokens,      experts,    top_k};
      MM_EXPECT_OK(mm_moe_aux_loss_forward(context, &forward));
      EXPECT_NEAR(got[0], loss, 1e-6 * std::fmax(1, loss));
      expect_close(f, fraction, 1e-7, "f");
      expect_close(P, probability, 1e-7, "P");
      mm_moe_aux_loss_backward_params backward{
          sizeof backward, pointers.data(), mask.data(), f.data(), dpointers.data(),
          layers,          tokens,          experts,     3.0f,     0};
      MM_EXPECT_OK(mm_moe_aux_loss_backward(context, &backward));
      for (int64_t i = 0; i < layers; i++) {
        std::vector<double> want(tokens * experts);
        for (int64_t t = 0; t < tokens; t++) {
          if (!mask[t]) continue;
          double total = 0, mean = 0;
          const float* row = &logits[i][t * experts];
          for (int64_t e = 0; e < experts; e++) total += std::exp(double(row[e]));
          for (int64_t e = 0; e < experts; e++) mean += fraction[e] * std::exp(double(row[e])) / total;
          for (int64_t e = 0; e < experts; e++)
            want[t * experts + e] = 3 * static_cast<double>(experts) / rows * std::exp(double(row[e])) /
                                    total * (fraction[e] - mean);
        }
        expect_close(dlogits[i], want, 1e-6, "dlogits");
        std::fill(dlogits[i].begin(), dlogits[i].end(), NAN);
      }
    }
  }
}

TEST(Routing, TheAuxiliaryLossRefusesARowWithoutASoftmax) {
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<float> logits(12, 0.0f), loss(1), fraction(4), probability(4), dlogits(12);
    logits[7] = NAN;
    const float* layer = logits.data();
    float* dlayer = dlogits.data();
    mm_moe_aux_loss_forward_params f{sizeof f,           &layer, nullptr, loss.data(), fraction.data(),
                                     probability.data(), 1,      3,       4,           2};
    EXPECT_EQ(status_of(target, context, mm_moe_aux_loss_forward(context, &f)), MM_STATUS_INVALID_ARGUMENT);
    fraction.assign(4, 0.5f);
    mm_moe_aux_loss_backward_params b{sizeof b, &layer, nullptr, fraction.data(), &dlayer, 1, 3, 4, 1, 0};
    EXPECT_EQ(status_of(target, context, mm_moe_aux_loss_backward(context, &b)), MM_STATUS_INVALID_ARGUMENT);
  }
}

// Widths with and without vectors of 16 bytes, and pointers that are not aligned to them.
TEST(Routing, TheSharedMlpTakesAnyWidthAndAlignment) {
  for (int64_t width : {1, 8, 45, 2100, 4096}) {
    for (int64_t shift : {0, 1}) {
      const int64_t tokens = 3, count = tokens * width;
      Random random(17 + width);
      const auto coefficient = random.floats(tokens, 3);
      Buffer<float> exact[3];
      Buffer<uint16_t> half[3];
      for (int i = 0; i < 3; i++) {
        exact[i] = random.floats(count + shift);
        for (float& x : exact[i]) half[i].push_back(to_bf16(x)), x = from_bf16(half[i].back());
      }
      std::vector<double> y(count), da(count), db(count), dc(tokens);
      for (int64_t i = 0; i < count; i++) {
        const double x = coefficient[i / width], c = 1 / (1 + std::exp(-x)), rest = 1 / (1 + std::exp(x));
        const double a = exact[0][i + shift], b = exact[1][i + shift], d = exact[2][i + shift];
        y[i] = rest * a + c * b, da[i] = rest * d, db[i] = c * d;
        dc[i / width] += c * rest * d * (b - a);
      }
      for (const Target& target : all_targets()) {
        Context context(target);
        auto check = [&](auto* inputs, auto poison, mm_dtype dtype, double bound, auto widen) {
          using T = decltype(poison);
          Buffer<T> out[3];
          for (auto& values : out) values.assign(count + shift, poison);
          Buffer<float> slope(tokens, NAN);
          mm_shared_mlp_combine_forward_params f{sizeof f,
                                                 inputs[0].data() + shift,
                                                 inputs[1].data() + shift,
                                                 coefficient.data(),
                                                 out[0].data() + shift,
                                                 tokens,
                                                 width,
                                                 dtype,
                                                 0};
          MM_EXPECT_OK(mm_shared_mlp_combine_forward(context, &f));
          mm_shared_mlp_combine_backward_params b{sizeof b,
                                                  inputs[0].data() + shift,
                                                  inputs[1].data() + shift,
                                                  coefficient.data(),
                                                  inputs[2].data() + shift,
                                                  out[1].data() + shift,
                                                  out[2].data() + shift,
                                                  slope.data(),
                                                  tokens,
                                                  width,
                                                  dtype,
                                                  0};
          MM_EXPECT_OK(mm_shared_mlp_combine_backward(context, &b));
          const std::vector<double>* want[] = {&y, &da, &db};
          for (int i = 0; i < 3; i++) {
            std::vector<float> got;
            for (int64_t j = 0; j < count; j++) got.push_back(widen(out[i][j + shift]));
            expect_close(got, *want[i], bound, "y, dsparse or dshared");
          }
          expect_close(slope, dc, 5e-6, "dcoefficient");
        };
        check(exact, NAN, MM_DTYPE_F32, 1e-6, [](float x) { return x; });
        check(half, to_bf16(NAN), MM_DTYPE_BF16, 0x1p-8, from_bf16);
      }
    }
  }
}

}  // namespace
}  // namespace mm::test
