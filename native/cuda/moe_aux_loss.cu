// The load-balancing loss over the rows of all layers: experts * sum_e f_e P_e.
// Forward: a block goes over tiles of kRows rows. Warps find maximum, total and last pick of each row (with
// which an expert is known to be picked or not), then a thread an expert adds up its column. The sums of the
// blocks, in double, are added by one block in a fixed order. The layers' pointers travel with the launch,
// kLayers at a time.
#include "cuda/moe.cuh"
#include "cuda/ops.h"

namespace mm::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / 32;
constexpr int64_t kRows = 128;       // of a tile
constexpr int64_t kMaxBlocks = 512;  // of a launch; whatever the GPU, so that sums are the same
constexpr int64_t kLayers = 64;
constexpr int kFinishThreads = 512;

struct Layers {
  const float* logits[kLayers];
  float* dlogits[kLayers];
};

// Rows of the layers of a launch in one line: row r is token r % tokens of layer r / tokens.
struct Sizes {
  int64_t rows, tokens, experts, top_k;
};

struct RowState {
  float largest, total;  // total is 0 where the row is left out
  Pick last;
};

// What the blocks of all launches have found.
struct Sums {
  double* mass;     // [blocks, experts]
  double* picked;   // [blocks, experts]
  double* counted;  // [blocks]: rows
};

__device__ RowState row_state(const float* logits, const Sizes& s, int32_t* fault) {
  RowState state;
  state.largest = largest_logit(logits, s.experts, fault);
  state.total = softmax_total(logits, s.experts, state.largest);
  state.last = no_pick();
  for (int64_t i = 0; i < s.top_k; i++) state.last = next_pick(logits, s.experts, state.last);
  return state;
}

struct Tile {
  RowState states[kRows];
  double mass[kWarps][32], picked[kWarps][32];
};

// Adds the tile's rows to the sums of the block.
__device__ void add_columns(const Layers& layers, const Sizes& s, int64_t first, Tile& tile, double* mass,
                            double* picked) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  for (int64_t column = 0; column < s.experts; column += 32) {
    const int64_t e = column + lane;
    double sum = 0;
    int picks = 0;
    for (int64_t r = warp; r < kRows && first + r < s.rows && e < s.experts; r += kWarps) {
      const RowState& state = tile.states[r];
      if (state.total == 0) continue;
      const float z = layers.logits[(first + r) / s.tokens][(first + r) % s.tokens * s.experts + e];
      sum += static_cast<double>(expf(z - state.largest) / state.total);
      picks += !precedes(state.last, {z, static_cast<int32_t>(e)});
    }
    tile.mass[warp][lane] = sum, tile.picked[warp][lane] = picks;
    __syncthreads();
    for (int w = 0; w < kWarps && warp == 0 && e < s.experts; w++) {
      mass[e] += tile.mass[w][lane];
      picked[e] += tile.picked[w][lane];
    }
    __syncthreads();
  }
}

__global__ void __launch_bounds__(kThreads)
    sum_rows(const __grid_constant__ Layers layers, const int32_t* mask, Sizes s, Sums sums, int32_t* fault) {
  Tile& tile = *shared_memory<Tile>();
  double *mass = sums.mass + blockIdx.x * s.experts, *picked = sums.picked + blockIdx.x * s.experts;
  for (int64_t e = threadIdx.x; e < s.experts; e += kThreads) mass[e] = picked[e] = 0;
  int counted = 0;
  for (int64_t first = blockIdx.x * kRows; first < s.rows; first += gridDim.x * kRows) {
    for (int64_t r = threadIdx.x / 32; r < kRows && first + r < s.rows; r += kWarps) {
      const int64_t token = (first + r) % s.tokens;
      RowState state = {0, 0, {0, 0}};
      if (!mask || mask[token])
        state = row_state(layers.logits[(first + r) / s.tokens] + token * s.experts, s, fault);
      if (threadIdx.x % 32 == 0) tile.states[r] = state;
    }
    __syncthreads();
    for (int64_t r = 0; r < kRows && first + r < s.rows; r++) counted += tile.states[r].total != 0;
    add_columns(layers, s, first, tile, mass, picked);
  }
  if (threadIdx.x == 0) sums.counted[blockIdx.x] = counted;
}

// Column e of [blocks, experts], by a warp.
__device__ double column_sum(const double* sums, int64_t blocks, int64_t experts, int64_t e) {
  double sum = 0;
  for (int64_t b = threadIdx.x % 32; b < blocks; b += 32) sum += sums[b * experts + e];
  return warp_sum(sum);
}

__global__ void __launch_bounds__(kFinishThreads)
    finish(mm_moe_aux_loss_forward_params p, Sums sums, int64_t blocks) {
  double* losses = shared_memory<double>();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  // Without a row there is nothing to balance: f, P and the loss are 0.
  const double count = fmax(1.0, column_sum(sums.counted, blocks, 1, 0));
  double loss = 0;
  for (int64_t e = warp; e < p.experts; e += kFinishThreads / 32) {
    const double fraction = column_sum(sums.picked, blocks, p.experts, e) / count;
    const double probability = column_sum(sums.mass, blocks, p.experts, e) / count;
    loss += fraction * probability;
    if (lane != 0) continue;
    p.fraction[e] = static_cast<float>(fraction);
    p.probability[e] = static_cast<float>(probability);
  }
  if (lane == 0) losses[warp] = loss;
  __syncthreads();
  if (warp != 0) return;
  loss = warp_sum(lane < kFinishThreads / 32 ? losses[lane] : 0.0);
  if (lane == 0) *p.loss = static_cast<float>(static_cast<double>(p.experts) * loss);
}

// ---- backward

// dloss experts / rows
__global__ void __launch_bounds__(kFinishThreads)
    find_scale(mm_moe_aux_loss_backward_params p, float* scale) {
  double* counts = shared_memory<double>();
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  double count = 0;
  for (int64_t t = threadIdx.x; t < p.tokens; t += kFinishThreads) count += !p.token_mask || p.token_mask[t];
  count = warp_sum(count);
  if (lane == 0) counts[warp] = count;
  __syncthreads();
  if (warp != 0) return;
  const double rows =
      fmax(1.0, static_cast<double>(p.layers) * warp_sum(lane < kFinishThreads / 32 ? counts[lane] : 0.0));
  if (lane == 0)
    *scale = static_cast<float>(static_cast<double>(p.dloss) * static_cast<double>(p.experts) / rows);
}

// dlogits_e = scale p_e (f_e - sum_j f_j p_j), a warp a row.
__global__ void __launch_bounds__(kThreads)
    rows_backward(const __grid_constant__ Layers layers, const int32_t* mask, Sizes s, const float* fraction,
                  const float* scale, int32_t* fault) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (row >= s.rows) return;
  const int64_t layer = row / s.tokens, token = row % s.tokens;
  const float* logits = layers.logits[layer] + token * s.experts;
  float* dlogits = layers.dlogits[layer] + token * s.experts;
  if (mask && !mask[token]) {
    for (int64_t e = lane; e < s.experts; e += 32) dlogits[e] = 0;
    return;
  }
  const float largest = largest_logit(logits, s.experts, fault);
  const float total = softmax_total(logits, s.experts, largest);
  float mean = 0;
  for (int64_t e = lane; e < s.experts; e += 32) mean += fraction[e] * (expf(logits[e] - largest) / total);
  mean = warp_sum(mean);
  for (int64_t e = lane; e < s.experts; e += 32)
    dlogits[e] = expf(logits[e] - largest) / total * (*scale * (fraction[e] - mean));
}

// f(layers, count): for at most kLayers layers at a time.
template <typename F>
void for_each_launch(int64_t layers, const float* const* logits, float* const* dlogits, F f) {
  for (int64_t first = 0; first < layers; first += kLayers) {
    const int64_t count = min(kLayers, layers - first);
    Layers some = {};
    for (int64_t i = 0; i < count; i++) {
      some.logits[i] = logits[first + i];
      if (dlogits) some.dlogits[i] = dlogits[first + i];
    }
    f(some, count);
  }
}

int64_t blocks_of(int64_t rows) { return min(kMaxBlocks, ceil_div(rows, kRows)); }

}  // namespace

void moe_aux_loss_forward(Context& context, const mm_moe_aux_loss_forward_params& p) {
  const int64_t layers = p.tokens ? p.layers : 0;
  const int64_t most = ceil_div(layers, kLayers) * blocks_of(min(kLayers, layers) * p.tokens);
  Workspace<double> mass(context, most * p.experts), picked(context, most * p.experts),
      counted(context, most);
  int64_t blocks = 0;
  for_each_launch(layers, p.logits, nullptr, [&](const Layers& some, int64_t count) {
    const Sizes sizes = {count * p.tokens, p.tokens, p.experts, p.top_k};
    const int64_t more = blocks_of(sizes.rows);
    const Sums sums = {mass + blocks * p.experts, picked + blocks * p.experts, counted + blocks};
    launch(context, "moe_aux_loss_forward", sum_rows, dim3(static_cast<unsigned>(more)), kThreads,
           sizeof(Tile), some, p.token_mask, sizes, sums, context.fault);
    blocks += more;
  });
  launch(context, "moe_aux_loss_forward: finish", finish, dim3(1), kFinishThreads,
         kFinishThreads / 32 * sizeof(double), p, Sums{mass, picked, counted}, blocks);
}

void moe_aux_loss_backward(Context& context, const mm_moe_aux_loss_backward_params& p) {
  if (p.tokens == 0 || p.layers == 0) return;
  Workspace<float> scale(context, 1);
  launch(context, "moe_aux_loss_backward: scale", find_scale, dim3(1), kFinishThreads,
         kFinishThreads / 32 * sizeof(double), p, scale);
  for_each_launch(p.layers, p.logits, p.dlogits, [&](const Layers& some, int64_t count) {
    const Sizes sizes = {count * p.tokens, p.tokens, p.experts, 0};
    launch(context, "moe_aux_loss_backward", rows_backward,
           dim3(static_cast<unsigned>(ceil_div(sizes.rows, kWarps))), kThreads, 0, some, p.token_mask, sizes,
           p.fraction, scale, context.fault);
  });
}

}  // namespace mm::cuda
