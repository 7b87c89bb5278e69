// Linear maps, activations and embedding on every instruction set, against double precision and against
// themselves.
#include "support.h"

namespace mm::test {
namespace {

struct Shape {
  int64_t rows, in, out;
};

const Shape kShapes[] = {{1, 1, 1},    {1, 128, 96},   {3, 17, 33},    {7, 300, 31}, {15, 64, 65},
                         {64, 96, 48}, {130, 513, 77}, {600, 40, 450}, {2, 1030, 5}};

std::vector<double> product(const Buffer<float>& x, const Buffer<float>& w, Shape s) {
  std::vector<double> y(s.rows * s.out);
  for (int64_t r = 0; r < s.rows; r++) {
    for (int64_t o = 0; o < s.out; o++) {
      double sum = 0;
      for (int64_t i = 0; i < s.in; i++) sum += double(x[r * s.in + i]) * w[o * s.in + i];
      y[r * s.out + o] = sum;
    }
  }
  return y;
}

mm_linear_forward_params forward_params(const void* x, const void* w, void* y, Shape s, mm_dtype dtype) {
  mm_linear_forward_params p{};
  p.struct_size = sizeof p;
  p.x = x, p.w = w, p.y = y;
  p.rows = s.rows, p.in_features = s.in, p.out_features = s.out;
  p.x_dtype = p.w_dtype = dtype;
  p.y_dtype = MM_DTYPE_F32;
  return p;
}

TEST(Linear, ForwardEqualsDoublePrecision) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (Shape s : kShapes) {
      Random random(s.rows * 31 + s.in);
      const auto x = random.floats(s.rows * s.in), w = random.floats(s.out * s.in);
      Buffer<float> y(s.rows * s.out, NAN);
      const auto p = forward_params(x.data(), w.data(), y.data(), s, MM_DTYPE_F32);
      MM_EXPECT_OK(mm_linear_forward(context, &p));
      expect_close(y, product(x, w, s), 1e-5, "y");
    }
  }
}

TEST(Linear, MultipliesBf16WithFp32Sums) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (Shape s : kShapes) {
      for (int32_t fp32_compute : {0, 1}) {
        Random random(s.rows * 7 + s.out);
        auto x = random.floats(s.rows * s.in), w = random.floats(s.out * s.in);
        Buffer<uint16_t> xb(x.size()), wb(w.size()), yb(s.rows * s.out, 0x7fc0);
        for (size_t i = 0; i < x.size(); i++) x[i] = from_bf16(xb[i] = to_bf16(x[i]));
        for (size_t i = 0; i < w.size(); i++) w[i] = from_bf16(wb[i] = to_bf16(w[i]));
        Buffer<float> y(s.rows * s.out, NAN);
        auto p = forward_params(xb.data(), wb.data(), y.data(), s, MM_DTYPE_BF16);
        p.fp32_compute = fp32_compute;
        MM_EXPECT_OK(mm_linear_forward(context, &p));
        const auto want = product(x, w, s);
        expect_close(y, want, 1e-5, "y");
        p.y = yb.data(), p.y_dtype = MM_DTYPE_BF16;
        MM_EXPECT_OK(mm_linear_forward(context, &p));
        for (size_t i = 0; i < y.size(); i++) ASSERT_EQ(yb[i], to_bf16(y[i])) << i;
      }
    }
  }
}

TEST(Linear, ARowDependsOnNeitherTheBatchNorTheThreads) {
  const int64_t in = 300, out = 200, most = 600;
  Random random(5);
  const auto x = random.floats(most * in), w = random.floats(out * in);
  Buffer<uint16_t> xb(x.size()), wb(w.size());
  for (size_t i = 0; i < x.size(); i++) xb[i] = to_bf16(x[i]);
  for (size_t i = 0; i < w.size(); i++) wb[i] = to_bf16(w[i]);
  for (const Target& target : all_targets()) {
    Context context(target);
    for (bool half : {false, true}) {
      Buffer<float> all(most * out), few(most * out);
      auto p = half ? forward_params(xb.data(), wb.data(), all.data(), {most, in, out}, MM_DTYPE_BF16)
                    : forward_params(x.data(), w.data(), all.data(), {most, in, out}, MM_DTYPE_F32);
      mm_set_threads(2);
      MM_EXPECT_OK(mm_linear_forward(context, &p));
      for (int32_t threads : {1, 2, 3}) {
        mm_set_threads(threads);
        for (int64_t rows : {1, 2, 3, 7, 14, 15, 64, 500}) {
          const int64_t first = most - rows;
          p.x = half ? static_cast<const void*>(xb.data() + first * in) : x.data() + first * in;
          p.y = few.data(), p.rows = rows;
          MM_EXPECT_OK(mm_linear_forward(context, &p));
          ASSERT_EQ(std::memcmp(few.data(), all.data() + first * out, rows * out * 4), 0)
              << rows << " " << threads;
        }
      }
      mm_set_threads(2);
    }
  }
}

TEST(Linear, BackwardEqualsDoublePrecision) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (Shape s : kShapes) {
      Random random(s.in);
      const auto x = random.floats(s.rows * s.in), w = random.floats(s.out * s.in),
                 dy = random.floats(s.rows * s.out);
      Buffer<float> dx(x.size(), NAN), dw(w.size(), 2.0f);
      std::vector<double> want_dx(x.size()), want_dw(w.size(), 2.0);
      for (int64_t r = 0; r < s.rows; r++) {
        for (int64_t o = 0; o < s.out; o++) {
          for (int64_t i = 0; i < s.in; i++) {
            want_dx[r * s.in + i] += double(dy[r * s.out + o]) * w[o * s.in + i];
            want_dw[o * s.in + i] += double(dy[r * s.out + o]) * x[r * s.in + i];
          }
        }
      }
      mm_linear_backward_params p{};
      p.struct_size = sizeof p;
      p.x = x.data(), p.w = w.data(), p.dy = dy.data(), p.dx = dx.data(), p.dw = dw.data();
      p.rows = s.rows, p.in_features = s.in, p.out_features = s.out;
      p.accumulate_dw = 1;
      MM_EXPECT_OK(mm_linear_backward(context, &p));
      expect_close(dx, want_dx, 1e-5, "dx");
      expect_close(dw, want_dw, 1e-5, "dw");
    }
  }
}

TEST(Linear, RefusesNullAndNegative) {
  Context context;
  float x = 0;
  auto p = forward_params(&x, nullptr, &x, {1, 1, 1}, MM_DTYPE_F32);
  EXPECT_EQ(mm_linear_forward(context, &p), MM_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(mm_last_error(), "w is null"), nullptr) << mm_last_error();
  p = forward_params(&x, &x, &x, {-1, 1, 1}, MM_DTYPE_F32);
  EXPECT_EQ(mm_linear_forward(context, &p), MM_STATUS_INVALID_ARGUMENT);
  p = forward_params(&x, &x, &x, {1, 1, 1}, MM_DTYPE_I32);
  EXPECT_EQ(mm_linear_forward(context, &p), MM_STATUS_INVALID_ARGUMENT);
}

TEST(Activations, EqualDoublePrecisionAndTheirGradientsDifferences) {
  const int64_t n = 1003;
  Random random(9);
  const auto x = random.floats(n, 12), up = random.floats(n, 2), dy = random.floats(n);
  auto silu = [](double v) { return v / (1 + std::exp(-v)); };
  auto slope = [](double v) {
    const double s = 1 / (1 + std::exp(-v));
    return s * (1 + v * (1 - s));
  };
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<float> y(n, NAN), dx(n, NAN), dup(n, NAN);
    std::vector<double> want(n), want_dx(n), gated(n), want_dgate(n), want_dup(n);
    for (int64_t i = 0; i < n; i++) {
      want[i] = silu(x[i]), want_dx[i] = dy[i] * slope(x[i]);
      gated[i] = silu(x[i]) * up[i], want_dgate[i] = dy[i] * up[i] * slope(x[i]),
      want_dup[i] = dy[i] * silu(x[i]);
    }
    mm_silu_forward_params f{sizeof f, x.data(), y.data(), n, MM_DTYPE_F32, 0};
    MM_EXPECT_OK(mm_silu_forward(context, &f));
    expect_close(y, want, 1e-6, "silu");
    mm_silu_backward_params b{sizeof b, x.data(), dy.data(), dx.data(), n, MM_DTYPE_F32, 0};
    MM_EXPECT_OK(mm_silu_backward(context, &b));
    expect_close(dx, want_dx, 1e-6, "dsilu");
    mm_swiglu_forward_params g{sizeof g, x.data(), up.data(), y.data(), n, MM_DTYPE_F32, 0};
    MM_EXPECT_OK(mm_swiglu_forward(context, &g));
    expect_close(y, gated, 1e-6, "swiglu");
    mm_swiglu_backward_params h{sizeof h,   x.data(), up.data(),    dy.data(), dx.data(),
                                dup.data(), n,        MM_DTYPE_F32, 0};
    MM_EXPECT_OK(mm_swiglu_backward(context, &h));
    expect_close(dx, want_dgate, 1e-6, "dgate");
    expect_close(dup, want_dup, 1e-6, "dup");
  }
}

TEST(Embedding, PicksRowsAndAddsTheirGradients) {
  Context context;
  Random random(2);
  const auto table = random.floats(7 * 70), dy = random.floats(4 * 70);
  const Buffer<int32_t> ids = {3, 0, 3, 6};
  Buffer<float> y(4 * 70, NAN), dtable(7 * 70, 1.0f);
  mm_embedding_forward_params f{sizeof f, table.data(), ids.data(), y.data(), 4, 7, 70, MM_DTYPE_F32, 0};
  MM_EXPECT_OK(mm_embedding_forward(context, &f));
  mm_embedding_backward_params b{sizeof b, dy.data(), ids.data(),   dtable.data(), 4,
                                 7,        70,        MM_DTYPE_F32, MM_DTYPE_F32};
  MM_EXPECT_OK(mm_embedding_backward(context, &b));
  for (int64_t j = 0; j < 70; j++) {
    EXPECT_EQ(y[2 * 70 + j], table[3 * 70 + j]);
    EXPECT_EQ(dtable[3 * 70 + j], (1.0f + dy[j]) + dy[2 * 70 + j]);
    EXPECT_EQ(dtable[1 * 70 + j], 1.0f);
  }
  const Buffer<int32_t> bad = {0, 7, 0, 0};
  f.ids = bad.data();
  EXPECT_EQ(mm_embedding_forward(context, &f), MM_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(mm_last_error(), "id 7 at row 1"), nullptr) << mm_last_error();
}

}  // namespace
}  // namespace mm::test
