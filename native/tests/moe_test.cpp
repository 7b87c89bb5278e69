// Routing, experts, auxiliary loss and shared MLP on every instruction set, against an evaluation in double
// precision whose gradients are checked by finite differences, and against themselves.
#include <algorithm>
#include <functional>
#include <numeric>

#include "support.h"

namespace mm::test {
namespace {

struct Shape {
  int64_t tokens, width, ffn, experts, top_k;
  int64_t slots() const { return tokens * top_k; }
};

const Shape kShapes[] = {{33, 16, 24, 4, 2},   {1, 8, 12, 4, 1},    {20, 12, 16, 8, 2},   {1, 130, 70, 8, 2},
                         {5, 17, 9, 3, 3},     {64, 100, 31, 2, 1}, {150, 70, 90, 16, 5}, {3, 144, 160, 8, 2},
                         {40, 80, 144, 40, 2}, {40, 80, 144, 2, 1}, {150, 80, 144, 3, 2}, {7, 456, 40, 4, 2},
                         {6, 40, 456, 4, 1}};

// Values in the dtype of an operation.
class Storage {
 public:
  Storage(const Buffer<float>& values, mm_dtype dtype) : dtype_(dtype), floats_(values) {
    if (dtype == MM_DTYPE_BF16)
      std::transform(values.begin(), values.end(), std::back_inserter(halves_), to_bf16);
  }
  Storage(int64_t count, float value, mm_dtype dtype) : Storage(Buffer<float>(count, value), dtype) {}

  void* data() { return dtype_ == MM_DTYPE_F32 ? static_cast<void*>(floats_.data()) : halves_.data(); }

  Buffer<float> values() const {
    if (dtype_ == MM_DTYPE_F32) return floats_;
    Buffer<float> widened;
    std::transform(halves_.begin(), halves_.end(), std::back_inserter(widened), from_bf16);
    return widened;
  }

 private:
  mm_dtype dtype_;
  Buffer<float> floats_;
  Buffer<uint16_t> halves_;
};

struct Inputs {
  Buffer<float> x, w1, w2, w3, logits, dy;
};

// Values that bf16 holds, so that both dtypes compute the same thing.
Buffer<float> rounded_floats(Random& random, int64_t count, float scale) {
  auto values = random.floats(count, scale);
  for (float& value : values) value = from_bf16(to_bf16(value));
  return values;
}

Inputs inputs_of(Shape s, uint64_t seed) {
  Random random(seed);
  const int64_t weights = s.experts * s.width * s.ffn;
  const float in = 2 / std::sqrt(float(s.width)), hidden = 2 / std::sqrt(float(s.ffn));
  return {rounded_floats(random, s.tokens * s.width, 1), rounded_floats(random, weights, in),
          rounded_floats(random, weights, hidden),       rounded_floats(random, weights, in),
          random.floats(s.tokens * s.experts, 2),        rounded_floats(random, s.tokens * s.width, 1)};
}

// Most logit first, the lower index among equals.
Buffer<int32_t> picks_of(Shape s, const Buffer<float>& logits) {
  Buffer<int32_t> picks;
  for (int64_t t = 0; t < s.tokens; t++) {
    Buffer<int32_t> order(s.experts);
    std::iota(order.begin(), order.end(), 0);
    const float* row = logits.data() + t * s.experts;
    std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return row[a] > row[b]; });
    picks.insert(picks.end(), order.begin(), order.begin() + s.top_k);
  }
  return picks;
}

// p / sum of the picked p, by way of the whole softmax.
std::vector<double> weights_of(Shape s, const std::vector<double>& logits, const Buffer<int32_t>& picks) {
  std::vector<double> weights(s.slots());
  for (int64_t t = 0; t < s.tokens; t++) {
    const double* row = logits.data() + t * s.experts;
    const double largest = *std::max_element(row, row + s.experts);
    double total = 0, picked = 0;
    for (int64_t e = 0; e < s.experts; e++) total += std::exp(row[e] - largest);
    for (int64_t k = 0; k < s.top_k; k++) {
      double& p = weights[t * s.top_k + k];
      picked += p = std::exp(row[picks[t * s.top_k + k]] - largest) / total;
    }
    for (int64_t k = 0; k < s.top_k; k++) weights[t * s.top_k + k] /= picked;
  }
  return weights;
}

struct Outputs {
  std::vector<double> y, dx, dw1, dw2, dw3, dweight, dlogits;
};

// Forward and backward in double precision; `round` is applied to each value that an evaluation operation by
// operation would store.
template <typename Round>
Outputs reference(Shape s, const Inputs& in, const std::vector<double>& logits, const Buffer<int32_t>& picks,
                  Round round) {
  const int64_t matrix = s.width * s.ffn;
  const auto weights = weights_of(s, logits, picks);
  Outputs out{std::vector<double>(in.x.size()),  std::vector<double>(in.x.size()),
              std::vector<double>(in.w1.size()), std::vector<double>(in.w1.size()),
              std::vector<double>(in.w1.size()), std::vector<double>(s.slots()),
              std::vector<double>(logits.size())};
  for (int64_t t = 0; t < s.tokens; t++) {
    const float *x = &in.x[t * s.width], *dy = &in.dy[t * s.width];
    Buffer<int64_t> slots(s.top_k);
    std::iota(slots.begin(), slots.end(), t * s.top_k);
    std::sort(slots.begin(), slots.end(), [&](int64_t a, int64_t b) { return picks[a] < picks[b]; });
    for (int64_t slot : slots) {
      const int64_t e = picks[slot];
      const float *w1 = &in.w1[e * matrix], *w2 = &in.w2[e * matrix], *w3 = &in.w3[e * matrix];
      double* dw[] = {&out.dw1[e * matrix], &out.dw2[e * matrix], &out.dw3[e * matrix]};
      const double weight = round(weights[slot]);
      std::vector<double> gate(s.ffn), up(s.ffn), h(s.ffn), dh(s.ffn), dgate(s.ffn), dup(s.ffn);
      for (int64_t f = 0; f < s.ffn; f++) {
        for (int64_t c = 0; c < s.width; c++) {
          gate[f] += double(x[c]) * w1[f * s.width + c];
          up[f] += double(x[c]) * w3[f * s.width + c];
          dh[f] += double(dy[c]) * w2[c * s.ffn + f];
        }
        gate[f] = round(gate[f]), up[f] = round(up[f]);
        const double sigmoid = 1 / (1 + std::exp(-gate[f])), silu = round(gate[f] * sigmoid);
        h[f] = round(silu * up[f]);
        out.dweight[slot] += h[f] * dh[f];
        const double dact = round(weight * dh[f]);
        dgate[f] = round(dact * up[f] * sigmoid * (1 + gate[f] * (1 - sigmoid)));
        dup[f] = round(dact * silu);
      }
      for (int64_t c = 0; c < s.width; c++) {
        double sum = 0, dx = 0;
        for (int64_t f = 0; f < s.ffn; f++) {
          sum += h[f] * w2[c * s.ffn + f];
          dx += dgate[f] * w1[f * s.width + c] + dup[f] * w3[f * s.width + c];
          dw[0][f * s.width + c] += dgate[f] * x[c];
          dw[1][c * s.ffn + f] += round(weight * h[f]) * dy[c];
          dw[2][f * s.width + c] += dup[f] * x[c];
        }
        double &y = out.y[t * s.width + c], &total = out.dx[t * s.width + c];
        y = round(y + round(weight * round(sum)));
        total = round(total + round(dx));
      }
    }
    double mean = 0;
    for (int64_t slot : slots) mean += weights[slot] * out.dweight[slot];
    for (int64_t slot : slots)
      out.dlogits[t * s.experts + picks[slot]] = weights[slot] * (out.dweight[slot] - mean);
  }
  return out;
}

double exact(double x) { return x; }
double as_bf16(double x) { return from_bf16(to_bf16(static_cast<float>(x))); }

std::vector<double> doubles(const Buffer<float>& x) { return {x.begin(), x.end()}; }

// A block of experts through the ABI: every output begins as NaN, the gradients of weights as `seed`.
struct Native {
  Native(mm_context* context, Shape s, const Inputs& in, mm_dtype dtype = MM_DTYPE_F32,
         mm_dtype dw_dtype = MM_DTYPE_F32, float seed = 0)
      : shape(s),
        picks(s.slots(), -1),
        offsets(s.experts + 1, -1),
        row_slot(s.slots(), -1),
        slot_row(s.slots(), -1),
        weight(s.slots(), NAN),
        dweight(s.slots(), NAN),
        dlogits(in.logits.size(), NAN),
        logits(in.logits),
        x(in.x, dtype),
        w1(in.w1, dtype),
        w2(in.w2, dtype),
        w3(in.w3, dtype),
        dy(in.dy, dtype),
        gate(s.slots() * s.ffn, NAN, dtype),
        up(s.slots() * s.ffn, NAN, dtype),
        y(in.x.size(), NAN, dtype),
        dx(in.x.size(), NAN, dtype),
        dw1(in.w1.size(), seed, dw_dtype),
        dw2(in.w1.size(), seed, dw_dtype),
        dw3(in.w1.size(), seed, dw_dtype) {
    route = {sizeof route,
             logits.data(),
             picks.data(),
             weight.data(),
             offsets.data(),
             row_slot.data(),
             slot_row.data(),
             s.tokens,
             s.experts,
             s.top_k,
             0,
             0};
    MM_EXPECT_OK(mm_moe_route_forward(context, &route));
    forward = {sizeof forward, x.data(),       w1.data(),       w2.data(),       w3.data(),   picks.data(),
               weight.data(),  offsets.data(), row_slot.data(), slot_row.data(), gate.data(), up.data(),
               y.data(),       s.tokens,       s.experts,       s.top_k,         s.width,     s.ffn,
               dtype,          dtype,          nullptr,         nullptr,         nullptr};
    MM_EXPECT_OK(mm_moe_experts_forward(context, &forward));
    backward = {sizeof backward, x.data(),      w1.data(),      w2.data(),       w3.data(),
                picks.data(),    weight.data(), offsets.data(), row_slot.data(), slot_row.data(),
                gate.data(),     up.data(),     dy.data(),      dx.data(),       dw1.data(),
                dw2.data(),      dw3.data(),    dweight.data(), s.tokens,        s.experts,
                s.top_k,         s.width,       s.ffn,          dtype,           dw_dtype};
    MM_EXPECT_OK(mm_moe_experts_backward(context, &backward));
    route_backward = {sizeof route_backward, logits.data(), picks.data(), dweight.data(),
                      dlogits.data(),        s.tokens,      s.experts,    s.top_k};
    MM_EXPECT_OK(mm_moe_route_backward(context, &route_backward));
  }

  Shape shape;
  Buffer<int32_t> picks, offsets, row_slot, slot_row;
  Buffer<float> weight, dweight, dlogits, logits;
  Storage x, w1, w2, w3, dy, gate, up, y, dx, dw1, dw2, dw3;
  mm_moe_route_forward_params route;
  mm_moe_experts_forward_params forward;
  mm_moe_experts_backward_params backward;
  mm_moe_route_backward_params route_backward;
};

void expect_refused(mm_status status, const char* message) {
  EXPECT_EQ(status, MM_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(mm_last_error(), message), nullptr) << mm_last_error();
}

// ---- routing

TEST(Route, PicksWeighsAndSorts) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (Shape s :
         {Shape{33, 1, 1, 4, 2}, Shape{1, 1, 1, 1, 1}, Shape{200, 1, 1, 37, 20}, Shape{70, 1, 1, 5, 5}}) {
      Inputs in = inputs_of(s, 3 + s.experts);
      for (float& logit : in.logits) logit = std::round(logit * 4) / 4;  // many ties
      const Native got(context, s, in);
      EXPECT_EQ(got.picks, picks_of(s, in.logits));
      expect_close(got.weight, weights_of(s, doubles(in.logits), got.picks), 3e-7, "weight");
      // Sorted rows are a stable sort of the slots by expert.
      Buffer<int32_t> order(s.slots());
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return got.picks[a] < got.picks[b]; });
      EXPECT_EQ(got.row_slot, order);
      for (int64_t row = 0; row < s.slots(); row++) EXPECT_EQ(got.slot_row[order[row]], row);
      for (int64_t e = 0; e <= s.experts; e++) {
        EXPECT_EQ(got.offsets[e],
                  std::count_if(got.picks.begin(), got.picks.end(), [&](int p) { return p < e; }));
      }
    }
  }
}

TEST(Route, ASingleExpertWeighsExactlyOneAndHasNoGradient) {
  for (const Target& target : all_targets()) {
    Context context(target);
    const Shape s{40, 4, 4, 7, 1};
    const Native got(context, s, inputs_of(s, 5));
    EXPECT_EQ(got.weight, Buffer<float>(40, 1.0f));
    EXPECT_EQ(got.dlogits, Buffer<float>(40 * 7, 0.0f));
  }
}

TEST(Route, AmongEqualsTheLowerIndexComesFirst) {
  Context context;
  const Shape s{3, 1, 1, 6, 4};
  Inputs in = inputs_of(s, 5);
  in.logits = {0, 0, 0, 0, 0, 0, 1, 2, 2, 1, 2, 1, -INFINITY, 5, -INFINITY, -INFINITY, 4, -INFINITY};
  const Native got(context, s, in);
  EXPECT_EQ(got.picks, (Buffer<int32_t>{0, 1, 2, 3, 1, 2, 4, 0, 1, 4, 0, 2}));
  for (int k = 0; k < 4; k++) EXPECT_EQ(got.weight[k], 0.25f);
  EXPECT_EQ(got.weight[10], 0.0f);
}

TEST(Route, ReplaysARecordedChoice) {
  for (const Target& target : all_targets()) {
    Context context(target);
    const Shape s{90, 1, 1, 9, 3};
    const Inputs in = inputs_of(s, 6);
    Native got(context, s, in);
    const auto picks = got.picks;
    const auto weight = got.weight;
    got.route.replay = 1;
    MM_EXPECT_OK(mm_moe_route_forward(context, &got.route));
    EXPECT_EQ(got.picks, picks);
    EXPECT_EQ(got.weight, weight);
    // Any other choice works as well, however unlikely.
    for (int64_t t = 0; t < s.tokens; t++) {
      for (int32_t k = 0; k < 3; k++) got.picks[t * 3 + k] = static_cast<int32_t>((t + 2 * k) % 9);
    }
    got.logits[0] = -500;
    MM_EXPECT_OK(mm_moe_route_forward(context, &got.route));
    expect_close(got.weight, weights_of(s, doubles(got.logits), got.picks), 3e-7, "weight");
    if (target.device == MM_DEVICE_KIND_CUDA) continue;  // tells it later, see routing_test.cpp
    got.picks[7] = 9;
    expect_refused(mm_moe_route_forward(context, &got.route), "row 2 picks expert 9 of 9");
    got.picks[7] = got.picks[6];
    expect_refused(mm_moe_route_forward(context, &got.route), "row 2 picks expert 2 twice");
  }
}

TEST(Route, NamesTheRowWithoutASoftmax) {
  Context context;
  const Shape s{90, 1, 1, 9, 3};
  Native got(context, s, inputs_of(s, 6));
  got.logits[40 * 9 + 8] = NAN;
  expect_refused(mm_moe_route_forward(context, &got.route), "row 40, expert 8 is NaN");
  got.logits[40 * 9 + 8] = INFINITY;
  expect_refused(mm_moe_route_forward(context, &got.route), "row 40 is inf");
  for (int e = 0; e < 9; e++) got.logits[40 * 9 + e] = -INFINITY;
  expect_refused(mm_moe_route_forward(context, &got.route), "row 40 is -inf");
  got.route.top_k = 10;
  expect_refused(mm_moe_route_forward(context, &got.route), "top_k is 10, with 9 experts");
}

// ---- experts

TEST(Experts, TheReferenceHasTheGradientsOfItsForward) {
  const Shape s{7, 5, 6, 4, 2};
  const Inputs in = inputs_of(s, 11);
  const auto logits = doubles(in.logits);
  const auto picks = picks_of(s, in.logits);
  const Outputs want = reference(s, in, logits, picks, exact);
  auto loss = [&](const Inputs& at, const std::vector<double>& at_logits) {
    const Outputs out = reference(s, at, at_logits, picks, exact);
    double sum = 0;
    for (size_t i = 0; i < out.y.size(); i++) sum += out.y[i] * in.dy[i];
    return sum;
  };
  auto check = [&](Buffer<float> Inputs::*member, const std::vector<double>& gradient) {
    for (size_t i = 0; i < gradient.size(); i++) {
      Inputs above = in, below = in;
      (above.*member)[i] += 0x1p-10f, (below.*member)[i] -= 0x1p-10f;
      const double step = double((above.*member)[i]) - (below.*member)[i];
      EXPECT_NEAR((loss(above, logits) - loss(below, logits)) / step, gradient[i], 1e-5);
    }
  };
  check(&Inputs::x, want.dx);
  check(&Inputs::w1, want.dw1);
  check(&Inputs::w2, want.dw2);
  check(&Inputs::w3, want.dw3);
  for (size_t i = 0; i < logits.size(); i++) {
    auto above = logits, below = logits;
    above[i] += 1e-4, below[i] -= 1e-4;
    EXPECT_NEAR((loss(in, above) - loss(in, below)) / 2e-4, want.dlogits[i], 1e-7);
  }
}

void expect_outputs(const Native& got, const Outputs& want, double bound) {
  expect_close(got.y.values(), want.y, bound, "y");
  expect_close(got.dx.values(), want.dx, bound, "dx");
  expect_close(got.dw1.values(), want.dw1, bound, "dw1");
  expect_close(got.dw2.values(), want.dw2, bound, "dw2");
  expect_close(got.dw3.values(), want.dw3, bound, "dw3");
  expect_close(got.dweight, want.dweight, bound, "dweight");
  expect_close(got.dlogits, want.dlogits, bound, "dlogits");
}

TEST(Experts, EqualDoublePrecisionForwardAndBackward) {
  for (Shape s : kShapes) {
    const Inputs in = inputs_of(s, 21 + s.width);
    const Outputs want = reference(s, in, doubles(in.logits), picks_of(s, in.logits), exact);
    for (const Target& target : all_targets()) {
      Context context(target);
      expect_outputs(Native(context, s, in), want, 2e-6);
    }
  }
}

TEST(Experts, KeepNoTokenBackWhenAllWantTheSameExpert) {
  for (int64_t top_k : {1, 2}) {
    const Shape s{70, 24, 40, 8, top_k};
    Inputs in = inputs_of(s, 22);
    for (int64_t t = 0; t < s.tokens; t++) in.logits[t * 8 + 3] += 50, in.logits[t * 8 + 6] += 45;
    const Outputs want = reference(s, in, doubles(in.logits), picks_of(s, in.logits), exact);
    for (const Target& target : all_targets()) {
      Context context(target);
      for (mm_dtype dtype : {MM_DTYPE_F32, MM_DTYPE_BF16}) {
        const Native got(context, s, in, dtype);
        EXPECT_EQ(got.offsets[4] - got.offsets[3], 70);
        expect_outputs(got, want, dtype == MM_DTYPE_F32 ? 2e-6 : 1e-2);
        for (int64_t i = 0; i < 24 * 40; i++) EXPECT_EQ(got.dw1.values()[i], 0.0f);  // expert 0 has no rows
      }
    }
  }
}

double largest_error(const Buffer<float>& got, const std::vector<double>& want) {
  double error = 0;
  for (size_t i = 0; i < got.size(); i++) {
    const double difference = std::fabs(got[i] - want[i]);
    error = std::isnan(difference) ? INFINITY : std::fmax(error, difference);
  }
  return error;
}

// No worse than twice the error of an evaluation that stores every intermediate value in bf16.
TEST(Experts, AreInBf16AsGoodAsAnEvaluationOperationByOperation) {
  for (Shape s : kShapes) {
    const Inputs in = inputs_of(s, 23 + s.width);
    const auto picks = picks_of(s, in.logits);
    const Outputs want = reference(s, in, doubles(in.logits), picks, exact);
    const Outputs plain = reference(s, in, doubles(in.logits), picks, as_bf16);
    auto check = [](const Storage& got, const std::vector<double>& exactly,
                    const std::vector<double>& rounded, const char* what) {
      Buffer<float> stored;
      std::transform(rounded.begin(), rounded.end(), std::back_inserter(stored), as_bf16);
      // Of a few values the evaluation may hit all by luck; none is to be had better than to half an ulp.
      const double half_ulp = 0x1p-9 * largest_error(Buffer<float>(exactly.size()), exactly);
      EXPECT_LE(largest_error(got.values(), exactly), 2 * std::fmax(half_ulp, largest_error(stored, exactly)))
          << what;
    };
    for (const Target& target : all_targets()) {
      Context context(target);
      for (mm_dtype dw_dtype : {MM_DTYPE_F32, MM_DTYPE_BF16}) {
        const Native got(context, s, in, MM_DTYPE_BF16, dw_dtype);
        check(got.y, want.y, plain.y, "y");
        check(got.dx, want.dx, plain.dx, "dx");
        check(got.dw1, want.dw1, plain.dw1, "dw1");
        check(got.dw2, want.dw2, plain.dw2, "dw2");
        check(got.dw3, want.dw3, plain.dw3, "dw3");
        expect_close(got.dweight, want.dweight, 1e-2, "dweight");
      }
    }
  }
}

TEST(Experts, AddToTheGradientsOfTheWeights) {
  const Shape s{33, 16, 24, 4, 2};
  const Inputs in = inputs_of(s, 24);
  for (const Target& target : all_targets()) {
    Context context(target);
    const Native zero(context, s, in), two(context, s, in, MM_DTYPE_F32, MM_DTYPE_F32, 2.0f);
    const auto from_zero = zero.dw2.values(), from_two = two.dw2.values();
    for (size_t i = 0; i < from_zero.size(); i++) ASSERT_NEAR(from_two[i], from_zero[i] + 2, 2e-6);
  }
}

void expect_tokens_of_their_own(Shape s) {
  const Inputs in = inputs_of(s, 25);
  for (const Target& target : all_targets()) {
    Context context(target);
    for (mm_dtype dtype : {MM_DTYPE_F32, MM_DTYPE_BF16}) {
      mm_set_threads(2);
      const Native all(context, s, in, dtype);
      const auto y = all.y.values(), dx = all.dx.values();
      for (int32_t threads : {1, 3}) {
        mm_set_threads(threads);
        const Native again(context, s, in, dtype);
        ASSERT_EQ(again.y.values(), y);
        ASSERT_EQ(again.dx.values(), dx);
        ASSERT_EQ(again.dw1.values(), all.dw1.values());
        ASSERT_EQ(again.dw2.values(), all.dw2.values());
        ASSERT_EQ(again.dw3.values(), all.dw3.values());
        ASSERT_EQ(again.dweight, all.dweight);
      }
      mm_set_threads(2);
      for (int64_t count : {1, 3}) {
        for (int64_t first : {int64_t{0}, int64_t{41}, s.tokens - 3}) {
          Inputs few = in;
          auto cut = [&](Buffer<float>& rows, int64_t width) {
            rows = {rows.begin() + first * width, rows.begin() + (first + count) * width};
          };
          cut(few.x, s.width), cut(few.dy, s.width), cut(few.logits, s.experts);
          const Native alone(context, {count, s.width, s.ffn, s.experts, s.top_k}, few, dtype);
          const auto alone_y = alone.y.values(), alone_dx = alone.dx.values();
          for (int64_t i = 0; i < count * s.width; i++) {
            ASSERT_EQ(alone_y[i], y[first * s.width + i]);
            ASSERT_EQ(alone_dx[i], dx[first * s.width + i]);
          }
          for (int64_t i = 0; i < count * s.top_k; i++) {
            ASSERT_EQ(alone.weight[i], all.weight[first * s.top_k + i]);
            ASSERT_EQ(alone.dweight[i], all.dweight[first * s.top_k + i]);
          }
        }
      }
    }
  }
}

TEST(Experts, ATokenDependsOnNeitherTheBatchNorTheThreads) {
  expect_tokens_of_their_own({100, 70, 90, 4, 2});
  expect_tokens_of_their_own({150, 80, 96, 2, 2});
}

// Rows of int8 whose scales are powers of two, so that the weights they stand for are exact in every dtype.
struct Int8Rows {
  Int8Rows(uint64_t seed, int64_t rows, int64_t columns, Buffer<float>& weights) {
    Random random(seed);
    for (int64_t r = 0; r < rows; r++) {
      scale.push_back(std::ldexp(1.0f, -11 - static_cast<int>(random.below(3))));
      for (int64_t c = 0; c < columns; c++) {
        data.push_back(static_cast<int8_t>(random.below(255) - 127));
        weights[r * columns + c] = scale[r] * data.back();
      }
    }
  }
  Buffer<int8_t> data;
  Buffer<float> scale;
};

TEST(Experts, OfInt8EqualTheWeightsTheyStandFor) {
  for (Shape s : kShapes) {
    Inputs in = inputs_of(s, 29 + s.width);
    const Int8Rows w1(1, s.experts * s.ffn, s.width, in.w1), w2(2, s.experts * s.width, s.ffn, in.w2),
        w3(3, s.experts * s.ffn, s.width, in.w3);
    const auto picks = picks_of(s, in.logits);
    const auto want = reference(s, in, doubles(in.logits), picks, exact).y;
    const auto plain = reference(s, in, doubles(in.logits), picks, as_bf16).y;
    for (const Target& target : all_targets()) {
      Context context(target);
      for (mm_dtype dtype : {MM_DTYPE_F32, MM_DTYPE_BF16}) {
        Native got(context, s, in, dtype);
        const auto run = [&](int32_t threads, int64_t tokens) {
          mm_set_threads(threads);
          got.y = Storage(s.tokens * s.width, NAN, dtype);
          got.route.tokens = got.forward.tokens = tokens;
          got.forward.y = got.y.data();
          MM_EXPECT_OK(mm_moe_route_forward(context, &got.route));
          MM_EXPECT_OK(mm_moe_experts_forward(context, &got.forward));
          return got.y.values();
        };
        got.forward.w1 = w1.data.data(), got.forward.w2 = w2.data.data(), got.forward.w3 = w3.data.data();
        got.forward.w1_scale = w1.scale.data(), got.forward.w2_scale = w2.scale.data(),
        got.forward.w3_scale = w3.scale.data();
        got.forward.weight_dtype = MM_DTYPE_I8;
        const auto y = run(2, s.tokens);
        if (dtype == MM_DTYPE_F32) {
          expect_close(y, want, 2e-6, "y");
        } else {
          const double half_ulp = 0x1p-9 * largest_error(Buffer<float>(want.size()), want);
          const Buffer<float> stored(plain.begin(), plain.end());
          EXPECT_LE(largest_error(y, want), 2 * std::fmax(half_ulp, largest_error(stored, want)));
        }
        EXPECT_EQ(run(1, s.tokens), y);
        const auto alone = run(2, 1);
        for (int64_t i = 0; i < s.width; i++) ASSERT_EQ(alone[i], y[i]);
      }
    }
  }
}

TEST(Experts, OfInt8NeedAllTheirScales) {
  Context context;
  const Shape s{6, 4, 4, 3, 2};
  Native got(context, s, inputs_of(s, 30));
  got.forward.weight_dtype = MM_DTYPE_BF16;
  expect_refused(mm_moe_experts_forward(context, &got.forward), "weight_dtype is 1");
  const Buffer<float> scale(12, 1.0f);
  got.forward.weight_dtype = MM_DTYPE_I8;
  got.forward.w1_scale = got.forward.w2_scale = scale.data();
  expect_refused(mm_moe_experts_forward(context, &got.forward), "w1_scale, w2_scale and w3_scale");
  got.forward.weight_dtype = MM_DTYPE_F32;
  expect_refused(mm_moe_experts_forward(context, &got.forward), "are for I8");
}

TEST(Experts, LeaveOutWhatIsNotWanted) {
  const Shape s{33, 16, 24, 4, 2};
  const Inputs in = inputs_of(s, 26);
  for (const Target& target : all_targets()) {
    Context context(target);
    Native got(context, s, in);
    const auto y = got.y.values(), dx = got.dx.values(), dw3 = got.dw3.values();
    for (auto [gate, up] : {std::pair{false, false}, {true, false}, {false, true}}) {
      got.y = Storage(s.tokens * s.width, NAN, MM_DTYPE_F32);
      got.forward.y = got.y.data();
      got.forward.gate = gate ? got.gate.data() : nullptr, got.forward.up = up ? got.up.data() : nullptr;
      MM_EXPECT_OK(mm_moe_experts_forward(context, &got.forward));
      EXPECT_EQ(got.y.values(), y);
    }
    got.backward.dx = nullptr;
    got.dw3 = Storage(dw3.size(), 0, MM_DTYPE_F32);
    got.backward.dw3 = got.dw3.data();
    MM_EXPECT_OK(mm_moe_experts_backward(context, &got.backward));
    EXPECT_EQ(got.dw3.values(), dw3);
    got.dx = Storage(dx.size(), NAN, MM_DTYPE_F32);
    got.backward.dx = got.dx.data();
    got.backward.dw1 = nullptr;
    expect_refused(mm_moe_experts_backward(context, &got.backward), "dw1, dw2 and dw3");
    got.backward.dw2 = got.backward.dw3 = nullptr;
    MM_EXPECT_OK(mm_moe_experts_backward(context, &got.backward));
    EXPECT_EQ(got.dx.values(), dx);
  }
}

TEST(Experts, RefuseARoutingThatDoesNotHoldTogether) {
  const Shape s{6, 4, 4, 3, 2};
  Context context;
  Native got(context, s, inputs_of(s, 27));
  const auto offsets = got.offsets;
  got.offsets[3]++;
  expect_refused(mm_moe_experts_forward(context, &got.forward),
                 "expert_offsets runs from 0 to 13, for 12 rows");
  got.offsets = {0, 9, 8, 12};
  got.forward.expert_offsets = got.offsets.data();
  expect_refused(mm_moe_experts_forward(context, &got.forward), "falls after expert 1");
  std::copy(offsets.begin(), offsets.end(), got.offsets.begin());
  std::swap(got.slot_row[0], got.slot_row[5]);
  expect_refused(mm_moe_experts_forward(context, &got.forward), "not its own");
  got.forward.w2 = nullptr;
  expect_refused(mm_moe_experts_forward(context, &got.forward), "w2 is null");
}

// The GPU finds out while it works, follows nothing out of bounds, and tells when it is waited for.
TEST(Experts, TellLateOfARoutingThatDoesNotHoldTogether) {
  if (!has_cuda()) GTEST_SKIP() << "no CUDA backend";
  const Shape s{40, 16, 24, 3, 2};
  Context context(Target{MM_DEVICE_KIND_CUDA, MM_ISA_AUTO});
  for (mm_dtype dtype : {MM_DTYPE_F32, MM_DTYPE_BF16}) {
    Native got(context, s, inputs_of(s, 27), dtype);
    auto expect_told = [&](int32_t& value, int32_t wrong) {
      const int32_t right = value;
      value = wrong;
      mm_moe_experts_forward(context, &got.forward);
      expect_refused(mm_context_synchronize(context), "an earlier call");
      mm_moe_experts_backward(context, &got.backward);
      expect_refused(mm_context_synchronize(context), "an earlier call");
      value = right;
      MM_EXPECT_OK(mm_moe_experts_forward(context, &got.forward));
    };
    expect_told(got.offsets[3], 79);
    expect_told(got.offsets[3], 1 << 30);
    expect_told(got.offsets[1], -5);
    expect_told(got.offsets[0], 1);
    expect_told(got.row_slot[7], 80);
    expect_told(got.row_slot[7], -1);
    expect_told(got.slot_row[7], 80);
    expect_told(got.slot_row[7], got.slot_row[8]);
  }
}

TEST(Experts, DoNothingWithoutTokens) {
  Context context;
  const Shape s{0, 4, 4, 3, 2};
  const Native got(context, s, inputs_of(s, 28));
  EXPECT_EQ(got.offsets, Buffer<int32_t>(4, 0));
  EXPECT_EQ(got.dw1.values(), Buffer<float>(48, 0.0f));
}

// ---- auxiliary loss

struct AuxLoss {
  double loss;
  std::vector<double> fraction, probability;
};

AuxLoss aux_loss_of(const std::vector<std::vector<double>>& layers, const Buffer<int32_t>& mask,
                    int64_t experts, int64_t top_k, const std::vector<double>* constant_fraction = nullptr) {
  AuxLoss out{0, std::vector<double>(experts), std::vector<double>(experts)};
  const int64_t tokens = static_cast<int64_t>(mask.size());
  double rows = 0;
  for (const auto& logits : layers) {
    for (int64_t t = 0; t < tokens; t++) {
      if (!mask[t]) continue;
      rows++;
      const double* row = &logits[t * experts];
      std::vector<int> order(experts);
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return row[a] > row[b]; });
      for (int64_t k = 0; k < top_k; k++) out.fraction[order[k]]++;
      double total = 0;
      for (int64_t e = 0; e < experts; e++) total += std::exp(row[e]);
      for (int64_t e = 0; e < experts; e++) out.probability[e] += std::exp(row[e]) / total;
    }
  }
  for (int64_t e = 0; e < experts; e++) {
    out.fraction[e] /= rows, out.probability[e] /= rows;
    const double f = constant_fraction ? (*constant_fraction)[e] : out.fraction[e];
    out.loss += static_cast<double>(experts) * f * out.probability[e];
  }
  return out;
}

TEST(AuxLoss, EqualsDoublePrecisionAndItsGradientDifferences) {
  struct Case {
    int64_t layers, tokens, experts, top_k;
  };
  for (auto [count, tokens, experts, top_k] : {Case{1, 20, 4, 2}, Case{3, 14, 8, 2}, Case{2, 300, 37, 5}}) {
    for (bool masked : {false, true}) {
      Random random(31 + tokens);
      std::vector<Buffer<float>> layers, dlayers(count, Buffer<float>(tokens * experts, NAN));
      std::vector<std::vector<double>> exact_layers;
      std::vector<const float*> pointers;
      std::vector<float*> dpointers;
      for (int64_t i = 0; i < count; i++) layers.push_back(random.floats(tokens * experts, 3));
      for (int64_t i = 0; i < count; i++) {
        exact_layers.push_back(doubles(layers[i]));
        pointers.push_back(layers[i].data()), dpointers.push_back(dlayers[i].data());
      }
      Buffer<int32_t> mask(tokens, 1);
      if (masked) {
        for (int64_t t = 0; t < tokens; t += 3) mask[t] = 0;
      }
      const AuxLoss want = aux_loss_of(exact_layers, mask, experts, top_k);
      for (const Target& target : all_targets()) {
        Context context(target);
        Buffer<float> loss(1, NAN), fraction(experts, NAN), probability(experts, NAN);
        mm_moe_aux_loss_forward_params f{sizeof f,    pointers.data(), masked ? mask.data() : nullptr,
                                         loss.data(), fraction.data(), probability.data(),
                                         count,       tokens,          experts,
                                         top_k};
        MM_EXPECT_OK(mm_moe_aux_loss_forward(context, &f));
        EXPECT_NEAR(loss[0], want.loss, 1e-6 * want.loss);
        expect_close(fraction, want.fraction, 1e-7, "f");
        expect_close(probability, want.probability, 1e-7, "P");
        mm_moe_aux_loss_backward_params b{sizeof b,
                                          pointers.data(),
                                          f.token_mask,
                                          fraction.data(),
                                          dpointers.data(),
                                          count,
                                          tokens,
                                          experts,
                                          3.0f,
                                          0};
        MM_EXPECT_OK(mm_moe_aux_loss_backward(context, &b));
        for (int64_t i = 0; i < 40; i++) {
          const int64_t layer = random.below(count), at = random.below(tokens * experts);
          auto above = exact_layers, below = exact_layers;
          above[layer][at] += 1e-4, below[layer][at] -= 1e-4;
          const double difference = aux_loss_of(above, mask, experts, top_k, &want.fraction).loss -
                                    aux_loss_of(below, mask, experts, top_k, &want.fraction).loss;
          EXPECT_NEAR(dlayers[layer][at], 3 * difference / 2e-4, 2e-7);
          EXPECT_TRUE(mask[at / experts] || dlayers[layer][at] == 0.0f);
        }
        const auto once = dlayers;
        mm_set_threads(1);
        const float before = loss[0];
        MM_EXPECT_OK(mm_moe_aux_loss_forward(context, &f));
        MM_EXPECT_OK(mm_moe_aux_loss_backward(context, &b));
        mm_set_threads(2);
        EXPECT_EQ(loss[0], before);
        EXPECT_EQ(dlayers, once);
      }
    }
  }
}

TEST(AuxLoss, IsTopKAtBalanceAndZeroWithoutRows) {
  Context context;
  Buffer<float> logits(4 * 4, 0.0f), dlogits(16, NAN), fraction(4), probability(4);
  for (int t = 0; t < 4; t++) logits[t * 4 + t] = logits[t * 4 + (t + 1) % 4] = 1;
  const float* layer = logits.data();
  float* dlayer = dlogits.data();
  float loss = NAN;
  mm_moe_aux_loss_forward_params f{sizeof f,           &layer, nullptr, &loss, fraction.data(),
                                   probability.data(), 1,      4,       4,     2};
  MM_EXPECT_OK(mm_moe_aux_loss_forward(context, &f));
  EXPECT_NEAR(loss, 2.0, 1e-6);
  const Buffer<int32_t> none(4, 0);
  f.token_mask = none.data();
  MM_EXPECT_OK(mm_moe_aux_loss_forward(context, &f));
  EXPECT_EQ(loss, 0.0f);
  mm_moe_aux_loss_backward_params b{sizeof b, &layer, none.data(), fraction.data(), &dlayer, 1, 4, 4, 1, 0};
  MM_EXPECT_OK(mm_moe_aux_loss_backward(context, &b));
  EXPECT_EQ(dlogits, Buffer<float>(16, 0.0f));
  f.token_mask = nullptr;
  logits[9] = NAN;
  expect_refused(mm_moe_aux_loss_forward(context, &f), "row 2, expert 1 is NaN");
  layer = nullptr;
  expect_refused(mm_moe_aux_loss_forward(context, &f), "logits of layer 0 is null");
}

// ---- shared MLP

TEST(SharedMlp, CombinesAndDifferentiates) {
  const int64_t tokens = 37, width = 45;
  Random random(41);
  const auto sparse = rounded_floats(random, tokens * width, 3),
             shared = rounded_floats(random, tokens * width, 3),
             dy = rounded_floats(random, tokens * width, 1), coefficient = random.floats(tokens, 30);
  std::vector<double> y(tokens * width), dsparse(y), dshared(y), dcoefficient(tokens);
  for (int64_t t = 0; t < tokens; t++) {
    const double c = 1 / (1 + std::exp(-double(coefficient[t]))),
                 rest = 1 / (1 + std::exp(double(coefficient[t])));
    for (int64_t i = t * width; i < (t + 1) * width; i++) {
      y[i] = rest * sparse[i] + c * shared[i];
      dsparse[i] = rest * dy[i], dshared[i] = c * dy[i];
      dcoefficient[t] += c * rest * dy[i] * (double(shared[i]) - sparse[i]);
    }
  }
  for (const Target& target : all_targets()) {
    Context context(target);
    for (mm_dtype dtype : {MM_DTYPE_F32, MM_DTYPE_BF16}) {
      const double bound = dtype == MM_DTYPE_F32 ? 1e-6 : 0x1p-8;
      Storage a(sparse, dtype), b(shared, dtype), d(dy, dtype), got(tokens * width, NAN, dtype), da(got),
          db(got);
      Buffer<float> dc(tokens, NAN);
      mm_shared_mlp_combine_forward_params f{
          sizeof f, a.data(), b.data(), coefficient.data(), got.data(), tokens, width, dtype, 0};
      MM_EXPECT_OK(mm_shared_mlp_combine_forward(context, &f));
      expect_close(got.values(), y, bound, "y");
      mm_shared_mlp_combine_backward_params g{sizeof g, a.data(),  b.data(),  coefficient.data(),
                                              d.data(), da.data(), db.data(), dc.data(),
                                              tokens,   width,     dtype,     0};
      MM_EXPECT_OK(mm_shared_mlp_combine_backward(context, &g));
      expect_close(da.values(), dsparse, bound, "dsparse");
      expect_close(db.values(), dshared, bound, "dshared");
      expect_close(dc, dcoefficient, 2e-6, "dcoefficient");
      // One token alone has the same bits.
      Storage one(width, NAN, dtype);
      const int64_t t = 20;
      Storage row_a({sparse.begin() + t * width, sparse.begin() + (t + 1) * width}, dtype),
          row_b({shared.begin() + t * width, shared.begin() + (t + 1) * width}, dtype);
      f.sparse = row_a.data(), f.shared = row_b.data(), f.coefficient = &coefficient[t], f.y = one.data();
      f.tokens = 1;
      MM_EXPECT_OK(mm_shared_mlp_combine_forward(context, &f));
      const auto alone = one.values(), all = got.values();
      for (int64_t i = 0; i < width; i++) ASSERT_EQ(alone[i], all[t * width + i]);
      f.shared = nullptr;
      expect_refused(mm_shared_mlp_combine_forward(context, &f), "shared is null");
    }
  }
}

// The closed form above is the derivative of the formula.
TEST(SharedMlp, HasTheGradientOfItsFormula) {
  const double sparse = 0.7, shared = -1.3, x = 0.4;
  auto y = [&](double a, double b, double at) {
    const double c = 1 / (1 + std::exp(-at));
    return (1 - c) * a + c * b;
  };
  Context context;
  const float a = 0.7f, b = -1.3f, at = 0.4f, dy = 1;
  float da = NAN, db = NAN, dc = NAN;
  mm_shared_mlp_combine_backward_params g{sizeof g, &a, &b, &at, &dy, &da, &db, &dc, 1, 1, MM_DTYPE_F32, 0};
  MM_EXPECT_OK(mm_shared_mlp_combine_backward(context, &g));
  EXPECT_NEAR(da, (y(sparse + 1e-5, shared, x) - y(sparse - 1e-5, shared, x)) / 2e-5, 1e-6);
  EXPECT_NEAR(db, (y(sparse, shared + 1e-5, x) - y(sparse, shared - 1e-5, x)) / 2e-5, 1e-6);
  EXPECT_NEAR(dc, (y(sparse, shared, x + 1e-5) - y(sparse, shared, x - 1e-5)) / 2e-5, 1e-6);
}

}  // namespace
}  // namespace mm::test
