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

// Sizes of whole vectors, of a few tiles each, for few and for many rows.
const Shape kAlignedShapes[] = {{1, 136, 40}, {16, 400, 72}, {17, 72, 200}, {70, 200, 136}, {260, 136, 264}};

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

void expect_rows_of_their_own(int64_t in, int64_t out) {
  const int64_t most = 600;
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
        if (target.device == MM_DEVICE_KIND_CUDA) break;  // which has no threads to set
      }
      mm_set_threads(2);
    }
  }
}

TEST(Linear, ARowDependsOnNeitherTheBatchNorTheThreads) { expect_rows_of_their_own(300, 200); }

TEST(Linear, ARowOfWholeVectorsDependsOnNeitherTheBatchNorTheThreads) { expect_rows_of_their_own(200, 136); }

// A matrix that begins at an odd element is multiplied with the same bits as one that is aligned.
TEST(Linear, DoesNotDependOnAlignment) {
  const Shape s{70, 200, 136};
  Random random(6);
  const auto values = random.floats(s.rows * s.in), weights = random.floats(s.out * s.in);
  Buffer<uint16_t> x(values.size()), w(weights.size()), shifted_x(1), shifted_w(1);
  for (size_t i = 0; i < x.size(); i++) x[i] = to_bf16(values[i]);
  for (size_t i = 0; i < w.size(); i++) w[i] = to_bf16(weights[i]);
  shifted_x.insert(shifted_x.end(), x.begin(), x.end());
  shifted_w.insert(shifted_w.end(), w.begin(), w.end());
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<uint16_t> y(s.rows * s.out, 0x7fc0), shifted_y(s.rows * s.out + 1, 0x7fc0);
    auto p = forward_params(x.data(), w.data(), y.data(), s, MM_DTYPE_BF16);
    p.y_dtype = MM_DTYPE_BF16;
    MM_EXPECT_OK(mm_linear_forward(context, &p));
    p.x = shifted_x.data() + 1, p.w = shifted_w.data() + 1, p.y = shifted_y.data() + 1;
    MM_EXPECT_OK(mm_linear_forward(context, &p));
    for (size_t i = 0; i < y.size(); i++) ASSERT_EQ(shifted_y[i + 1], y[i]) << i;
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

// Values of either dtype, the same in both.
struct Values {
  Values(Random& random, int64_t count) : floats(random.floats(count)), halves(count) {
    for (int64_t i = 0; i < count; i++) floats[i] = from_bf16(halves[i] = to_bf16(floats[i]));
  }
  const void* data(mm_dtype dtype) const {
    return dtype == MM_DTYPE_BF16 ? static_cast<const void*>(halves.data()) : floats.data();
  }
  Buffer<float> floats;
  Buffer<uint16_t> halves;
};

// Forward, dx and dw in double precision; the gradients start from 2.
struct Wanted {
  Wanted(Shape s, const Values& x, const Values& w, const Values& dy)
      : y(product(x.floats, w.floats, s)), dx(x.floats.size(), 2.0), dw(w.floats.size(), 2.0) {
    for (int64_t r = 0; r < s.rows; r++) {
      for (int64_t o = 0; o < s.out; o++) {
        for (int64_t i = 0; i < s.in; i++) {
          dx[r * s.in + i] += double(dy.floats[r * s.out + o]) * w.floats[o * s.in + i];
          dw[o * s.in + i] += double(dy.floats[r * s.out + o]) * x.floats[r * s.in + i];
        }
      }
    }
  }
  std::vector<double> y, dx, dw;
};

// Every mixture of dtypes: fp32 outputs are as good as fp32 sums, bf16 outputs the same rounded once.
TEST(Linear, MixesDtypesForwardAndBackward) {
  std::vector<Shape> shapes(std::begin(kAlignedShapes), std::end(kAlignedShapes));
  shapes.push_back({19, 33, 7});
  for (Shape s : shapes) {
    Random random(s.rows + s.in);
    const Values x(random, s.rows * s.in), w(random, s.out * s.in), dy(random, s.rows * s.out);
    const Wanted want(s, x, w, dy);
    for (const Target& target : all_targets()) {
      Context context(target);
      for (int mixture = 0; mixture < 8; mixture++) {
        const mm_dtype x_dtype = mixture & 1 ? MM_DTYPE_BF16 : MM_DTYPE_F32,
                       w_dtype = mixture & 2 ? MM_DTYPE_BF16 : MM_DTYPE_F32,
                       dy_dtype = mixture & 4 ? MM_DTYPE_BF16 : MM_DTYPE_F32;
        Buffer<float> y(s.rows * s.out, NAN), dx(x.floats.size(), 2.0f), dw(w.floats.size(), 2.0f);
        auto f = forward_params(x.data(x_dtype), w.data(w_dtype), y.data(), s, x_dtype);
        f.w_dtype = w_dtype;
        MM_EXPECT_OK(mm_linear_forward(context, &f));
        expect_close(y, want.y, 1e-5, "y");

        mm_linear_backward_params b{};
        b.struct_size = sizeof b;
        b.x = x.data(x_dtype), b.w = w.data(w_dtype), b.dy = dy.data(dy_dtype);
        b.dx = dx.data(), b.dw = dw.data();
        b.rows = s.rows, b.in_features = s.in, b.out_features = s.out;
        b.x_dtype = x_dtype, b.w_dtype = w_dtype, b.dy_dtype = dy_dtype;
        b.accumulate_dx = b.accumulate_dw = 1;
        MM_EXPECT_OK(mm_linear_backward(context, &b));
        expect_close(dx, want.dx, 1e-5, "dx");
        expect_close(dw, want.dw, 1e-5, "dw");

        Buffer<uint16_t> dxb(dx.size(), to_bf16(2.0f)), dwb(dw.size(), to_bf16(2.0f));
        b.dx = dxb.data(), b.dw = dwb.data(), b.dx_dtype = b.dw_dtype = MM_DTYPE_BF16;
        MM_EXPECT_OK(mm_linear_backward(context, &b));
        for (size_t i = 0; i < dx.size(); i++) ASSERT_EQ(dxb[i], to_bf16(dx[i])) << i;
        for (size_t i = 0; i < dw.size(); i++) ASSERT_EQ(dwb[i], to_bf16(dw[i])) << i;
      }
    }
  }
}

TEST(Linear, WithoutRowsHasAGradientOfZeros) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (mm_dtype dtype : {MM_DTYPE_F32, MM_DTYPE_BF16}) {
      Buffer<float> w(40 * 24, 1.0f), dw(40 * 24, NAN), dx(1, 3.0f);
      mm_linear_backward_params p{};
      p.struct_size = sizeof p;
      p.w = w.data(), p.dx = dx.data(), p.dw = dw.data();
      p.in_features = 40, p.out_features = 24;
      p.x_dtype = p.w_dtype = p.dy_dtype = dtype;
      MM_EXPECT_OK(mm_linear_backward(context, &p));
      EXPECT_EQ(dw, Buffer<float>(40 * 24, 0.0f));
      EXPECT_EQ(dx[0], 3.0f);
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
