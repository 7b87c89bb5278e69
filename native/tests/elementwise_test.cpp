// Activations, embedding, AdamW and gradient norm on every target: sizes and addresses that choose a kernel,
// against double precision, element by element.
#include "support.h"

namespace mm::test {
namespace {

Buffer<uint16_t> narrow(const Buffer<float>& values) {
  Buffer<uint16_t> halves(values.size());
  for (size_t i = 0; i < values.size(); i++) halves[i] = to_bf16(values[i]);
  return halves;
}

TEST(Activations, InBf16AtEverySizeAndAnOddAddress) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (int64_t n : {0, 1, 7, 8, 9, 4096, 4101}) {
      for (int64_t offset : {0, 1}) {
        Random random(n + 1);
        auto x = narrow(random.floats(n + offset, 9)), up = narrow(random.floats(n + offset, 2)),
             dy = narrow(random.floats(n + offset));
        Buffer<uint16_t> y(n + offset, 0x7fc0), dx(y), gated(y), dgate(y), dup(y);
        const uint16_t *px = x.data() + offset, *pu = up.data() + offset, *pd = dy.data() + offset;
        mm_silu_forward_params f{sizeof f, px, y.data() + offset, n, MM_DTYPE_BF16, 0};
        MM_EXPECT_OK(mm_silu_forward(context, &f));
        mm_silu_backward_params b{sizeof b, px, pd, dx.data() + offset, n, MM_DTYPE_BF16, 0};
        MM_EXPECT_OK(mm_silu_backward(context, &b));
        mm_swiglu_forward_params g{sizeof g, px, pu, gated.data() + offset, n, MM_DTYPE_BF16, 0};
        MM_EXPECT_OK(mm_swiglu_forward(context, &g));
        mm_swiglu_backward_params h{sizeof h,      px, pu, pd, dgate.data() + offset, dup.data() + offset, n,
                                    MM_DTYPE_BF16, 0};
        MM_EXPECT_OK(mm_swiglu_backward(context, &h));
        for (int64_t i = offset; i < n + offset; i++) {
          const double v = from_bf16(x[i]), u = from_bf16(up[i]), d = from_bf16(dy[i]),
                       s = 1 / (1 + std::exp(-v)), slope = s * (1 + v * (1 - s));
          const auto near = [&](uint16_t got, double want) {  // one rounding
            ASSERT_NEAR(from_bf16(got), want, 0x1.01p-8 * std::fabs(want) + 1e-6) << i << " of " << n;
          };
          near(y[i], v * s);
          near(dx[i], d * slope);
          near(gated[i], v * s * u);
          near(dgate[i], d * u * slope);
          near(dup[i], d * v * s);
        }
        if (offset) {
          EXPECT_EQ(y[0], 0x7fc0) << "written before the start";
        }
      }
    }
  }
}

struct Embedding {
  int64_t rows, vocabulary, width;
  int64_t distinct;  // ids are taken from so many
};

// The sum in ascending order, rounded as it is stored at each step: bit for bit.
TEST(Embedding, GradientsAreAddedInOrderBitForBit) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (const Embedding& s :
         {Embedding{1, 1, 1, 1}, Embedding{40, 7, 70, 7}, Embedding{300, 300, 5, 300},
          Embedding{9000, 70000, 3, 70000}, Embedding{5000, 200064, 8, 11}, Embedding{600, 65536, 16, 1},
          Embedding{33, 256, 2052, 20}, Embedding{0, 5, 4, 5}}) {
      for (int types = 0; types < 4; types++) {
        const bool half = types & 1, half_table = types & 2;
        SCOPED_TRACE(std::to_string(s.rows) + " of " + std::to_string(s.vocabulary) + " x " +
                     std::to_string(s.width) + ", types " + std::to_string(types));
        Random random(s.rows + types);
        const auto dy = random.floats(s.rows * s.width);
        const auto dy_half = narrow(dy);
        Buffer<int32_t> ids(s.rows);
        for (int32_t& id : ids)
          id =
              static_cast<int32_t>(s.vocabulary - 1 - random.below(s.distinct) * (s.vocabulary / s.distinct));
        Buffer<float> table(half_table ? 0 : s.vocabulary * s.width, 0.25f);
        Buffer<uint16_t> table_half(half_table ? s.vocabulary * s.width : 0, to_bf16(0.25f));
        std::vector<float> want(s.vocabulary * s.width, 0.25f);
        for (int64_t r = 0; r < s.rows; r++) {
          for (int64_t j = 0; j < s.width; j++) {
            float& sum = want[ids[r] * s.width + j];
            sum += half ? from_bf16(dy_half[r * s.width + j]) : dy[r * s.width + j];
            if (half_table) sum = from_bf16(to_bf16(sum));
          }
        }
        mm_embedding_backward_params p{};
        p.struct_size = sizeof p;
        p.dy = half ? static_cast<const void*>(dy_half.data()) : dy.data(), p.ids = ids.data();
        p.dtable = half_table ? static_cast<void*>(table_half.data()) : table.data();
        p.rows = s.rows, p.vocabulary = s.vocabulary, p.width = s.width;
        p.dy_dtype = half ? MM_DTYPE_BF16 : MM_DTYPE_F32;
        p.dtable_dtype = half_table ? MM_DTYPE_BF16 : MM_DTYPE_F32;
        MM_EXPECT_OK(mm_embedding_backward(context, &p));
        for (size_t i = 0; i < want.size(); i++)
          ASSERT_EQ(half_table ? from_bf16(table_half[i]) : table[i], want[i]) << i;
      }
    }
  }
}

TEST(Embedding, PicksRowsOfBothTypesAndOddWidths) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (int64_t width : {1, 8, 37, 256}) {
      Random random(width);
      const int64_t rows = 33, vocabulary = 19;
      const auto table = random.floats(vocabulary * width);
      const auto halves = narrow(table);
      Buffer<int32_t> ids(rows);
      for (int32_t& id : ids) id = static_cast<int32_t>(random.below(vocabulary));
      Buffer<float> y(rows * width, NAN);
      Buffer<uint16_t> y_half(rows * width, 0x7fc0);
      mm_embedding_forward_params p{sizeof p,   table.data(), ids.data(),   y.data(), rows,
                                    vocabulary, width,        MM_DTYPE_F32, 0};
      MM_EXPECT_OK(mm_embedding_forward(context, &p));
      p.table = halves.data(), p.y = y_half.data(), p.dtype = MM_DTYPE_BF16;
      MM_EXPECT_OK(mm_embedding_forward(context, &p));
      for (int64_t i = 0; i < rows * width; i++) {
        const int64_t from = ids[i / width] * width + i % width;
        ASSERT_EQ(y[i], table[from]);
        ASSERT_EQ(y_half[i], halves[from]);
      }
    }
  }
}

// What a recorded call works in stays with its graph, also when free memory is given back.
TEST(Embedding, GradientsFromAGraphEqualThoseOfACall) {
  for (const Target& target : all_targets()) {
    if (target.device != MM_DEVICE_KIND_CUDA) continue;
    Context context(target);
    Random random(3);
    const auto dy = random.floats(50 * 6);
    Buffer<int32_t> ids(50);
    for (int32_t& id : ids) id = static_cast<int32_t>(random.below(9));
    Buffer<float> want(9 * 6, 0.5f), got(9 * 6, 0.5f);
    mm_embedding_backward_params p{sizeof p, dy.data(), ids.data(),   want.data(), 50,
                                   9,        6,         MM_DTYPE_F32, MM_DTYPE_F32};
    for (int repeat = 0; repeat < 2; repeat++) MM_EXPECT_OK(mm_embedding_backward(context, &p));
    p.dtable = got.data();
    mm_graph* graph = nullptr;
    ASSERT_EQ(mm_graph_begin(context), MM_STATUS_OK);
    EXPECT_EQ(mm_embedding_backward(context, &p), MM_STATUS_OK) << mm_last_error();
    ASSERT_EQ(mm_graph_end(context, &graph), MM_STATUS_OK) << mm_last_error();
    EXPECT_EQ(mm_memory_trim(), MM_STATUS_OK);
    for (int repeat = 0; repeat < 2; repeat++) MM_EXPECT_OK(mm_graph_launch(context, graph));
    for (size_t i = 0; i < want.size(); i++) ASSERT_EQ(got[i], want[i]) << i;
    EXPECT_EQ(mm_graph_destroy(context, graph), MM_STATUS_OK);
  }
}

// On the CPU the call fails; on a GPU the next call that waits does, and the other rows are right.
TEST(Embedding, AnIdOutsideTheVocabularyIsAnError) {
  const Buffer<float> table = {1, 2, 3, 4, 5, 6}, dy = {1, 1, 10, 10, 100, 100, 1000, 1000};
  const Buffer<int32_t> ids = {2, 3, -1, 2};
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<float> y(8, NAN), dtable(6, 0.0f);
    mm_embedding_forward_params f{sizeof f, table.data(), ids.data(), y.data(), 4, 3, 2, MM_DTYPE_F32, 0};
    mm_embedding_backward_params b{sizeof b, dy.data(), ids.data(),   dtable.data(), 4,
                                   3,        2,         MM_DTYPE_F32, MM_DTYPE_F32};
    for (bool forward : {true, false}) {
      mm_status status = forward ? mm_embedding_forward(context, &f) : mm_embedding_backward(context, &b);
      if (target.device == MM_DEVICE_KIND_CUDA) {
        EXPECT_EQ(status, MM_STATUS_OK);
        status = mm_context_synchronize(context);
        EXPECT_NE(std::strstr(mm_last_error(), "vocabulary"), nullptr) << mm_last_error();
        EXPECT_EQ(mm_context_synchronize(context), MM_STATUS_OK) << "an error is told once";
        if (forward) {
          EXPECT_EQ(y[7], 6.0f);
        } else {
          EXPECT_EQ(dtable[4], 1001.0f);
        }
      }
      EXPECT_EQ(status, MM_STATUS_INVALID_ARGUMENT);
    }
  }
}

// More tensors than a launch takes, empty ones among them, with and without a model, aligned or not.
TEST(AdamW, ManyTensorsEachWithItsOwnDecay) {
  constexpr int64_t tensors = 150;
  for (const Target& target : all_targets()) {
    Context context(target);
    for (int64_t offset : {0, 1}) {
      Random random(11 + offset);
      std::vector<Buffer<float>> w, g, m, v;
      std::vector<Buffer<uint16_t>> model;
      std::vector<float*> ws, ms, vs;
      std::vector<const float*> gs;
      std::vector<void*> models;
      std::vector<int64_t> counts;
      std::vector<float> decay;
      for (int64_t t = 0; t < tensors; t++) {
        const int64_t n = t % 7 == 3 ? 0 : t == 70 ? 9001 : t * 3 + 1;
        w.push_back(random.floats(n + offset)), g.push_back(random.floats(n + offset));
        m.push_back(random.floats(n + offset, 0.1f)), v.push_back(Buffer<float>(n + offset, 0.02f));
        model.push_back(Buffer<uint16_t>(n + offset, 0x7fc0));
        counts.push_back(n), decay.push_back(float(t) * 0.01f);
      }
      const auto w0 = w, m0 = m;
      for (int64_t t = 0; t < tensors; t++) {
        ws.push_back(w[t].data() + offset), gs.push_back(g[t].data() + offset);
        ms.push_back(m[t].data() + offset), vs.push_back(v[t].data() + offset);
        models.push_back(t % 2 ? model[t].data() + offset : nullptr);
      }
      mm_adamw_step_params p{};
      p.struct_size = sizeof p;
      p.master = ws.data(), p.grad = gs.data(), p.m = ms.data(), p.v = vs.data(), p.model = models.data();
      p.counts = counts.data(), p.weight_decay = decay.data(), p.tensors = tensors, p.step = 5;
      p.learning_rate = 1e-2f, p.beta1 = 0.9f, p.beta2 = 0.95f, p.eps = 1e-8f, p.grad_scale = 0.5f;
      MM_EXPECT_OK(mm_adamw_step(context, &p));
      for (int64_t t = 0; t < tensors; t++) {
        if (offset) {
          ASSERT_EQ(w[t][0], w0[t][0]) << "written before the start";
        }
        for (int64_t i = offset; i < counts[t] + offset; i++) {
          const double scaled = 0.5 * g[t][i], first = 0.9 * m0[t][i] + 0.1 * scaled,
                       second = 0.95 * 0.02 + 0.05 * scaled * scaled,
                       step = first / (1 - std::pow(0.9, 5)) /
                              (std::sqrt(second / (1 - std::pow(0.95, 5))) + 1e-8);
          ASSERT_NEAR(m[t][i], first, 1e-6);
          ASSERT_NEAR(v[t][i], second, 1e-6);
          ASSERT_NEAR(w[t][i], w0[t][i] - 1e-2 * (step + decay[t] * w0[t][i]), 1e-6) << t << " " << i;
          ASSERT_EQ(model[t][i], t % 2 ? to_bf16(w[t][i]) : 0x7fc0);
        }
      }
    }
  }
}

TEST(GradNorm, OfManyTensorsIsTheSameEachTime) {
  for (const Target& target : all_targets()) {
    Context context(target);
    for (int64_t offset : {0, 1}) {
      Random random(12);
      std::vector<Buffer<float>> g;
      std::vector<const float*> gs;
      std::vector<int64_t> counts;
      double want = 0;
      for (int64_t t = 0; t < 300; t++) {
        counts.push_back(t % 5 == 2 ? 0 : t == 200 ? 40001 : t * 2 + 1);
        g.push_back(random.floats(counts.back() + offset));
        gs.push_back(g.back().data() + offset);
        for (int64_t i = 0; i < counts.back(); i++) want += double(gs[t][i]) * gs[t][i];
      }
      double norm = NAN, again = NAN;
      mm_grad_norm_params p{sizeof p, gs.data(), counts.data(), 300, &norm};
      MM_EXPECT_OK(mm_grad_norm(context, &p));
      EXPECT_NEAR(norm, std::sqrt(want), 1e-10 * std::sqrt(want));
      p.norm = &again;
      MM_EXPECT_OK(mm_grad_norm(context, &p));
      EXPECT_EQ(norm, again);
      p.tensors = 0;
      MM_EXPECT_OK(mm_grad_norm(context, &p));
      EXPECT_EQ(again, 0.0);
    }
  }
}

TEST(GradNorm, IsRefusedWhileAGraphIsRecorded) {
  for (const Target& target : all_targets()) {
    if (target.device != MM_DEVICE_KIND_CUDA) continue;
    Context context(target);
    double norm = NAN;
    mm_grad_norm_params p{sizeof p, nullptr, nullptr, 0, &norm};
    ASSERT_EQ(mm_graph_begin(context), MM_STATUS_OK);
    EXPECT_EQ(mm_grad_norm(context, &p), MM_STATUS_INVALID_ARGUMENT);
    EXPECT_NE(std::strstr(mm_last_error(), "graph"), nullptr) << mm_last_error();
    EXPECT_EQ(mm_graph_end(context, nullptr), MM_STATUS_OK);
  }
}

}  // namespace
}  // namespace mm::test
