// Times of every operation on a GPU through the C ABI: gpu_bench [--small] [--only TEXT]
//
// A line of JSON a case: microseconds a call, one after the other (eager) and recorded in a graph, with the
// bytes that must move and the operations that must be done. Each case takes its buffers in turn from sets
// that together are larger than the L2 cache. Times are of batches of calls that end with one wait. --small:
// tiny sizes, so that the bench itself can be tried where there is no GPU (MINIMAX_CUDA_LIBRARY names the
// shim).
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "minimax/minimax.h"

namespace {

bool small = false;
std::string only;
mm_context* context = nullptr;

void ok(mm_status status) {
  if (status != MM_STATUS_OK) throw std::runtime_error(mm_last_error());
}

// Device memory with values uniform in [-1, 1): one pattern of 1,048,583 of them (a prime), over and over.
constexpr int64_t kPattern = 1048583;

class Memory {
 public:
  explicit Memory(int64_t bytes) : bytes_(bytes) { ok(mm_memory_allocate(context, bytes, &data_)); }
  ~Memory() { mm_memory_free(data_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  void* data() const { return data_; }
  void fill(const void* pattern, int64_t pattern_bytes) {
    for (int64_t at = 0; at < bytes_; at += pattern_bytes)
      ok(mm_memory_copy(context, static_cast<char*>(data_) + at, pattern,
                        std::min(pattern_bytes, bytes_ - at)));
  }

 private:
  void* data_ = nullptr;
  int64_t bytes_;
};

// What a case allocates; freed at its end.
struct Case {
  std::vector<std::unique_ptr<Memory>> memory;

  void* raw(int64_t bytes) {
    memory.push_back(std::make_unique<Memory>(bytes));
    return memory.back()->data();
  }
  template <typename T>
  T* of(const std::vector<T>& values) {
    const int64_t bytes = static_cast<int64_t>(values.size() * sizeof(T));
    void* data = raw(bytes);
    ok(mm_memory_copy(context, data, values.data(), bytes));
    return static_cast<T*>(data);
  }
  float* floats(int64_t count) {
    return static_cast<float*>(filled(count * 4, pattern(MM_DTYPE_F32), kPattern * 4));
  }
  void* halves(int64_t count) { return filled(count * 2, pattern(MM_DTYPE_BF16), kPattern * 2); }
  float* zeros(int64_t count) {
    void* data = raw(count * 4);
    ok(mm_memory_zero(context, data, count * 4));
    return static_cast<float*>(data);
  }
  template <typename T>
  T* same(int64_t count, T value) {
    return of(std::vector<T>(static_cast<size_t>(count), value));
  }

 private:
  void* filled(int64_t bytes, const Memory& from, int64_t pattern_bytes) {
    memory.push_back(std::make_unique<Memory>(bytes));
    memory.back()->fill(from.data(), pattern_bytes);
    return memory.back()->data();
  }
  static const Memory& pattern(mm_dtype dtype) {
    static Memory* wide = nullptr;
    static Memory* narrow = nullptr;
    if (!wide) {
      std::vector<float> values(kPattern);
      uint64_t state = 1;
      for (float& value : values) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        value = static_cast<float>(state >> 40) * 0x1p-23f - 1.0f;
      }
      wide = new Memory(kPattern * 4), narrow = new Memory(kPattern * 2);
      ok(mm_memory_copy(context, wide->data(), values.data(), kPattern * 4));
      mm_cast_params p{sizeof p, wide->data(), narrow->data(), kPattern, MM_DTYPE_F32, MM_DTYPE_BF16};
      ok(mm_cast(context, &p));
    }
    return dtype == MM_DTYPE_F32 ? *wide : *narrow;
  }
};

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Microseconds a call of `work`, which makes `calls` of them: the median of batches of about 40 ms.
double timed(int64_t calls, const std::function<void()>& work) {
  const auto batch = [&](int64_t repeats) {
    const double start = seconds();
    for (int64_t i = 0; i < repeats; i++) work();
    ok(mm_context_synchronize(context));
    return seconds() - start;
  };
  batch(1);
  const double once = std::max(batch(1), 1e-6);
  const int64_t repeats = small ? 1 : std::max<int64_t>(1, static_cast<int64_t>(0.04 / once));
  std::vector<double> times;
  for (int i = 0; i < (small ? 1 : 5); i++) times.push_back(batch(repeats));
  std::sort(times.begin(), times.end());
  return times[times.size() / 2] / static_cast<double>(repeats * calls) * 1e6;
}

double in_graph(int64_t calls, const std::function<void()>& work) {
  ok(mm_graph_begin(context));
  mm_graph* graph = nullptr;
  try {
    work();
    ok(mm_graph_end(context, &graph));
  } catch (...) {
    if (!graph) mm_graph_end(context, nullptr);
    throw;
  }
  const double time = timed(calls, [&] { ok(mm_graph_launch(context, graph)); });
  ok(mm_graph_destroy(context, graph));
  return time;
}

struct Work {
  double bytes, flops;
  bool graph = true;
};

// build(c, set) allocates one set of buffers and returns the call on it. `footprint` bytes a set decide how
// many sets there are.
void run(const std::string& name, double footprint, Work w,
         const std::function<std::function<void()>(Case&)>& build) {
  if (name.find(only) == std::string::npos) return;
  try {
    Case c;
    const int sets = small ? 1 : static_cast<int>(std::clamp(256e6 / footprint, 1.0, 64.0) + 0.999);
    std::vector<std::function<void()>> calls;
    for (int i = 0; i < sets; i++) calls.push_back(build(c));
    const int64_t count = std::max(sets, small ? 1 : 8);
    const auto all = [&] {
      for (int64_t i = 0; i < count; i++) calls[static_cast<size_t>(i % sets)]();
    };
    const double eager = timed(count, all);
    std::string graph = "null";
    if (w.graph) graph = std::to_string(in_graph(count, all));
    std::printf(
        "{\"case\": \"%s\", \"eager_us\": %.3f, \"graph_us\": %s, \"bytes\": %.0f, \"flops\": %.0f}\n",
        name.c_str(), eager, graph.c_str(), w.bytes, w.flops);
  } catch (const std::exception& e) {
    std::string text = e.what();
    std::replace(text.begin(), text.end(), '"', '\'');
    std::replace(text.begin(), text.end(), '\n', ' ');
    std::printf("{\"case\": \"%s\", \"error\": \"%s\"}\n", name.c_str(), text.c_str());
    mm_context_synchronize(context);  // a fault is told once
  }
  std::fflush(stdout);
  mm_memory_trim();
}

// A params struct with its size, shared by the call that is returned.
template <typename P>
std::shared_ptr<P> params() {
  auto p = std::make_shared<P>();
  std::memset(p.get(), 0, sizeof(P));
  p->struct_size = sizeof(P);
  return p;
}
#define CALL(operation, p) [p] { ok(operation(context, p.get())); }

std::string text(int64_t n) { return std::to_string(n); }

// A size of the real bench, or one for --small.
int64_t size(int64_t real, int64_t tiny) { return small ? tiny : real; }

void memory_cases() {
  const int64_t n = size(int64_t{1} << 30, 1 << 16);
  run("copy", 1e9, {2.0 * n, 0}, [=](Case& c) {
    void *from = c.floats(n / 4), *to = c.raw(n);
    return [=] { ok(mm_memory_copy(context, to, from, n)); };
  });
  run("cast fp32 to bf16", 1e9, {1.5 * n, 0}, [=](Case& c) {
    auto p = params<mm_cast_params>();
    p->x = c.floats(n / 4), p->y = c.raw(n / 2), p->count = n / 4, p->y_dtype = MM_DTYPE_BF16;
    return CALL(mm_cast, p);
  });
  run("axpby fp32", 1e9, {3.0 * n, 0}, [=](Case& c) {
    auto p = params<mm_axpby_params>();
    p->x = c.floats(n / 4), p->y = c.floats(n / 4), p->count = n / 4, p->alpha = p->beta = 0.5f;
    return CALL(mm_axpby, p);
  });
}

void product(int64_t rows, int64_t in, int64_t out, mm_dtype dtype) {
  const double bytes = dtype == MM_DTYPE_F32 ? 4 : 2, flops = 2.0 * rows * in * out;
  const double moved = bytes * (1.0 * rows * in + 1.0 * in * out + 1.0 * rows * out);
  const std::string shape =
      (dtype == MM_DTYPE_F32 ? "fp32 " : "bf16 ") + text(rows) + "x" + text(in) + "x" + text(out);
  const auto values = [=](Case& c, int64_t count) -> void* {
    return dtype == MM_DTYPE_F32 ? c.floats(count) : c.halves(count);
  };
  run("linear forward " + shape, moved, {moved, flops}, [=](Case& c) {
    auto p = params<mm_linear_forward_params>();
    p->x = values(c, rows * in), p->w = values(c, in * out), p->y = values(c, rows * out);
    p->rows = rows, p->in_features = in, p->out_features = out;
    p->x_dtype = p->w_dtype = p->y_dtype = dtype;
    return CALL(mm_linear_forward, p);
  });
  if (rows < 1024 && !small) return;
  run("linear backward " + shape, 2 * moved, {2 * moved, 2 * flops}, [=](Case& c) {
    auto p = params<mm_linear_backward_params>();
    p->x = values(c, rows * in), p->w = values(c, in * out), p->dy = values(c, rows * out);
    p->dx = values(c, rows * in), p->dw = values(c, in * out);
    p->rows = rows, p->in_features = in, p->out_features = out;
    p->x_dtype = p->w_dtype = p->dy_dtype = p->dx_dtype = p->dw_dtype = dtype;
    return CALL(mm_linear_backward, p);
  });
}

void product_cases() {
  for (int64_t n : {1024, 4096, 8192}) {
    if (small && n > 1024) break;
    product(size(n, 32), size(n, 64), size(n, 48), MM_DTYPE_BF16);
  }
  product(size(16384, 33), size(6144, 64), size(2048, 48), MM_DTYPE_BF16);
  product(1, size(6144, 64), size(18432, 48), MM_DTYPE_BF16);
  product(size(64, 7), size(6144, 64), size(18432, 48), MM_DTYPE_BF16);
  product(size(2048, 32), size(2048, 64), size(2048, 48), MM_DTYPE_F32);
}

void lightning(int64_t n, int64_t heads) {
  const int64_t d = size(128, 64), count = n * heads * d;
  const double tensor = 2.0 * count;
  const std::string shape = text(n) + " tokens " + text(heads) + "x" + text(d);
  // Block 64: intra-chunk scores and values, the state's product and its update.
  const double flops = 1.0 * n * heads * (2.0 * 64 * d + 4.0 * d * d);
  const auto common = [=](Case& c, auto& p) {
    p->q = c.halves(count), p->k = c.halves(count), p->v = c.halves(count);
    std::vector<float> slopes(static_cast<size_t>(heads));
    for (int64_t h = 0; h < heads; h++) slopes[h] = static_cast<float>(std::exp2(-8.0 * (h + 1) / heads));
    p->slopes = c.of(slopes);
    p->cu_seqlens = c.of(std::vector<int32_t>{0, static_cast<int32_t>(n)});
    p->sequences = 1, p->tokens = p->max_seqlen = n, p->heads = heads, p->dim_k = p->dim_v = d;
    p->q_token_stride = p->k_token_stride = p->v_token_stride = p->o_token_stride = heads * d;
    p->q_head_stride = p->k_head_stride = p->v_head_stride = p->o_head_stride = d;
    p->dtype = MM_DTYPE_BF16;
  };
  const auto forward = [=](Case& c) {
    auto p = params<mm_lightning_attention_forward_params>();
    common(c, p);
    p->o = c.halves(count);
    return p;
  };
  run("lightning forward " + shape, 4 * tensor, {4 * tensor, flops}, [=](Case& c) {
    auto p = forward(c);
    return CALL(mm_lightning_attention_forward, p);
  });
  run("lightning forward+backward " + shape, 9 * tensor, {14 * tensor, 4 * flops}, [=](Case& c) {
    auto f = forward(c);
    auto p = params<mm_lightning_attention_backward_params>();
    common(c, p);
    p->d_o = c.halves(count), p->dq = c.halves(count), p->dk = c.halves(count), p->dv = c.halves(count);
    p->dq_token_stride = p->dk_token_stride = p->dv_token_stride = heads * d;
    p->dq_head_stride = p->dk_head_stride = p->dv_head_stride = d;
    return [f, p] {
      ok(mm_lightning_attention_forward(context, f.get()));
      ok(mm_lightning_attention_backward(context, p.get()));
    };
  });
}

void lightning_decode(int64_t batch) {
  const int64_t heads = size(64, 2), d = size(128, 32), count = batch * heads * d;
  const double state = 4.0 * count * d;
  run("lightning decode batch " + text(batch), state, {2 * state + 8.0 * count, 4.0 * count * d},
      [=](Case& c) {
        auto p = params<mm_lightning_attention_decode_params>();
        p->q = c.halves(count), p->k = c.halves(count), p->v = c.halves(count), p->o = c.halves(count);
        p->slopes = c.same(heads, 0.5f);
        std::vector<int32_t> slots(static_cast<size_t>(batch));
        for (int64_t b = 0; b < batch; b++) slots[b] = static_cast<int32_t>(b);
        p->state_slots = c.of(slots);
        p->state = c.zeros(count * d);
        p->batch = batch, p->heads = heads, p->dim_k = p->dim_v = d;
        p->q_token_stride = p->k_token_stride = p->v_token_stride = p->o_token_stride = heads * d;
        p->q_head_stride = p->k_head_stride = p->v_head_stride = p->o_head_stride = d;
        p->dtype = MM_DTYPE_BF16;
        return CALL(mm_lightning_attention_decode, p);
      });
}

void attention(int64_t n) {
  const int64_t heads = size(64, 4), kv = size(8, 2), d = size(128, 32), q = n * heads * d, k = n * kv * d;
  const double flops = 2.0 * n * n * heads * d;  // causal: half of 4 n^2 h d
  const std::string shape = text(n) + " tokens " + text(heads) + "/" + text(kv) + "x" + text(d);
  const auto common = [=](Case& c, auto& p) {
    p->cu_seqlens_q = p->cu_seqlens_k = c.of(std::vector<int32_t>{0, static_cast<int32_t>(n)});
    p->sequences = 1, p->tokens_q = p->tokens_k = p->max_seqlen_q = p->max_seqlen_k = n;
    p->heads = heads, p->kv_heads = kv, p->head_dim = d;
    p->q_token_stride = p->o_token_stride = heads * d, p->k_token_stride = p->v_token_stride = kv * d;
    p->q_head_stride = p->k_head_stride = p->v_head_stride = p->o_head_stride = d;
    p->scale = 1.0f / std::sqrt(static_cast<float>(d)), p->dtype = MM_DTYPE_BF16;
  };
  const auto forward = [=](Case& c) {
    auto p = params<mm_attention_forward_params>();
    common(c, p);
    p->q = c.halves(q), p->k = c.halves(k), p->v = c.halves(k), p->o = c.halves(q);
    p->lse = c.floats(heads * n);
    return p;
  };
  run("attention forward " + shape, 4.0 * (q + k), {4.0 * (q + k), flops}, [=](Case& c) {
    auto p = forward(c);
    return CALL(mm_attention_forward, p);
  });
  run("attention backward " + shape, 8.0 * (q + k), {10.0 * q + 8.0 * k, 2.5 * flops}, [=](Case& c) {
    auto f = forward(c);
    ok(mm_attention_forward(context, f.get()));
    auto p = params<mm_attention_backward_params>();
    common(c, p);
    p->q = f->q, p->k = f->k, p->v = f->v, p->o = f->o, p->lse = f->lse, p->d_o = c.halves(q);
    p->dq = c.halves(q), p->dk = c.halves(k), p->dv = c.halves(k);
    p->dq_token_stride = heads * d, p->dk_token_stride = p->dv_token_stride = kv * d;
    p->dq_head_stride = p->dk_head_stride = p->dv_head_stride = d;
    return CALL(mm_attention_backward, p);
  });
}

void attention_decode(int64_t batch) {
  const int64_t heads = size(64, 4), kv = size(8, 2), d = size(128, 32), n = size(8192, 70),
                page = size(64, 16);
  const int64_t pages = (n + page - 1) / page, cache = batch * pages * page * kv * d;
  run("attention decode batch " + text(batch) + " after " + text(n), 4.0 * cache,
      {4.0 * batch * n * kv * d, 4.0 * batch * n * heads * d}, [=](Case& c) {
        auto p = params<mm_attention_decode_params>();
        std::vector<int32_t> offsets, table;
        for (int64_t b = 0; b <= batch; b++) offsets.push_back(static_cast<int32_t>(b));
        for (int64_t i = 0; i < batch * pages; i++) table.push_back(static_cast<int32_t>(i));
        p->q = c.halves(batch * heads * d), p->o = c.halves(batch * heads * d);
        p->k_cache = c.halves(cache), p->v_cache = c.halves(cache);
        p->cu_seqlens_q = c.of(offsets), p->block_table = c.of(table);
        p->kv_lens = c.same(batch, static_cast<int32_t>(n));
        p->sequences = p->tokens_q = batch, p->max_seqlen_q = 1, p->max_kv_len = n, p->max_pages = pages;
        p->page_size = page, p->heads = heads, p->kv_heads = kv, p->head_dim = d;
        p->q_token_stride = p->o_token_stride = heads * d, p->q_head_stride = p->o_head_stride = d;
        p->scale = 1.0f / std::sqrt(static_cast<float>(d)), p->dtype = MM_DTYPE_BF16;
        return CALL(mm_attention_decode, p);
      });
  run("kv cache write " + text(batch), 256e6, {8.0 * batch * kv * d, 0}, [=](Case& c) {
    auto p = params<mm_kv_cache_write_params>();
    std::vector<int64_t> slots;
    for (int64_t b = 0; b < batch; b++) slots.push_back(b * pages * page);
    p->k = c.halves(batch * kv * d), p->v = c.halves(batch * kv * d);
    p->k_cache = c.halves(cache), p->v_cache = c.halves(cache), p->slots = c.of(slots);
    p->tokens = batch, p->kv_heads = kv, p->head_dim = d;
    p->k_token_stride = p->v_token_stride = kv * d, p->k_head_stride = p->v_head_stride = d;
    p->dtype = MM_DTYPE_BF16;
    return CALL(mm_kv_cache_write, p);
  });
}

void moe(int64_t tokens, int64_t width, int64_t ffn, int64_t experts, int64_t top_k) {
  if (small) tokens = std::min<int64_t>(tokens, 140), width = 64, ffn = 48, experts = 4, top_k = 2;
  const int64_t slots = tokens * top_k, weights = experts * width * ffn;
  const double flops = 6.0 * slots * width * ffn;
  const double read = 6.0 * width * ffn * std::min(experts, slots);     // weights that are used, at least
  const double kept = tokens > 256 || small ? 4.0 * slots * ffn : 0.0;  // gate and up
  const std::string shape = "T " + text(tokens) + " d " + text(width) + " n " + text(ffn) + " E " +
                            text(experts) + " K " + text(top_k);
  const auto routed = [=](Case& c, auto& p) {
    auto r = params<mm_moe_route_forward_params>();
    int32_t *index = static_cast<int32_t*>(c.raw(slots * 4)),
            *offsets = static_cast<int32_t*>(c.raw(experts * 4 + 4));
    int32_t *row = static_cast<int32_t*>(c.raw(slots * 4)), *slot = static_cast<int32_t*>(c.raw(slots * 4));
    float* weight = static_cast<float*>(c.raw(slots * 4));
    r->logits = c.floats(tokens * experts), r->expert_index = index, r->expert_weight = weight;
    r->expert_offsets = offsets, r->row_slot = row, r->slot_row = slot;
    r->tokens = tokens, r->experts = experts, r->top_k = top_k;
    ok(mm_moe_route_forward(context, r.get()));
    p->expert_index = index, p->expert_weight = weight, p->expert_offsets = offsets, p->row_slot = row;
    p->slot_row = slot;
    p->tokens = tokens, p->experts = experts, p->top_k = top_k, p->width = width, p->ffn = ffn;
    p->dtype = MM_DTYPE_BF16;
    return r;
  };
  const auto forward = [=](Case& c) {
    auto p = params<mm_moe_experts_forward_params>();
    routed(c, p);
    p->x = c.halves(tokens * width), p->w1 = c.halves(weights), p->w2 = c.halves(weights);
    p->w3 = c.halves(weights), p->y = c.halves(tokens * width);
    p->weight_dtype = MM_DTYPE_BF16;
    return p;
  };
  run("moe route forward T " + text(tokens) + " E " + text(experts), 256e6,
      {4.0 * tokens * experts + 16.0 * slots, 0}, [=](Case& c) {
        auto p = params<mm_moe_experts_forward_params>();
        auto r = routed(c, p);
        return CALL(mm_moe_route_forward, r);
      });
  run("moe experts forward " + shape, 256e6, {read + 4.0 * tokens * width + kept, flops}, [=](Case& c) {
    auto p = forward(c);
    if (kept > 0) p->gate = c.halves(slots * ffn), p->up = c.halves(slots * ffn);
    return CALL(mm_moe_experts_forward, p);
  });
  if (kept == 0) return;
  run("moe experts backward " + shape, 256e6, {3 * read + 6.0 * tokens * width + kept, 2 * flops},
      [=](Case& c) {
        auto f = forward(c);
        f->gate = c.halves(slots * ffn), f->up = c.halves(slots * ffn);
        ok(mm_moe_experts_forward(context, f.get()));
        auto p = params<mm_moe_experts_backward_params>();
        p->x = f->x, p->w1 = f->w1, p->w2 = f->w2, p->w3 = f->w3;
        p->expert_index = f->expert_index, p->expert_weight = f->expert_weight;
        p->expert_offsets = f->expert_offsets, p->row_slot = f->row_slot, p->slot_row = f->slot_row;
        p->gate = f->gate, p->up = f->up, p->dy = c.halves(tokens * width), p->dx = c.halves(tokens * width);
        p->dw1 = c.halves(weights), p->dw2 = c.halves(weights), p->dw3 = c.halves(weights);
        p->dweight = static_cast<float*>(c.raw(slots * 4));
        p->tokens = tokens, p->experts = experts, p->top_k = top_k, p->width = width, p->ffn = ffn;
        p->dtype = p->dw_dtype = MM_DTYPE_BF16;
        return CALL(mm_moe_experts_backward, p);
      });
  run("moe route backward T " + text(tokens) + " E " + text(experts), 256e6, {8.0 * tokens * experts, 0},
      [=](Case& c) {
        auto f = params<mm_moe_experts_forward_params>();
        auto r = routed(c, f);
        auto p = params<mm_moe_route_backward_params>();
        p->logits = r->logits, p->expert_index = r->expert_index, p->dweight = c.floats(slots);
        p->dlogits = c.floats(tokens * experts);
        p->tokens = tokens, p->experts = experts, p->top_k = top_k;
        return CALL(mm_moe_route_backward, p);
      });
}

void moe_side_cases() {
  const int64_t tokens = size(32768, 40), experts = size(32, 4), width = size(6144, 64), layers = 8;
  const double logits = 4.0 * layers * tokens * experts, tensor = 2.0 * tokens * width;
  run("moe aux loss forward, 8 layers", 256e6, {logits, 0}, [=](Case& c) {
    auto p = params<mm_moe_aux_loss_forward_params>();
    auto all = std::make_shared<std::vector<const float*>>();
    for (int64_t l = 0; l < layers; l++) all->push_back(c.floats(tokens * experts));
    p->logits = all->data(), p->loss = c.zeros(1), p->fraction = c.zeros(experts);
    p->probability = c.zeros(experts);
    p->layers = layers, p->tokens = tokens, p->experts = experts, p->top_k = 2;
    return [p, all] { ok(mm_moe_aux_loss_forward(context, p.get())); };
  });
  run("moe aux loss backward, 8 layers", 256e6, {2 * logits, 0}, [=](Case& c) {
    auto p = params<mm_moe_aux_loss_backward_params>();
    auto all = std::make_shared<std::vector<const float*>>();
    auto gradients = std::make_shared<std::vector<float*>>();
    for (int64_t l = 0; l < layers; l++)
      all->push_back(c.floats(tokens * experts)), gradients->push_back(c.floats(tokens * experts));
    p->logits = all->data(), p->dlogits = gradients->data(), p->fraction = c.same(experts, 0.1f);
    p->layers = layers, p->tokens = tokens, p->experts = experts, p->dloss = 1;
    return [p, all, gradients] { ok(mm_moe_aux_loss_backward(context, p.get())); };
  });
  run("shared mlp combine forward", 3 * tensor, {3 * tensor, 0}, [=](Case& c) {
    auto p = params<mm_shared_mlp_combine_forward_params>();
    p->sparse = c.halves(tokens * width), p->shared = c.halves(tokens * width);
    p->coefficient = c.floats(tokens), p->y = c.halves(tokens * width);
    p->tokens = tokens, p->width = width, p->dtype = MM_DTYPE_BF16;
    return CALL(mm_shared_mlp_combine_forward, p);
  });
  run("shared mlp combine backward", 5 * tensor, {5 * tensor, 0}, [=](Case& c) {
    auto p = params<mm_shared_mlp_combine_backward_params>();
    p->sparse = c.halves(tokens * width), p->shared = c.halves(tokens * width);
    p->coefficient = c.floats(tokens), p->dy = c.halves(tokens * width);
    p->dsparse = c.halves(tokens * width), p->dshared = c.halves(tokens * width);
    p->dcoefficient = c.floats(tokens);
    p->tokens = tokens, p->width = width, p->dtype = MM_DTYPE_BF16;
    return CALL(mm_shared_mlp_combine_backward, p);
  });
}

void norm_cases() {
  const int64_t rows = size(32768, 35), width = size(6144, 64), gated = size(8192, 128);
  const double tensor = 2.0 * rows * width, wide = 2.0 * rows * gated;
  run("rms norm forward with residual", 4 * tensor, {4 * tensor, 0}, [=](Case& c) {
    auto p = params<mm_rms_norm_forward_params>();
    p->x = c.halves(rows * width), p->branch = c.halves(rows * width), p->weight = c.halves(width);
    p->sum = c.halves(rows * width), p->y = c.halves(rows * width), p->rstd = c.floats(rows);
    p->rows = rows, p->width = width, p->eps = 1e-5f, p->alpha = p->beta = 1;
    p->dtype = p->weight_dtype = MM_DTYPE_BF16;
    return CALL(mm_rms_norm_forward, p);
  });
  run("rms norm backward", 3 * tensor, {3 * tensor, 0}, [=](Case& c) {
    auto p = params<mm_rms_norm_backward_params>();
    p->sum = c.halves(rows * width), p->weight = c.halves(width), p->rstd = c.same(rows, 1.7f);
    p->dy = c.halves(rows * width), p->dx = c.halves(rows * width), p->dweight = c.zeros(width);
    p->rows = rows, p->width = width, p->alpha = p->beta = 1;
    p->dtype = p->weight_dtype = MM_DTYPE_BF16;
    return CALL(mm_rms_norm_backward, p);
  });
  run("gated rms norm forward", 3 * wide, {3 * wide, 0}, [=](Case& c) {
    auto p = params<mm_gated_rms_norm_forward_params>();
    p->x = c.halves(rows * gated), p->gate = c.halves(rows * gated), p->weight = c.halves(gated);
    p->y = c.halves(rows * gated), p->rstd = c.floats(rows);
    p->rows = rows, p->width = gated, p->eps = 1e-5f;
    p->dtype = p->weight_dtype = MM_DTYPE_BF16;
    return CALL(mm_gated_rms_norm_forward, p);
  });
  run("gated rms norm backward", 5 * wide, {5 * wide, 0}, [=](Case& c) {
    auto p = params<mm_gated_rms_norm_backward_params>();
    p->x = c.halves(rows * gated), p->gate = c.halves(rows * gated), p->weight = c.halves(gated);
    p->rstd = c.same(rows, 1.7f), p->dy = c.halves(rows * gated), p->dx = c.halves(rows * gated);
    p->dgate = c.halves(rows * gated), p->dweight = c.zeros(gated);
    p->rows = rows, p->width = gated;
    p->dtype = p->weight_dtype = MM_DTYPE_BF16;
    return CALL(mm_gated_rms_norm_backward, p);
  });
  run("rope", 2 * wide, {2 * wide, 0}, [=](Case& c) {
    auto p = params<mm_rope_forward_params>();
    const int64_t d = size(128, 32);
    std::vector<int32_t> positions;
    for (int64_t t = 0; t < rows; t++) positions.push_back(static_cast<int32_t>(t * 31));
    std::vector<float> frequencies;
    for (int64_t m = 0; m < d / 4; m++)
      frequencies.push_back(static_cast<float>(std::pow(1e7, -4.0 * static_cast<double>(m) / d)));
    p->x = c.halves(rows * gated), p->y = c.halves(rows * gated), p->positions = c.of(positions);
    p->inv_freq = c.of(frequencies);
    p->tokens = rows, p->heads = gated / d, p->head_dim = d, p->rotary_dim = d / 2;
    p->x_token_stride = p->y_token_stride = gated, p->x_head_stride = p->y_head_stride = d;
    p->dtype = MM_DTYPE_BF16;
    return CALL(mm_rope_forward, p);
  });
}

void elementwise_cases() {
  const int64_t count = size(int64_t{32768} * 8192, 4100), rows = size(32768, 35), width = size(6144, 64),
                vocabulary = size(200064, 50);
  const double tensor = 2.0 * count, embedded = 2.0 * rows * width;
  run("silu forward", 2 * tensor, {2 * tensor, 0}, [=](Case& c) {
    auto p = params<mm_silu_forward_params>();
    p->x = c.halves(count), p->y = c.halves(count), p->count = count, p->dtype = MM_DTYPE_BF16;
    return CALL(mm_silu_forward, p);
  });
  run("silu backward", 3 * tensor, {3 * tensor, 0}, [=](Case& c) {
    auto p = params<mm_silu_backward_params>();
    p->x = c.halves(count), p->dy = c.halves(count), p->dx = c.halves(count), p->count = count;
    p->dtype = MM_DTYPE_BF16;
    return CALL(mm_silu_backward, p);
  });
  run("swiglu forward", 3 * tensor, {3 * tensor, 0}, [=](Case& c) {
    auto p = params<mm_swiglu_forward_params>();
    p->gate = c.halves(count), p->up = c.halves(count), p->y = c.halves(count), p->count = count;
    p->dtype = MM_DTYPE_BF16;
    return CALL(mm_swiglu_forward, p);
  });
  run("swiglu backward", 5 * tensor, {5 * tensor, 0}, [=](Case& c) {
    auto p = params<mm_swiglu_backward_params>();
    p->gate = c.halves(count), p->up = c.halves(count), p->dy = c.halves(count);
    p->dgate = c.halves(count), p->dup = c.halves(count), p->count = count, p->dtype = MM_DTYPE_BF16;
    return CALL(mm_swiglu_backward, p);
  });
  const auto ids = [=](Case& c) {
    std::vector<int32_t> values;
    for (int64_t r = 0; r < rows; r++) values.push_back(static_cast<int32_t>(r * r * 7919 % vocabulary));
    return c.of(values);
  };
  run("embedding forward", 2 * embedded, {2 * embedded, 0}, [=](Case& c) {
    auto p = params<mm_embedding_forward_params>();
    p->table = c.halves(vocabulary * width), p->ids = ids(c), p->y = c.halves(rows * width);
    p->rows = rows, p->vocabulary = vocabulary, p->width = width, p->dtype = MM_DTYPE_BF16;
    return CALL(mm_embedding_forward, p);
  });
  run("embedding backward", 5 * embedded, {embedded + 4 * embedded, 0}, [=](Case& c) {
    auto p = params<mm_embedding_backward_params>();
    p->dy = c.halves(rows * width), p->ids = ids(c), p->dtable = c.zeros(vocabulary * width);
    p->rows = rows, p->vocabulary = vocabulary, p->width = width, p->dy_dtype = MM_DTYPE_BF16;
    return CALL(mm_embedding_backward, p);
  });
}

void optimizer_cases() {
  const int64_t tensors = 16, each = size(1 << 24, 1000);
  const double elements = 1.0 * tensors * each;
  struct Lists {
    std::vector<float*> w, m, v;
    std::vector<const float*> g;
    std::vector<void*> model;
    std::vector<int64_t> counts;
    std::vector<float> decay;
    double norm = 0;
  };
  const auto lists = [=](Case& c) {
    auto l = std::make_shared<Lists>();
    for (int64_t t = 0; t < tensors; t++) {
      l->w.push_back(c.floats(each)), l->g.push_back(c.floats(each)), l->m.push_back(c.zeros(each));
      l->v.push_back(c.zeros(each)), l->model.push_back(c.halves(each));
      l->counts.push_back(each), l->decay.push_back(0.1f);
    }
    return l;
  };
  run("adamw", 18 * elements, {30 * elements, 0}, [=](Case& c) {
    auto l = lists(c);
    auto p = params<mm_adamw_step_params>();
    p->master = l->w.data(), p->grad = l->g.data(), p->m = l->m.data(), p->v = l->v.data();
    p->model = l->model.data(), p->counts = l->counts.data(), p->weight_decay = l->decay.data();
    p->tensors = tensors, p->step = 10, p->learning_rate = 1e-4f, p->beta1 = 0.9f, p->beta2 = 0.95f;
    p->eps = 1e-8f, p->grad_scale = 1;
    return [p, l] { ok(mm_adamw_step(context, p.get())); };
  });
  run("grad norm", 18 * elements, {4 * elements, 0, false}, [=](Case& c) {
    auto l = lists(c);
    auto p = params<mm_grad_norm_params>();
    p->grad = l->g.data(), p->counts = l->counts.data(), p->tensors = tensors, p->norm = &l->norm;
    return [p, l] { ok(mm_grad_norm(context, p.get())); };
  });
}

void loss_cases() {
  const int64_t rows = size(2048, 9), vocabulary = size(200064, 300), width = size(6144, 64);
  const double logits = 4.0 * rows * vocabulary, weights = 2.0 * vocabulary * width;
  const auto targets = [=](Case& c, int64_t count) {
    std::vector<int32_t> values;
    for (int64_t r = 0; r < count; r++) values.push_back(static_cast<int32_t>(r * 7919 % vocabulary));
    return c.of(values);
  };
  run("token logprob forward", logits, {logits, 0}, [=](Case& c) {
    auto p = params<mm_token_logprob_forward_params>();
    p->logits = c.floats(rows * vocabulary), p->targets = targets(c, rows), p->logp = c.floats(rows);
    p->lse = c.floats(rows), p->entropy = c.floats(rows), p->rows = rows, p->vocabulary = vocabulary;
    return CALL(mm_token_logprob_forward, p);
  });
  run("token logprob backward", 2 * logits, {2 * logits, 0}, [=](Case& c) {
    auto p = params<mm_token_logprob_backward_params>();
    p->logits = c.floats(rows * vocabulary), p->targets = targets(c, rows), p->lse = c.same(rows, 12.0f);
    p->dlogp = c.floats(rows), p->dlogits = c.floats(rows * vocabulary);
    p->rows = rows, p->vocabulary = vocabulary;
    return CALL(mm_token_logprob_backward, p);
  });
  const int64_t few = size(512, 5);
  run("lm head forward " + text(few) + " rows", weights, {weights, 2.0 * few * vocabulary * width},
      [=](Case& c) {
        auto p = params<mm_lm_head_forward_params>();
        p->hidden = c.halves(few * width), p->w = c.halves(vocabulary * width), p->targets = targets(c, few);
        p->logp = c.floats(few), p->lse = c.floats(few), p->entropy = c.floats(few);
        p->rows = few, p->width = width, p->vocabulary = vocabulary;
        p->hidden_dtype = p->w_dtype = MM_DTYPE_BF16;
        return CALL(mm_lm_head_forward, p);
      });
  run("lm head backward " + text(few) + " rows", 3 * weights, {5 * weights, 6.0 * few * vocabulary * width},
      [=](Case& c) {
        auto p = params<mm_lm_head_backward_params>();
        p->hidden = c.halves(few * width), p->w = c.halves(vocabulary * width), p->targets = targets(c, few);
        p->lse = c.same(few, 900.0f), p->entropy = c.zeros(few), p->dlogp = c.floats(few);
        p->dhidden = c.halves(few * width), p->dw = c.zeros(vocabulary * width);
        p->rows = few, p->width = width, p->vocabulary = vocabulary;
        p->hidden_dtype = p->w_dtype = MM_DTYPE_BF16;
        return CALL(mm_lm_head_backward, p);
      });
  const int64_t tokens = size(1 << 20, 100);
  run("policy loss", 24.0 * tokens, {24.0 * tokens, 0}, [=](Case& c) {
    auto p = params<mm_policy_loss_forward_params>();
    p->logp = c.floats(tokens), p->old_logp = c.floats(tokens), p->advantage = c.floats(tokens);
    p->token_weight = c.same(tokens, 1e-6f), p->loss = c.zeros(1), p->dlogp = c.floats(tokens);
    p->tokens = tokens, p->weight_max = 5, p->mask_low = p->mask_high = INFINITY;
    p->objective_kind = MM_POLICY_OBJECTIVE_WEIGHTED_LOGP;
    return CALL(mm_policy_loss_forward, p);
  });
  const int64_t batch = size(64, 3);
  run("sample batch " + text(batch), 4.0 * batch * vocabulary, {4.0 * batch * vocabulary, 0}, [=](Case& c) {
    auto p = params<mm_sample_params>();
    p->logits = c.floats(batch * vocabulary), p->temperature = c.same(batch, 1.0f);
    p->top_p = c.same(batch, 0.95f), p->min_p = c.same(batch, 0.0f), p->top_k = c.same(batch, int32_t{0});
    p->seed = c.same(batch, int64_t{7}), p->position = c.same(batch, int64_t{3});
    p->token = c.same(batch, int32_t{0}), p->logp = c.floats(batch);
    p->rows = batch, p->vocabulary = vocabulary;
    return CALL(mm_sample, p);
  });
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    if (std::strcmp(argv[i], "--small") == 0)
      small = true;
    else if (std::strcmp(argv[i], "--only") == 0 && i + 1 < argc)
      only = argv[++i];
    else
      return std::fprintf(stderr, "gpu_bench [--small] [--only TEXT]\n"), 2;
  }
  mm_context_create_params create{};
  create.struct_size = sizeof create;
  create.device = MM_DEVICE_KIND_CUDA;
  if (mm_context_create(&create, &context) != MM_STATUS_OK)
    return std::fprintf(stderr, "%s\n", mm_last_error()), 1;
  const char* device = "";
  mm_context_describe(context, &device);
  std::printf("{\"device\": \"%s\"}\n", device);
  memory_cases();
  product_cases();
  for (int64_t heads : {64, 8}) lightning(size(32768, 300), size(heads, heads / 8));
  for (int64_t batch : {1, 8, 32, 64, 256}) lightning_decode(size(batch, batch > 8 ? 3 : 1));
  attention(size(4096, 70));
  attention(size(16384, 33));
  for (int64_t batch : {1, 64}) attention_decode(size(batch, batch > 1 ? 3 : 1));
  moe(32768, 4096, 2048, 64, 4);
  moe(16384, 6144, 9216, 32, 2);
  moe(24576, 1536, 1024, 32, 2);
  moe(1, 6144, 9216, 32, 2);
  moe(64, 6144, 9216, 32, 2);
  moe_side_cases();
  norm_cases();
  elementwise_cases();
  optimizer_cases();
  loss_cases();
}
