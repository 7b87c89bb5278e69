// Dropless SwiGLU experts. Rows are sorted by expert, so the rows of an expert are one product, and those of
// all experts one call of `multiply`; x and dy are gathered by the product itself. An expert without rows is
// not read. Outputs of the experts are kept in fp32 until a token has summed its own, and rounded once.
#include "cpu/elementwise.h"
#include "cpu/gemm.h"
#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

constexpr int64_t kTokens = 16;  // tokens, or rows, of a task

int64_t size_of(mm_dtype dtype) { return dtype == MM_DTYPE_F32 ? 4 : dtype == MM_DTYPE_BF16 ? 2 : 1; }

// Offset of element i.
const void* at(const void* data, mm_dtype dtype, int64_t i) {
  return static_cast<const unsigned char*>(data) + i * size_of(dtype);
}
void* at(void* data, mm_dtype dtype, int64_t i) {
  return static_cast<unsigned char*>(data) + i * size_of(dtype);
}

template <typename F>
void for_each_row(int64_t rows, F f) {
  parallel_for(ceil_div(rows, kTokens), [&](int64_t block) {
    const int64_t end = min64(rows, (block + 1) * kTokens);
    for (int64_t r = block * kTokens; r < end; r++) f(r);
  });
}

// The token of each sorted row; the arrays of routing are followed only after they have been checked.
template <typename Params>
void tokens_of_rows(const Params& p, int32_t* tokens) {
  const int64_t rows = p.tokens * p.top_k;
  for (int64_t e = 0; e < p.experts; e++) {
    MM_REQUIRE(p.expert_offsets[e] <= p.expert_offsets[e + 1], "expert_offsets falls after expert %lld",
               static_cast<long long>(e));
  }
  MM_REQUIRE(p.expert_offsets[0] == 0 && p.expert_offsets[p.experts] == rows,
             "expert_offsets runs from %d to %d, for %lld rows", p.expert_offsets[0],
             p.expert_offsets[p.experts], static_cast<long long>(rows));
  for (int64_t r = 0; r < rows; r++) {
    const int32_t slot = p.row_slot[r];
    MM_REQUIRE(slot >= 0 && slot < rows && p.slot_row[slot] == r,
               "row %lld has slot %d, which is not its own", static_cast<long long>(r), slot);
    tokens[r] = static_cast<int32_t>(slot / p.top_k);
  }
}

// The products of the experts that have rows.
class Products {
 public:
  explicit Products(int64_t capacity) : list_(capacity) {}

  void add(const Product& product) { list_[count_++] = product; }

  void run(mm_context& context) {
    multiply(context, list_, count_);
    count_ = 0;
  }

 private:
  Buffer<Product> list_;
  int64_t count_ = 0;
};

// f(expert, first row, number of rows) for each expert with rows.
template <typename F>
void for_each_expert(const int32_t* offsets, int64_t experts, F f) {
  for (int64_t e = 0; e < experts; e++) {
    if (offsets[e] < offsets[e + 1]) f(e, int64_t{offsets[e]}, int64_t{offsets[e + 1] - offsets[e]});
  }
}

// y_t = sum of weight * rows of the token (without weights: the plain sum), in ascending row and therefore in
// ascending expert index.
template <typename T>
void combine(const int32_t* slot_row, const float* weight, const float* rows, int64_t tokens, int64_t top_k,
             int64_t width, T* y) {
  for_each_row(tokens, [&](int64_t t) {
    struct Part {
      const float* row;
      float weight;
    };
    Part* parts = static_cast<Part*>(thread_scratch(top_k * static_cast<int64_t>(sizeof(Part))));
    for (int64_t k = 0; k < top_k; k++) {
      const int64_t slot = t * top_k + k;
      const Part part = {rows + slot_row[slot] * width, weight ? weight[slot] : 1.0f};
      int64_t place = k;
      for (; place > 0 && parts[place - 1].row > part.row; place--) parts[place] = parts[place - 1];
      parts[place] = part;
    }
    for (int64_t i = 0; i < width; i += kLanes) {
      const int64_t n = min64(kLanes, width - i);
      vfloat total = {};
      for (int64_t k = 0; k < top_k; k++) total += parts[k].weight * load_n(parts[k].row + i, n);
      store_n(y + t * width + i, total, n);
    }
  });
}

void combine(const int32_t* slot_row, const float* weight, const float* rows, int64_t tokens, int64_t top_k,
             int64_t width, void* y, mm_dtype dtype) {
  dtype == MM_DTYPE_F32 ? combine(slot_row, weight, rows, tokens, top_k, width, static_cast<float*>(y))
                        : combine(slot_row, weight, rows, tokens, top_k, width, static_cast<bf16*>(y));
}

// h = silu(gate) up; h may be gate.
template <typename T>
void activate(int64_t count, const void* gate, const void* up, void* h) {
  const T *g = static_cast<const T*>(gate), *u = static_cast<const T*>(up);
  T* out = static_cast<T*>(h);
  for_each_vector(count, [&](int64_t i, int64_t n) {
    const vfloat x = load_n(g + i, n);
    store_n(out + i, x * sigmoid(x) * load_n(u + i, n), n);
  });
}

// What backward needs of a row: h is the product's left side before W2, dh its gradient without the weight.
struct Activations {
  const void* gate;
  const void* up;
  const float* dh;
  void* weighted_h;  // weight * h
  void* dgate;
  void* dup;
};

// dweight = h . dh, dgate and dup = weight * (gradient of h)
template <typename T>
void activate_backward(const mm_moe_experts_backward_params& p, const Activations& a) {
  for_each_row(p.tokens * p.top_k, [&](int64_t r) {
    const int64_t slot = p.row_slot[r], begin = r * p.ffn;
    const T *gate = static_cast<const T*>(a.gate) + begin, *up = static_cast<const T*>(a.up) + begin;
    T *weighted_h = static_cast<T*>(a.weighted_h) + begin, *dgate = static_cast<T*>(a.dgate) + begin,
      *dup = static_cast<T*>(a.dup) + begin;
    const float* dh = a.dh + begin;
    const float weight = p.expert_weight[slot];
    vfloat dot = {};
    for (int64_t i = 0; i < p.ffn; i += kLanes) {
      const int64_t n = min64(kLanes, p.ffn - i);
      const vfloat g = load_n(gate + i, n), u = load_n(up + i, n), d = load_n(dh + i, n), s = sigmoid(g);
      const vfloat h = g * s * u, weighted = weight * d;
      dot += h * d;
      store_n(weighted_h + i, weight * h, n);
      store_n(dgate + i, weighted * u * (s * (1.0f + g * (1.0f - s))), n);
      store_n(dup + i, weighted * (g * s), n);
    }
    p.dweight[slot] = sum(dot);
  });
}

}  // namespace

void moe_experts_forward(mm_context& context, const mm_moe_experts_forward_params& p) {
  const int64_t rows = p.tokens * p.top_k, width = p.width, ffn = p.ffn;
  if (rows == 0) return;
  const mm_dtype dtype = p.dtype, weight_dtype = p.weight_dtype;
  Buffer<int32_t> token(rows);
  tokens_of_rows(p, token);
  // If gate is not kept, its place is taken by h.
  const Buffer<uint8_t> h(rows * ffn * size_of(dtype));
  const Buffer<uint8_t> own_up(p.up ? 0 : rows * ffn * size_of(dtype));
  void* gate = p.gate ? p.gate : h;
  void* up = p.up ? p.up : own_up;
  const Buffer<float> out(rows * width);

  Products products(2 * min64(p.experts, rows));
  for_each_expert(p.expert_offsets, p.experts, [&](int64_t e, int64_t first, int64_t count) {
    const Operand x = {p.x, dtype, width, false, token + first};
    const int64_t weights = e * ffn * width;
    for (int side = 0; side < 2; side++) {
      const Operand w = {at(side ? p.w3 : p.w1, weight_dtype, weights), weight_dtype, width, true, nullptr};
      const float* scale = side ? p.w3_scale : p.w1_scale;
      products.add({count, ffn, width, x, w, at(side ? up : gate, dtype, first * ffn), dtype, ffn, false,
                    false, scale ? scale + e * ffn : nullptr});
    }
  });
  products.run(context);

  dtype == MM_DTYPE_F32 ? activate<float>(rows * ffn, gate, up, h) : activate<bf16>(rows * ffn, gate, up, h);

  for_each_expert(p.expert_offsets, p.experts, [&](int64_t e, int64_t first, int64_t count) {
    const Operand a = {at(h, dtype, first * ffn), dtype, ffn, false, nullptr};
    const Operand w = {at(p.w2, weight_dtype, e * width * ffn), weight_dtype, ffn, true, nullptr};
    products.add({count, width, ffn, a, w, out + first * width, MM_DTYPE_F32, width, false, false,
                  p.w2_scale ? p.w2_scale + e * width : nullptr});
  });
  products.run(context);

  combine(p.slot_row, p.expert_weight, out, p.tokens, p.top_k, width, p.y, dtype);
}

void moe_experts_backward(mm_context& context, const mm_moe_experts_backward_params& p) {
  const int64_t rows = p.tokens * p.top_k, width = p.width, ffn = p.ffn;
  if (rows == 0) return;
  const mm_dtype dtype = p.dtype;
  Buffer<int32_t> token(rows);
  tokens_of_rows(p, token);
  const Buffer<float> dh(rows * ffn);
  const Buffer<uint8_t> h(rows * ffn * size_of(dtype)), dgate(rows * ffn * size_of(dtype)),
      dup(rows * ffn * size_of(dtype));
  const Buffer<float> dx(p.dx ? rows * width : 0);

  Products products(4 * min64(p.experts, rows));
  for_each_expert(p.expert_offsets, p.experts, [&](int64_t e, int64_t first, int64_t count) {
    const Operand dy = {p.dy, dtype, width, false, token + first};
    const Operand w2 = {at(p.w2, dtype, e * width * ffn), dtype, ffn, false, nullptr};
    products.add({count, ffn, width, dy, w2, dh + first * ffn, MM_DTYPE_F32, ffn, false, false});
  });
  products.run(context);

  const Activations activations = {p.gate, p.up, dh, h, dgate, dup};
  dtype == MM_DTYPE_F32 ? activate_backward<float>(p, activations) : activate_backward<bf16>(p, activations);

  // dx of a row takes its two products one after the other; the gradients of the weights go with the first.
  for_each_expert(p.expert_offsets, p.experts, [&](int64_t e, int64_t first, int64_t count) {
    const int64_t weights = e * ffn * width;
    const auto stored = [&](const void* data, bool transposed) {
      return Operand{at(data, dtype, first * ffn), dtype, ffn, transposed, nullptr};
    };
    if (p.dw1) {
      const Operand x = {p.x, dtype, width, false, token + first},
                    dy = {p.dy, dtype, width, true, token + first};
      products.add({ffn, width, count, stored(dgate, true), x, at(p.dw1, p.dw_dtype, weights), p.dw_dtype,
                    width, true, false});
      products.add({ffn, width, count, stored(dup, true), x, at(p.dw3, p.dw_dtype, weights), p.dw_dtype,
                    width, true, false});
      products.add({width, ffn, count, dy, stored(h, false), at(p.dw2, p.dw_dtype, weights), p.dw_dtype, ffn,
                    true, false});
    }
    if (p.dx) {
      const Operand w1 = {at(p.w1, dtype, weights), dtype, width, false, nullptr};
      products.add({count, width, ffn, stored(dgate, false), w1, dx + first * width, MM_DTYPE_F32, width,
                    false, false});
    }
  });
  products.run(context);
  if (!p.dx) return;

  for_each_expert(p.expert_offsets, p.experts, [&](int64_t e, int64_t first, int64_t count) {
    const Operand a = {at(dup, dtype, first * ffn), dtype, ffn, false, nullptr};
    const Operand w3 = {at(p.w3, dtype, e * ffn * width), dtype, width, false, nullptr};
    products.add({count, width, ffn, a, w3, dx + first * width, MM_DTYPE_F32, width, true, false});
  });
  products.run(context);
  combine(p.slot_row, nullptr, dx, p.tokens, p.top_k, width, p.dx, dtype);
}

}  // namespace mm::MM_ISA_NS
