// Dropless SwiGLU experts. Rows are sorted by expert; the products of all experts are one launch, whose
// blocks find their expert from expert_offsets. x and dy are gathered by the product itself.
//
// Forward: gate and up side by side with SwiGLU in the epilogue, h [rows, ffn]; out = h w2^T [rows, width] in
// fp32; y = sum of a token's rows. Backward: dh = dy w2 with the gradients of SwiGLU in the epilogue; dweight
// from the parts of h . dh; gradients of the weights with the rows as depth; dx of a row is one chain over
// dgate w1 and then dup w3, in fp32; dx = sum of a token's rows. Outputs of experts are rounded once, when a
// token has summed its own in ascending row, which is ascending expert.
#include "cuda/elementwise.cuh"
#include "cuda/gemm_sm90.h"
#include "cuda/ops.h"

namespace mm::cuda {
namespace {

constexpr int kCombineThreads = 128;

// Rows of a token, ascending, and the slots they belong to, to shared memory. A row that is not the slot's is
// told, and taken for row 0 if it does not exist.
__device__ void sort_rows(const int32_t* slot_row, const int32_t* row_slot, int64_t token, int top_k,
                          int64_t rows, int32_t* fault, int32_t* sorted_row, int32_t* sorted_slot) {
  const int32_t* own = slot_row + token * top_k;
  for (int i = threadIdx.x; i < top_k; i += blockDim.x) {
    int place = 0;
    for (int j = 0; j < top_k; j++) place += own[j] < own[i] || (own[j] == own[i] && j < i);
    const bool exists = own[i] >= 0 && own[i] < rows;
    if (!exists || row_slot[own[i]] != token * top_k + i) *fault = static_cast<int32_t>(Fault::kExpertIndex);
    sorted_row[place] = exists ? own[i] : 0;
    sorted_slot[place] = i;
  }
}

// y_t = sum of weight * rows of the token; without weights, the plain sum. gridDim.y
// blocks a token.
template <typename T>
__global__ void __launch_bounds__(kCombineThreads)
    combine_kernel(const int32_t* slot_row, const int32_t* row_slot, const float* weight, const float* rows,
                   T* y, int64_t tokens, int top_k, int64_t width, int32_t* fault) {
  int32_t* sorted_row = shared_memory<int32_t>();
  int32_t* sorted_slot = sorted_row + top_k;
  const int64_t token = blockIdx.x;
  sort_rows(slot_row, row_slot, token, top_k, tokens * top_k, fault, sorted_row, sorted_slot);
  __syncthreads();
  const int64_t step = int64_t{gridDim.y} * kCombineThreads;
  for (int64_t i = int64_t{blockIdx.y} * kCombineThreads + threadIdx.x; i < width; i += step) {
    float total = 0;
    for (int k = 0; k < top_k; k++) {
      const float part = rows[sorted_row[k] * width + i];
      total = weight ? __fmaf_rn(weight[token * top_k + sorted_slot[k]], part, total) : total + part;
    }
    y[token * width + i] = from_float<T>(total);
  }
}

template <typename Params>
void combine(Context& context, const char* name, const Params& p, const float* weight, const float* rows,
             void* y) {
  const int64_t tokens = p.tokens, top_k = p.top_k, width = p.width;
  with_type(p.dtype, [&]<typename T>() {
    const int64_t parts = std::min(ceil_div(width, kCombineThreads), int64_t{4});
    launch(context, name, combine_kernel<T>,
           dim3(static_cast<unsigned>(tokens), static_cast<unsigned>(parts)), kCombineThreads, 8 * top_k,
           p.slot_row, p.row_slot, weight, rows, static_cast<T*>(y), tokens, static_cast<int>(top_k), width,
           context.fault);
  });
}

// dweight of a row's slot = the sum of its parts; a warp a row.
__global__ void __launch_bounds__(kCombineThreads)
    dweight_kernel(const float* dots, const int32_t* row_slot, float* dweight, int64_t rows, int64_t groups) {
  const int64_t row = int64_t{blockIdx.x} * (kCombineThreads / 32) + threadIdx.x / 32;
  if (row >= rows) return;
  float sum = 0;
  for (int64_t i = threadIdx.x % 32; i < groups; i += 32) sum += dots[row * groups + i];
  sum = warp_sum(sum);
  const int32_t slot = row_slot[row];
  if (threadIdx.x % 32 == 0 && slot >= 0 && slot < rows) dweight[slot] = sum;
}

// What the products of a call have in common.
template <typename Params>
Product grouped(Context& context, const Params& p, Grouping grouping) {
  Product product{};
  product.grouping = grouping;
  product.offsets = p.expert_offsets;
  product.experts = p.experts;
  product.rows = p.tokens * p.top_k;
  product.top_k = p.top_k;
  product.fault = context.fault;
  product.row_slot = p.row_slot;
  product.weight = p.expert_weight;
  return product;
}

// Rows of tokens, gathered, or of slots as they are sorted; k along them or across.
template <typename Params>
Operand token_rows(const Params& p, const void* data, bool transposed = false) {
  return {data, nullptr, p.dtype, p.width, transposed, true, p.row_slot, 0};
}
Operand sorted_rows(const void* data, const void* second, mm_dtype dtype, int64_t width,
                    bool transposed = false) {
  return {data, second, dtype, width, transposed, true, nullptr, 0};
}
// A matrix for each expert.
Operand weights(const void* data, const void* second, mm_dtype dtype, int64_t width, int64_t size,
                bool transposed = false) {
  return {data, second, dtype, width, transposed, false, nullptr, size};
}

void set_sizes(Product& product, int64_t m, int64_t n, int64_t k) {
  product.m = m, product.n = n, product.k = k;
}

void set_output(Product& product, void* c, mm_dtype dtype, int64_t expert_stride, bool accumulate) {
  product.c = c, product.c_dtype = dtype, product.accumulate = accumulate;
  product.c_stride = product.n, product.c_expert_stride = expert_stride;
  product.pairs = product.n % 2 == 0 && divisible(c, 2 * bytes_of(dtype));
}

// Gate, up and h.
void activate(Context& context, const mm_moe_experts_forward_params& p, void* h) {
  constexpr Epilogue kSwiglu = Epilogue::kSwiglu;
  Product product = grouped(context, p, Grouping::kRows);
  set_sizes(product, product.rows, p.ffn, p.width);
  product.a = token_rows(p, p.x);
  product.b = weights(p.w1, p.w3, p.weight_dtype, p.width, p.ffn * p.width);
  product.pairing = Pairing::kColumns;
  set_output(product, h, p.dtype, 0, false);
  product.pairs =
      product.pairs && divisible(p.gate, 2 * bytes_of(p.dtype)) && divisible(p.up, 2 * bytes_of(p.dtype));
  product.gate = p.gate, product.up = p.up;
  product.scale = p.w1_scale, product.second_scale = p.w3_scale;
  const char* name = "moe_experts_forward gate and up";
  if (multiply_sm90(context, name, product, kSwiglu)) return;
  if (p.dtype == MM_DTYPE_F32)
    launch_float<kSwiglu>(context, name, product);
  else if (p.weight_dtype == MM_DTYPE_I8)
    launch_tensor<int8_t, false, false, kSwiglu>(context, name, product);
  else
    launch_tensor<bf16, false, false, kSwiglu>(context, name, product);
}

// What the gradients of SwiGLU are written to, [rows, ffn] each.
struct Activations {
  void* weighted_h;
  void* dgate;
  void* dup;
  float* dots;
};

void activate_backward(Context& context, const mm_moe_experts_backward_params& p, const Activations& to) {
  constexpr Epilogue kBackward = Epilogue::kSwigluBackward;
  Product product = grouped(context, p, Grouping::kRows);
  set_sizes(product, product.rows, p.ffn, p.width);
  product.a = token_rows(p, p.dy);
  product.b = weights(p.w2, nullptr, p.dtype, p.ffn, p.ffn * p.width, true);
  set_output(product, to.weighted_h, p.dtype, 0, false);
  product.pairs =
      product.pairs && divisible(p.gate, 2 * bytes_of(p.dtype)) && divisible(p.up, 2 * bytes_of(p.dtype));
  // Backward reads them.
  product.gate = const_cast<void*>(p.gate), product.up = const_cast<void*>(p.up);
  product.dgate = to.dgate, product.dup = to.dup, product.dots = to.dots;
  const char* name = "moe_experts_backward dh";
  if (multiply_sm90(context, name, product, kBackward)) return;
  p.dtype == MM_DTYPE_F32 ? launch_float<kBackward>(context, name, product)
                          : launch_tensor<bf16, false, true, kBackward>(context, name, product);
}

// dw [m, n] of each expert += the product of its rows of a and b.
void add_dw(Context& context, const mm_moe_experts_backward_params& p, const char* name, const Operand& a,
            const Operand& b, void* dw, int64_t m, int64_t n) {
  Product product = grouped(context, p, Grouping::kDepth);
  set_sizes(product, m, n, product.rows);
  product.a = a, product.b = b;
  set_output(product, dw, p.dw_dtype, m * n, true);
  multiply(context, name, product);
}

}  // namespace

void moe_experts_forward(Context& context, const mm_moe_experts_forward_params& p) {
  const int64_t rows = p.tokens * p.top_k;
  if (rows == 0) return;
  Workspace<uint8_t> h(context, rows * p.ffn * bytes_of(p.dtype));
  Workspace<float> out(context, rows * p.width);
  activate(context, p, h);

  Product down = grouped(context, p, Grouping::kRows);
  set_sizes(down, rows, p.width, p.ffn);
  down.a = sorted_rows(h, nullptr, p.dtype, p.ffn);
  down.b = weights(p.w2, nullptr, p.weight_dtype, p.ffn, p.ffn * p.width);
  set_output(down, out, MM_DTYPE_F32, 0, false);
  down.scale = p.w2_scale;
  multiply(context, "moe_experts_forward down", down);
  combine(context, "moe_experts_forward combine", p, p.expert_weight, out, p.y);
}

void moe_experts_backward(Context& context, const mm_moe_experts_backward_params& p) {
  const int64_t rows = p.tokens * p.top_k;
  if (rows == 0) return;
  const int64_t bytes = rows * p.ffn * bytes_of(p.dtype);
  const int64_t groups = ceil_div(p.ffn, p.dtype == MM_DTYPE_F32 ? kFloatDotColumns : kTensorDotColumns);
  Workspace<uint8_t> h(context, bytes), dgate(context, bytes), dup(context, bytes);
  Workspace<float> dots(context, rows * groups);
  activate_backward(context, p, {h, dgate, dup, dots});
  launch(context, "moe_experts_backward dweight", dweight_kernel, ceil_div(rows, kCombineThreads / 32),
         kCombineThreads, 0, dots, p.row_slot, p.dweight, rows, groups);

  if (p.dw1) {
    const Operand x = token_rows(p, p.x, true);
    add_dw(context, p, "moe_experts_backward dw1", sorted_rows(dgate, nullptr, p.dtype, p.ffn, true), x,
           p.dw1, p.ffn, p.width);
    add_dw(context, p, "moe_experts_backward dw3", sorted_rows(dup, nullptr, p.dtype, p.ffn, true), x, p.dw3,
           p.ffn, p.width);
    add_dw(context, p, "moe_experts_backward dw2", token_rows(p, p.dy, true),
           sorted_rows(h, nullptr, p.dtype, p.ffn, true), p.dw2, p.width, p.ffn);
  }
  if (!p.dx) return;

  Workspace<float> dx(context, rows * p.width);
  Product product = grouped(context, p, Grouping::kRows);
  set_sizes(product, rows, p.width, p.ffn);
  product.a = sorted_rows(dgate, dup, p.dtype, p.ffn);
  product.b = weights(p.w1, p.w3, p.dtype, p.width, p.ffn * p.width, true);
  product.pairing = Pairing::kDepth;
  set_output(product, dx, MM_DTYPE_F32, 0, false);
  multiply(context, "moe_experts_backward dx", product);
  combine(context, "moe_experts_backward combine", p, nullptr, dx, p.dx);
}

}  // namespace mm::cuda
