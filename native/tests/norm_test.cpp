// Norms and rotary embedding on every target, against double precision.
#include "support.h"

namespace mm::test {
namespace {

constexpr int64_t kRows = 131, kWidth = 37;
constexpr float kEps = 1e-5f;

TEST(RmsNorm, WithResidualEqualsDoublePrecisionForwardAndBackward) {
  Random random(1);
  const auto x = random.floats(kRows * kWidth), branch = random.floats(x.size()), w = random.floats(kWidth);
  const auto dy = random.floats(x.size()), dsum = random.floats(x.size());
  std::vector<double> s(x.size()), y(x.size()), dx(x.size()), dbranch(x.size()), dw(kWidth, 1.0);
  for (int64_t r = 0; r < kRows; r++) {
    double squares = 0, dot = 0;
    for (int64_t j = r * kWidth; j < (r + 1) * kWidth; j++)
      s[j] = 1.5 * x[j] + 0.5 * branch[j], squares += s[j] * s[j];
    const double rstd = 1 / std::sqrt(squares / kWidth + kEps);
    for (int64_t j = 0; j < kWidth; j++) {
      const int64_t i = r * kWidth + j;
      y[i] = w[j] * s[i] * rstd, dot += double(dy[i]) * w[j] * s[i] * rstd, dw[j] += dy[i] * s[i] * rstd;
    }
    for (int64_t j = 0; j < kWidth; j++) {
      const int64_t i = r * kWidth + j;
      const double ds = rstd * (double(dy[i]) * w[j] - s[i] * rstd * dot / kWidth) + dsum[i];
      dx[i] = 1.5 * ds, dbranch[i] = 0.5 * ds;
    }
  }
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<float> sum(x.size(), NAN), got_y(x.size(), NAN), rstd(kRows, NAN), got_dx(x.size(), NAN),
        got_db(x.size(), NAN), got_dw(kWidth, 1.0f);
    mm_rms_norm_forward_params f{};
    f.struct_size = sizeof f;
    f.x = x.data(), f.branch = branch.data(), f.weight = w.data(), f.sum = sum.data(), f.y = got_y.data(),
    f.rstd = rstd.data();
    f.rows = kRows, f.width = kWidth, f.eps = kEps, f.alpha = 1.5f, f.beta = 0.5f;
    MM_EXPECT_OK(mm_rms_norm_forward(context, &f));
    expect_close(sum, s, 1e-6, "sum");
    expect_close(got_y, y, 1e-6, "y");
    mm_rms_norm_backward_params b{};
    b.struct_size = sizeof b;
    b.sum = sum.data(), b.weight = w.data(), b.rstd = rstd.data(), b.dy = dy.data(), b.dsum = dsum.data();
    b.dx = got_dx.data(), b.dbranch = got_db.data(), b.dweight = got_dw.data();
    b.rows = kRows, b.width = kWidth, b.alpha = 1.5f, b.beta = 0.5f;
    MM_EXPECT_OK(mm_rms_norm_backward(context, &b));
    expect_close(got_dx, dx, 1e-5, "dx");
    expect_close(got_db, dbranch, 1e-5, "dbranch");
    expect_close(got_dw, dw, 1e-5, "dweight");
    Buffer<float> one(kWidth, 1.0f);
    mm_set_threads(1);
    b.dweight = one.data();
    MM_EXPECT_OK(mm_rms_norm_backward(context, &b));
    mm_set_threads(2);
    EXPECT_EQ(std::memcmp(one.data(), got_dw.data(), kWidth * 4), 0);
  }
}

TEST(GatedRmsNorm, BackwardEqualsDifferences) {
  Random random(2);
  auto x = random.floats(3 * kWidth), gate = random.floats(x.size()), w = random.floats(kWidth),
       dy = random.floats(x.size());
  auto value = [&] {
    double total = 0;
    for (int64_t r = 0; r < 3; r++) {
      double squares = 0;
      for (int64_t j = r * kWidth; j < (r + 1) * kWidth; j++) squares += double(x[j]) * x[j];
      for (int64_t j = 0; j < kWidth; j++) {
        const int64_t i = r * kWidth + j;
        total += dy[i] / (1 + std::exp(-double(gate[i]))) * w[j] * x[i] / std::sqrt(squares / kWidth + kEps);
      }
    }
    return total;
  };
  auto differences = [&](Buffer<float>& v) {
    std::vector<double> d(v.size());
    for (size_t i = 0; i < v.size(); i++) {
      const float before = v[i], up = before + 1e-2f, down = before - 1e-2f;
      v[i] = up;
      const double high = value();
      v[i] = down;
      d[i] = (high - value()) / (double(up) - down);
      v[i] = before;
    }
    return d;
  };
  const auto want_dx = differences(x), want_dgate = differences(gate), want_dw = differences(w);
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<float> y(x.size(), NAN), rstd(3, NAN), dx(x.size(), NAN), dgate(x.size(), NAN), dw(kWidth, 0.0f);
    mm_gated_rms_norm_forward_params f{};
    f.struct_size = sizeof f;
    f.x = x.data(), f.gate = gate.data(), f.weight = w.data(), f.y = y.data(), f.rstd = rstd.data();
    f.rows = 3, f.width = kWidth, f.eps = kEps;
    MM_EXPECT_OK(mm_gated_rms_norm_forward(context, &f));
    double total = 0;
    for (size_t i = 0; i < y.size(); i++) total += double(y[i]) * dy[i];
    EXPECT_NEAR(total, value(), 1e-5);
    mm_gated_rms_norm_backward_params b{};
    b.struct_size = sizeof b;
    b.x = x.data(), b.gate = gate.data(), b.weight = w.data(), b.rstd = rstd.data(), b.dy = dy.data();
    b.dx = dx.data(), b.dgate = dgate.data(), b.dweight = dw.data(), b.rows = 3, b.width = kWidth;
    MM_EXPECT_OK(mm_gated_rms_norm_backward(context, &b));
    expect_close(dx, want_dx, 1e-4, "dx");
    expect_close(dgate, want_dgate, 1e-4, "dgate");
    expect_close(dw, want_dw, 1e-4, "dw");
  }
}

TEST(Rope, RotatesHalvesAndItsInverseUndoesIt) {
  Random random(3);
  const auto x = random.floats(5 * 2 * 12);
  const Buffer<int32_t> positions = {0, 1, 7, 1000, 1000000};
  const Buffer<float> frequencies = {1.0f, 0.1f, 0.01f, 0.001f};
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<float> y(x.size(), NAN);
    mm_rope_forward_params p{};
    p.struct_size = sizeof p;
    p.x = x.data(), p.y = y.data(), p.positions = positions.data(), p.inv_freq = frequencies.data();
    p.tokens = 5, p.heads = 2, p.head_dim = 12, p.rotary_dim = 8;
    p.x_token_stride = p.y_token_stride = 24, p.x_head_stride = p.y_head_stride = 12;
    MM_EXPECT_OK(mm_rope_forward(context, &p));
    for (int64_t row = 0; row < 10; row++) {
      for (int64_t m = 0; m < 4; m++) {
        const float angle = float(positions[row / 2]) * frequencies[m];
        const double a = x[row * 12 + m], b = x[row * 12 + m + 4], c = std::cos(double(angle)),
                     s = std::sin(double(angle));
        EXPECT_NEAR(y[row * 12 + m], a * c - b * s, 1e-6);
        EXPECT_NEAR(y[row * 12 + m + 4], b * c + a * s, 1e-6);
      }
      for (int64_t j = 8; j < 12; j++) EXPECT_EQ(y[row * 12 + j], x[row * 12 + j]);
    }
    p.x = y.data(), p.inverse = 1;
    MM_EXPECT_OK(mm_rope_forward(context, &p));
    expect_close(y, x, 1e-6, "inverse, in place");
  }
}

// The shapes that choose a kernel: rows of a warp and of a block, widths that fill no run of 16 bytes, rows
// so wide that not all fits in registers, sums over several blocks of rows; from an aligned and an odd
// address.
struct RowShape {
  int64_t rows, width, offset;
};
const RowShape kRowShapes[] = {{1, 1, 0},    {1, 64, 0},   {35, 64, 0},   {35, 64, 1},
                               {3, 1000, 0}, {2, 1024, 0}, {17, 1032, 0}, {17, 1032, 3},
                               {2, 2051, 0}, {0, 8, 0},    {18, 8200, 0}, {2, 8197, 0}};

// Values as they are stored in fp32 or bf16, and the same as floats.
struct Values {
  Buffer<float> wide;
  Buffer<uint16_t> narrow;
  int64_t offset, count;
  bool half;

  Values(int64_t count, int64_t offset, bool half)  // poisoned
      : wide(half ? 0 : count + offset, NAN),
        narrow(half ? count + offset : 0, 0x7fc0),
        offset(offset),
        count(count),
        half(half) {}
  Values(Random& random, int64_t count, int64_t offset, bool half) : Values(count, offset, half) {
    for (int64_t i = 0; i < count; i++) set(i, random.uniform());
  }
  void set(int64_t i, float value) {
    if (half)
      narrow[offset + i] = to_bf16(value);
    else
      wide[offset + i] = value;
  }
  double operator[](int64_t i) const { return half ? from_bf16(narrow[offset + i]) : wide[offset + i]; }
  void* data() {
    return half ? static_cast<void*>(narrow.data() + offset) : static_cast<void*>(wide.data() + offset);
  }
  mm_dtype dtype() const { return half ? MM_DTYPE_BF16 : MM_DTYPE_F32; }
  int64_t bytes() const { return count * (half ? 2 : 4); }

  // |got - want| <= bound (1 + |want|)
  void expect(const std::vector<double>& want, double bound, const char* what) const {
    double worst = 0;
    for (int64_t i = 0; i < count; i++) {
      const double error = std::fabs((*this)[i] - want[i]) / (1 + std::fabs(want[i]));
      worst = std::isnan(error) ? INFINITY : std::fmax(worst, error);
    }
    EXPECT_LE(worst, bound) << what;
  }
};

// A result is rounded once, and up to two of what it is made of were.
double bound(bool half) { return half ? 3 * 0x1p-8 : 1e-5; }

double rounded(double x, bool half) { return half ? from_bf16(to_bf16(static_cast<float>(x))) : x; }

TEST(RmsNorm, EveryShapeInBothTypesEqualsDoublePrecision) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (const RowShape& s : kRowShapes) {
      for (int types = 0; types < 4; types++) {
        const bool half = types & 1, half_weight = types & 2;
        SCOPED_TRACE(std::to_string(s.rows) + " x " + std::to_string(s.width) + " + " +
                     std::to_string(s.offset) + ", types " + std::to_string(types));
        const int64_t n = s.rows * s.width;
        Random random(s.width + types);
        Values x(random, n, s.offset, half), branch(random, n, s.offset, half), dy(random, n, s.offset, half),
            dsum(random, n, s.offset, half), w(random, s.width, 0, half_weight);
        Values sum(n, s.offset, half), y(n, s.offset, half), dx(n, s.offset, half), db(n, s.offset, half),
            dw(s.width, 0, half_weight);
        Buffer<float> rstd(s.rows, NAN);
        for (int64_t j = 0; j < s.width; j++) dw.set(j, 1);
        mm_rms_norm_forward_params f{};
        f.struct_size = sizeof f;
        f.x = x.data(), f.branch = branch.data(), f.weight = w.data(), f.sum = sum.data(), f.y = y.data(),
        f.rstd = rstd.data();
        f.rows = s.rows, f.width = s.width, f.eps = kEps, f.alpha = 1.5f, f.beta = 0.5f;
        f.dtype = x.dtype(), f.weight_dtype = w.dtype();
        MM_EXPECT_OK(mm_rms_norm_forward(context, &f));
        mm_rms_norm_backward_params b{};
        b.struct_size = sizeof b;
        b.sum = sum.data(), b.weight = w.data(), b.rstd = rstd.data(), b.dy = dy.data(), b.dsum = dsum.data();
        b.dx = dx.data(), b.dbranch = db.data(), b.dweight = dw.data();
        b.rows = s.rows, b.width = s.width, b.alpha = 1.5f, b.beta = 0.5f;
        b.dtype = x.dtype(), b.weight_dtype = w.dtype(), b.dweight_dtype = dw.dtype();
        MM_EXPECT_OK(mm_rms_norm_backward(context, &b));
        std::vector<double> want_s(n), want_y(n), want_dx(n), want_db(n), want_dw(s.width, 1.0);
        for (int64_t r = 0; r < s.rows; r++) {
          double squares = 0, dot = 0;
          for (int64_t i = r * s.width; i < (r + 1) * s.width; i++) {
            want_s[i] = 1.5 * x[i] + 0.5 * branch[i];
            squares += sum[i] * sum[i];
          }
          const double scale = 1 / std::sqrt(squares / s.width + kEps);
          for (int64_t j = 0; j < s.width; j++) {
            const int64_t i = r * s.width + j;
            want_y[i] = w[j] * rounded(sum[i] * scale, half);
            dot += dy[i] * w[j] * sum[i] * scale, want_dw[j] += dy[i] * sum[i] * scale;
          }
          for (int64_t j = 0; j < s.width; j++) {
            const int64_t i = r * s.width + j;
            const double ds = scale * (dy[i] * w[j] - sum[i] * scale * dot / s.width) + dsum[i];
            want_dx[i] = 1.5 * ds, want_db[i] = 0.5 * ds;
          }
        }
        sum.expect(want_s, bound(half), "sum");
        y.expect(want_y, bound(half), "y");
        dx.expect(want_dx, bound(half), "dx");
        db.expect(want_db, bound(half), "dbranch");
        dw.expect(want_dw, bound(half_weight), "dweight");

        b.dweight = nullptr, b.dbranch = nullptr, b.dsum = nullptr;
        Values alone(n, s.offset, half);
        b.dx = alone.data();
        MM_EXPECT_OK(mm_rms_norm_backward(context, &b));
        std::vector<double> want_alone(n);
        for (int64_t i = 0; i < n; i++) want_alone[i] = want_dx[i] / 1.5 - dsum[i];
        alone.expect(want_alone, bound(half), "dx without branch and weight");
      }
    }
  }
}

TEST(GatedRmsNorm, EveryShapeInBothTypesEqualsDoublePrecision) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (const RowShape& s : kRowShapes) {
      for (int types = 0; types < 4; types++) {
        const bool half = types & 1, half_weight = types & 2;
        SCOPED_TRACE(std::to_string(s.rows) + " x " + std::to_string(s.width) + " + " +
                     std::to_string(s.offset) + ", types " + std::to_string(types));
        const int64_t n = s.rows * s.width;
        Random random(s.width + types);
        Values x(random, n, s.offset, half), gate(random, n, s.offset, half), dy(random, n, s.offset, half),
            w(random, s.width, 0, half_weight);
        Values y(n, s.offset, half), dx(n, s.offset, half), dgate(n, s.offset, half),
            dw(s.width, 0, half_weight);
        Buffer<float> rstd(s.rows, NAN);
        for (int64_t j = 0; j < s.width; j++) dw.set(j, 1);
        for (int64_t i = 0; i < n; i += 5) gate.set(i, i % 2 ? 90.0f : -90.0f);
        mm_gated_rms_norm_forward_params f{};
        f.struct_size = sizeof f;
        f.x = x.data(), f.gate = gate.data(), f.weight = w.data(), f.y = y.data(), f.rstd = rstd.data();
        f.rows = s.rows, f.width = s.width, f.eps = kEps;
        f.dtype = x.dtype(), f.weight_dtype = w.dtype();
        MM_EXPECT_OK(mm_gated_rms_norm_forward(context, &f));
        mm_gated_rms_norm_backward_params b{};
        b.struct_size = sizeof b;
        b.x = x.data(), b.gate = gate.data(), b.weight = w.data(), b.rstd = rstd.data(), b.dy = dy.data();
        b.dx = dx.data(), b.dgate = dgate.data(), b.dweight = dw.data();
        b.rows = s.rows, b.width = s.width;
        b.dtype = x.dtype(), b.weight_dtype = w.dtype(), b.dweight_dtype = dw.dtype();
        MM_EXPECT_OK(mm_gated_rms_norm_backward(context, &b));
        std::vector<double> want_y(n), want_dx(n), want_dgate(n), want_dw(s.width, 1.0);
        for (int64_t r = 0; r < s.rows; r++) {
          double squares = 0, dot = 0;
          for (int64_t i = r * s.width; i < (r + 1) * s.width; i++) squares += x[i] * x[i];
          const double scale = 1 / std::sqrt(squares / s.width + kEps);
          for (int64_t j = 0; j < s.width; j++) {
            const int64_t i = r * s.width + j;
            const double open = 1 / (1 + std::exp(-gate[i])), normal = x[i] * scale;
            want_y[i] = open * w[j] * normal;
            want_dgate[i] = dy[i] * w[j] * normal * open * (1 - open);
            dot += dy[i] * open * w[j] * normal, want_dw[j] += dy[i] * open * normal;
          }
          for (int64_t j = 0; j < s.width; j++) {
            const int64_t i = r * s.width + j;
            const double open = 1 / (1 + std::exp(-gate[i]));
            want_dx[i] = scale * (dy[i] * open * w[j] - x[i] * scale * dot / s.width);
          }
        }
        y.expect(want_y, bound(half), "y");
        dx.expect(want_dx, bound(half), "dx");
        dgate.expect(want_dgate, bound(half), "dgate");
        dw.expect(want_dw, bound(half_weight), "dweight");
      }
    }
  }
}

TEST(RmsNorm, ARowHasTheSameBitsAloneAndAtAnOddAddress) {
  Random random(8);
  for (const Target& target : all_targets()) {
    Context context(target);
    for (bool half : {false, true}) {
      for (int64_t width : {int64_t{96}, int64_t{1032}}) {
        const int64_t rows = 19;
        Values x(random, rows * width, 0, half), w(random, width, 0, half), y(rows * width, 0, half);
        mm_rms_norm_forward_params p{};
        p.struct_size = sizeof p;
        p.x = x.data(), p.weight = w.data(), p.y = y.data();
        p.rows = rows, p.width = width, p.eps = kEps;
        p.dtype = p.weight_dtype = x.dtype();
        MM_EXPECT_OK(mm_rms_norm_forward(context, &p));
        Values one(width, 1, half), got(width, 1, half);
        for (int64_t j = 0; j < width; j++) one.set(j, static_cast<float>(x[(rows - 1) * width + j]));
        p.x = one.data(), p.y = got.data(), p.rows = 1;
        MM_EXPECT_OK(mm_rms_norm_forward(context, &p));
        for (int64_t j = 0; j < width; j++) ASSERT_EQ(got[j], y[(rows - 1) * width + j]) << j;
      }
    }
  }
}

TEST(Rope, EveryShapeInBothTypesAlsoAtLargeAngles) {
  struct Shape {
    int64_t tokens, heads, dim, rotary, between, offset;
  };
  for (const Target& target : all_targets()) {
    Context context(target);
    for (const Shape& s : {Shape{5, 3, 128, 64, 0, 0}, Shape{2, 2, 64, 64, 16, 0}, Shape{3, 2, 12, 6, 1, 0},
                           Shape{4, 1, 32, 16, 0, 1}, Shape{0, 1, 8, 8, 0, 0}}) {
      for (bool half : {false, true}) {
        SCOPED_TRACE(std::to_string(s.dim) + " " + std::to_string(s.rotary) + (half ? " bf16" : " fp32"));
        const int64_t token = s.heads * (s.dim + s.between), head = s.dim + s.between, r = s.rotary / 2;
        Random random(s.dim);
        Values x(random, s.tokens * token, s.offset, half), y(s.tokens * token, s.offset, half);
        Buffer<int32_t> positions(s.tokens);
        Buffer<float> frequencies(r);
        for (int64_t t = 0; t < s.tokens; t++) positions[t] = int32_t(t * 249999 + t % 3);
        for (int64_t m = 0; m < r; m++) frequencies[m] = float(std::pow(1e7, -double(m) / r));
        mm_rope_forward_params p{};
        p.struct_size = sizeof p;
        p.x = x.data(), p.y = y.data(), p.positions = positions.data(), p.inv_freq = frequencies.data();
        p.tokens = s.tokens, p.heads = s.heads, p.head_dim = s.dim, p.rotary_dim = s.rotary;
        p.x_token_stride = p.y_token_stride = token, p.x_head_stride = p.y_head_stride = head;
        p.dtype = x.dtype();
        MM_EXPECT_OK(mm_rope_forward(context, &p));
        for (int64_t i = 0; i < s.tokens * s.heads; i++) {
          const int64_t at = i * head;
          for (int64_t m = 0; m < r; m++) {
            const double angle = float(positions[i / s.heads]) * frequencies[m], c = std::cos(angle),
                         sine = std::sin(angle), a = x[at + m], b = x[at + m + r];
            ASSERT_NEAR(y[at + m], a * c - b * sine, half ? 0x1p-8 : 1e-6);
            ASSERT_NEAR(y[at + m + r], b * c + a * sine, half ? 0x1p-8 : 1e-6);
          }
          for (int64_t j = s.rotary; j < s.dim; j++) ASSERT_EQ(y[at + j], x[at + j]);
          for (int64_t j = s.dim; j < head; j++)
            ASSERT_TRUE(std::isnan(y[at + j])) << "written between heads";
        }
        p.x = y.data(), p.inverse = 1;
        MM_EXPECT_OK(mm_rope_forward(context, &p));
        for (int64_t i = 0; i < s.tokens * s.heads * head; i++) {
          if (i % head >= s.dim) continue;
          ASSERT_NEAR(y[i], x[i], half ? 0x1p-6 : 2e-6) << "inverse, in place";
        }
      }
    }
  }
}

}  // namespace
}  // namespace mm::test
