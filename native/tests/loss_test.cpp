// Losses on every target at sizes of several blocks, and what is wrong with their data.
#include "support.h"

namespace mm::test {
namespace {

// On a GPU what is wrong is told by the next call that waits.
void expect_refused(const Target& target, mm_context* context, mm_status status) {
  if (target.device == MM_DEVICE_KIND_CUDA) {
    EXPECT_EQ(status, MM_STATUS_OK);
    status = mm_context_synchronize(context);
  }
  EXPECT_EQ(status, MM_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(mm_last_error(), "target"), nullptr) << mm_last_error();
  MM_EXPECT_OK(mm_context_synchronize(context));  // once
}

double clip(double x, double low, double high) { return std::fmin(std::fmax(x, low), high); }

TEST(Loss, ThePolicyLossFollowsItsFormula) {
  for (int64_t tokens : {0, 1, 256, 700}) {
    Random random(3 + tokens);
    const auto logp = random.floats(tokens, 2), old_logp = random.floats(tokens, 2),
               reference = random.floats(tokens + 1, 2), advantage = random.floats(tokens);
    auto weight = random.floats(tokens);
    for (int64_t t = 0; t < tokens; t += 5) weight[t] = 0;
    for (auto kind : {MM_POLICY_OBJECTIVE_CLIPPED_SURROGATE, MM_POLICY_OBJECTIVE_WEIGHTED_LOGP}) {
      for (float beta : {0.0f, 0.3f}) {
        const double low = 0.2f, high = 0.3f, least = 0.1f, most = 3;
        double loss = 0;
        std::vector<double> gradient(tokens), ratio(tokens), objective(tokens);
        for (int64_t t = 0; t < tokens; t++) {
          const double a = advantage[t], z = logp[t], r = ratio[t] = std::exp(z - old_logp[t]);
          const double mask = (a > 0 && r > 1 + high) || (a < 0 && r < 1 - low) ? 0 : 1;
          const double w = clip(r, least, most) * mask, d = reference[t] - z;
          if (weight[t] == 0) continue;
          objective[t] = kind == MM_POLICY_OBJECTIVE_CLIPPED_SURROGATE
                             ? std::fmin(r * a, clip(r, 1 - low, 1 + high) * a)
                             : w * a * z;
          objective[t] -= beta * (std::exp(d) - d - 1);
          gradient[t] = -weight[t] * (w * a - beta * (1 - std::exp(d)));
          loss -= weight[t] * objective[t];
        }
        for (const Target& target : all_targets()) {
          Context context(target);
          for (bool optional : {false, true}) {
            Buffer<float> got(1, NAN), d(tokens, NAN), r(tokens, NAN), o(tokens, NAN);
            mm_policy_loss_forward_params p{};
            p.struct_size = sizeof p;
            p.logp = logp.data(), p.old_logp = old_logp.data(),
            p.ref_logp = beta ? reference.data() : nullptr;
            p.advantage = advantage.data(), p.token_weight = weight.data(), p.tokens = tokens;
            p.loss = got.data(), p.dlogp = d.data();
            if (optional) p.ratio = r.data(), p.objective = o.data();
            p.weight_min = 0.1f, p.weight_max = 3, p.mask_low = 0.2f, p.mask_high = 0.3f;
            p.kl_beta = beta, p.objective_kind = kind;
            MM_EXPECT_OK(mm_policy_loss_forward(context, &p));
            EXPECT_NEAR(got[0], loss, 1e-6 * std::fmax(1, std::fabs(loss)));
            expect_close(d, gradient, 1e-6, "dlogp");
            if (!optional) continue;
            expect_close(r, ratio, 1e-6, "ratio");
            expect_close(o, objective, 1e-6, "objective");
          }
        }
      }
    }
  }
}

// One word; fewer and more than a block's threads; more than a piece of the gradient.
TEST(Loss, LogProbabilitiesOfAnyVocabulary) {
  for (int64_t vocabulary : {1, 7, 513, 5000}) {
    const int64_t rows = 5;
    Random random(11 + vocabulary);
    auto z = random.floats(rows * vocabulary, 6);
    Buffer<int32_t> targets(rows);
    for (int64_t r = 0; r < rows; r++) targets[r] = static_cast<int32_t>(random.below(vocabulary));
    targets[1] = MM_IGNORE_LABEL, targets[3] = static_cast<int32_t>(vocabulary - 1);
    if (vocabulary > 1) z[2 * vocabulary + (targets[2] + 1) % vocabulary] = -INFINITY;
    const auto dlogp = random.floats(rows), dentropy = random.floats(rows);
    std::vector<double> logp(rows), lse(rows), entropy(rows), gradient(z.size());
    for (int64_t r = 0; r < rows; r++) {
      double total = 0;
      for (int64_t i = 0; i < vocabulary; i++) total += std::exp(double(z[r * vocabulary + i]));
      lse[r] = std::log(total);
      const bool scored = targets[r] != MM_IGNORE_LABEL;
      logp[r] = scored ? z[r * vocabulary + targets[r]] - lse[r] : 0;
      for (int64_t i = 0; i < vocabulary; i++) {
        const double l = z[r * vocabulary + i] - lse[r];
        if (l > -INFINITY) entropy[r] -= std::exp(l) * l;
      }
      for (int64_t i = 0; i < vocabulary; i++) {
        const double l = z[r * vocabulary + i] - lse[r], p = std::exp(l);
        if (scored) gradient[r * vocabulary + i] = dlogp[r] * ((i == targets[r]) - p);
        if (p > 0) gradient[r * vocabulary + i] -= dentropy[r] * p * (l + entropy[r]);
      }
    }
    for (const Target& target : all_targets()) {
      Context context(target);
      Buffer<float> got(rows, NAN), sums(rows, NAN), h(rows, NAN), d(z.size(), NAN);
      mm_token_logprob_forward_params f{sizeof f,    z.data(), targets.data(), got.data(),
                                        sums.data(), h.data(), rows,           vocabulary};
      MM_EXPECT_OK(mm_token_logprob_forward(context, &f));
      expect_close(got, logp, 5e-7, "logp");
      expect_close(sums, lse, 5e-7, "lse");
      expect_close(h, entropy, 1e-6, "entropy");
      mm_token_logprob_backward_params b{sizeof b, z.data(),     targets.data(),  sums.data(),
                                         h.data(), dlogp.data(), dentropy.data(), d.data(),
                                         rows,     vocabulary};
      MM_EXPECT_OK(mm_token_logprob_backward(context, &b));
      expect_close(d, gradient, 2e-6, "dlogits");
      for (int32_t wrong : {static_cast<int32_t>(vocabulary), -1, INT32_MIN}) {
        Buffer<int32_t> bad = targets;
        bad[4] = wrong;
        f.targets = b.targets = bad.data();
        expect_refused(target, context, mm_token_logprob_forward(context, &f));
        expect_refused(target, context, mm_token_logprob_backward(context, &b));
      }
    }
  }
}

// The same values, which bf16 holds, as every mixture of dtypes: more rows, and more words, than go at once.
TEST(Loss, TheLmHeadTakesMixedDtypesInSeveralPieces) {
  struct Case {
    int64_t rows, width, vocabulary;
  };
  for (auto [rows, width, vocabulary] : {Case{4099, 3, 9}, Case{3, 16, 4100}, Case{2, 5, 8195}}) {
    Random random(23 + rows);
    Buffer<float> exact[2] = {random.floats(rows * width, 2), random.floats(vocabulary * width)};
    Buffer<uint16_t> half[2];
    for (int i = 0; i < 2; i++) {
      for (float& x : exact[i]) half[i].push_back(to_bf16(x)), x = from_bf16(half[i].back());
    }
    Buffer<int32_t> targets(rows);
    for (int64_t r = 0; r < rows; r++) targets[r] = static_cast<int32_t>(random.below(vocabulary));
    auto dlogp = random.floats(rows), dentropy = random.floats(rows);
    for (int64_t r = 1; r < rows; r += 3) targets[r] = MM_IGNORE_LABEL, dentropy[r] = 0;
    std::vector<double> logp(rows), entropy(rows), dhidden(rows * width), dw(vocabulary * width, 2.0);
    for (int64_t r = 0; r < rows; r++) {
      std::vector<double> z(vocabulary);
      double total = 0;
      for (int64_t v = 0; v < vocabulary; v++) {
        for (int64_t c = 0; c < width; c++) z[v] += double(exact[0][r * width + c]) * exact[1][v * width + c];
        total += std::exp(z[v]);
      }
      for (double& l : z) l -= std::log(total), entropy[r] -= std::exp(l) * l;
      const bool scored = targets[r] != MM_IGNORE_LABEL;
      logp[r] = scored ? z[targets[r]] : 0;
      for (int64_t v = 0; v < vocabulary; v++) {
        const double p = std::exp(z[v]), d = (scored ? dlogp[r] * ((v == targets[r]) - p) : 0) -
                                             dentropy[r] * p * (z[v] + entropy[r]);
        for (int64_t c = 0; c < width; c++) {
          dhidden[r * width + c] += d * exact[1][v * width + c];
          dw[v * width + c] += d * exact[0][r * width + c];
        }
      }
    }
    for (const Target& target : all_targets()) {
      Context context(target);
      for (int mixture = 0; mixture < 8; mixture++) {
        const bool half_hidden = mixture & 1, half_w = mixture & 2, half_dw = mixture & 4;
        Buffer<float> got(rows, NAN), lse(rows, NAN), h(rows, NAN), dx(rows * width, NAN), d(dw.size(), 2.0f);
        Buffer<uint16_t> dx_half(dx.size(), to_bf16(NAN)), d_half(d.size(), to_bf16(2.0f));
        mm_lm_head_forward_params f{};
        f.struct_size = sizeof f;
        f.hidden = half_hidden ? static_cast<void*>(half[0].data()) : exact[0].data();
        f.w = half_w ? static_cast<void*>(half[1].data()) : exact[1].data();
        f.targets = targets.data(), f.logp = got.data(), f.lse = lse.data(), f.entropy = h.data();
        f.rows = rows, f.width = width, f.vocabulary = vocabulary;
        f.hidden_dtype = half_hidden ? MM_DTYPE_BF16 : MM_DTYPE_F32;
        f.w_dtype = half_w ? MM_DTYPE_BF16 : MM_DTYPE_F32;
        MM_EXPECT_OK(mm_lm_head_forward(context, &f));
        expect_close(got, logp, 1e-6, "logp");
        expect_close(h, entropy, 2e-6, "entropy");
        mm_lm_head_backward_params b{};
        b.struct_size = sizeof b;
        b.hidden = f.hidden, b.w = f.w, b.targets = f.targets, b.lse = lse.data(), b.entropy = h.data();
        b.dlogp = dlogp.data(), b.dentropy = dentropy.data();
        b.dhidden = half_hidden ? static_cast<void*>(dx_half.data()) : dx.data();
        b.dw = half_dw ? static_cast<void*>(d_half.data()) : d.data();
        b.rows = rows, b.width = width, b.vocabulary = vocabulary;
        b.hidden_dtype = f.hidden_dtype, b.w_dtype = f.w_dtype;
        b.dw_dtype = half_dw ? MM_DTYPE_BF16 : MM_DTYPE_F32;
        MM_EXPECT_OK(mm_lm_head_backward(context, &b));
        for (size_t i = 0; i < dx.size() && half_hidden; i++) dx[i] = from_bf16(dx_half[i]);
        for (size_t i = 0; i < d.size() && half_dw; i++) d[i] = from_bf16(d_half[i]);
        expect_close(dx, dhidden, half_hidden ? 0x1.01p-8 : 1e-5, "dhidden");
        expect_close(d, dw, half_dw ? 0x1.01p-8 : 1e-5, "dw");
        for (int64_t i = width; i < 2 * width; i++) EXPECT_EQ(dx[i], 0.0f);  // an ignored row
      }
    }
  }
}

TEST(Loss, TheLmHeadRefusesATargetBeyondTheVocabulary) {
  for (const Target& target : all_targets()) {
    Context context(target);
    const Buffer<float> hidden(6, 1.0f), w(10, 0.5f), dlogp(3, 1.0f);
    Buffer<float> logp(3), lse(3), dhidden(6);
    Buffer<int32_t> targets = {0, 5, 4};
    mm_lm_head_forward_params f{};
    f.struct_size = sizeof f;
    f.hidden = hidden.data(), f.w = w.data(), f.targets = targets.data(), f.logp = logp.data(),
    f.lse = lse.data();
    f.rows = 3, f.width = 2, f.vocabulary = 5;
    mm_lm_head_backward_params b{};
    b.struct_size = sizeof b;
    b.hidden = f.hidden, b.w = f.w, b.targets = f.targets, b.lse = lse.data(), b.dlogp = dlogp.data();
    b.dhidden = dhidden.data(), b.rows = 3, b.width = 2, b.vocabulary = 5;
    for (int32_t wrong : {5, -1, INT32_MAX}) {
      targets[1] = wrong;
      expect_refused(target, context, mm_lm_head_forward(context, &f));
      expect_refused(target, context, mm_lm_head_backward(context, &b));
    }
  }
}

}  // namespace
}  // namespace mm::test
