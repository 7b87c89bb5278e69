// Norms and rotary embedding on every instruction set, against double precision.
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

}  // namespace
}  // namespace mm::test
