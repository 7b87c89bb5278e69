// The blocked and packed matrix product. Both operands are packed into panels, depth outermost, so that the
// micro-kernel reads them in order:
//
//   A: [depth][kTileRows] a panel of rows        B: [depth][kTileColumns] a panel of columns
//
// A task is a block of rows by a block of columns of one product; it packs what it needs into memory of its
// own and runs over the whole depth in blocks of kDepth. Where a block ends changes nothing in the
// arithmetic.
#include "cpu/gemm.h"

#include "cpu/gemm_kernel.h"
#include "runtime/context.h"

namespace mm::MM_ISA_NS {
namespace {

constexpr int64_t kDepth = 256;            // depth of a packed block
constexpr int64_t kRows = 40 * kTileRows;  // rows of a task at most: the packed A stays in the second cache
constexpr int64_t kColumns = 32 * kTileColumns;  // columns of a task at most
constexpr float kInt8Unit = 1 << 24;             // what packed int8 stand for
constexpr int64_t kWorthATask = 1 << 17;  // multiply-adds below which splitting costs more than it gives

// One word of a panel: a float, or a pair of bf16 that are neighbours in depth.
template <bool Pairs>
constexpr int64_t kStep = Pairs ? 2 : 1;

template <typename T>
const T* stored_row(const Operand& m, int64_t row) {
  return static_cast<const T*>(m.data) + (m.gather ? m.gather[row] : row) * m.row_stride;
}

// Words [k, k + kLanes) of a stored row. `left` counts the elements from k on: beyond them are zeros.
template <bool Pairs, typename T>
inline vfloat load_words(const T* row, int64_t k, int64_t left) {
  if constexpr (Pairs) {
    vfloat v = {};  // copied, for a row may start at an odd bf16, or byte
    const int64_t bytes = max64(left, 0) * static_cast<int64_t>(sizeof(T));
    bytes >= static_cast<int64_t>(sizeof(v)) ? memcpy(&v, row + k, sizeof(v)) : memcpy(&v, row + k, bytes);
    return v;
  } else {
    return left >= kLanes ? load(row + k) : load_part(row + k, max64(left, 0));
  }
}

// A whole square, kLanes words of as many rows, transposed in registers; unrolled, or it would go through
// memory.
template <bool Pairs, typename T>
inline void pack_square(const T* const* rows, int64_t k, int width, float* out) {
  vfloat square[kLanes];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) square[i] = load_words<Pairs>(rows[i], k, kLanes * kStep<Pairs>);
  transpose_square(square);
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; i++) store(out + i * width, square[i]);
}

// One that sticks out over the rows (those are null), the depth or the panel.
template <bool Pairs, typename T>
void pack_part(const T* const* rows, int64_t k, int64_t end, int64_t words, int64_t lanes, int width,
               float* out) {
  vfloat square[kLanes];
  for (int i = 0; i < kLanes; i++) square[i] = rows[i] ? load_words<Pairs>(rows[i], k, end - k) : vfloat{};
  transpose_square(square);
  for (int64_t i = 0; i < words; i++, out += width) {
    if (lanes == kLanes) {
      store(out, square[i]);
    } else {
      store_part(out, square[i], lanes);
    }
  }
}

// A panel whose index runs over stored rows: rows first .. first + count are transposed into [words][width].
template <bool Pairs, typename T>
void pack_across(const Operand& m, int64_t first, int64_t count, int width, int64_t depth, int64_t end,
                 float* panel) {
  constexpr int64_t kSquare = kLanes * kStep<Pairs>;  // depth of a square
  const int64_t words = ceil_div(end - depth, kStep<Pairs>);
  for (int r = 0; r < width; r += kLanes) {
    const int64_t lanes = min64(kLanes, width - r);
    const T* rows[kLanes];
    for (int i = 0; i < kLanes; i++) rows[i] = r + i < count ? stored_row<T>(m, first + r + i) : nullptr;
    const bool whole = lanes == kLanes && r + kLanes <= count;
    float* out = panel + r;
    for (int64_t w = 0; w < words; w += kLanes, out += kLanes * width) {
      const int64_t k = depth + w * kStep<Pairs>;
      if (whole && k + kSquare <= end) {
        pack_square<Pairs>(rows, k, width, out);
      } else {
        pack_part<Pairs>(rows, k, end, min64(kLanes, words - w), lanes, width, out);
      }
    }
  }
}

// A panel whose index runs along stored rows: pieces of row k are copied into [words][width].
template <bool Pairs, typename T>
void pack_along(const Operand& m, int64_t first, int64_t count, int width, int64_t depth, int64_t end,
                float* panel) {
  for (int64_t k = depth; k < end; k += kStep<Pairs>, panel += width) {
    const T* row = stored_row<T>(m, k) + first;
    if constexpr (Pairs) {
      const T* next = k + 1 < end ? stored_row<T>(m, k + 1) + first : nullptr;
      bf16* words = reinterpret_cast<bf16*>(panel);
      for (int i = 0; i < width; i++) {
        words[2 * i] = i < count ? row[i] : bf16{0};
        words[2 * i + 1] = i < count && next ? next[i] : bf16{0};
      }
    } else {
      int64_t i = 0;
      for (; i + kLanes <= count; i += kLanes) store(panel + i, load(row + i));
      for (; i < count; i++) panel[i] = load_one(row + i);
      for (; i < width; i++) panel[i] = 0;
    }
  }
}

// A panel of int8 rows, first .. first + count, each value times kInt8Unit: with that it is the top byte of a
// word, whose float has nothing in its lower half. Four neighbours in depth are one word while the square is
// transposed. What is written beyond the depth is zeros, within the block that a panel has room for.
template <bool Pairs>
void pack_int8(const Operand& m, int64_t first, int64_t count, int width, int64_t depth, int64_t end,
               float* panel) {
  typedef uint32_t vuint __attribute__((vector_size(kLanes * 4), aligned(4), may_alias));
  constexpr int kBytes = 4 * kLanes;
  constexpr uint32_t kTop = 0xff000000u;
  const auto widen_top = [](vuint bytes) { return __builtin_convertvector((vint)bytes, vfloat); };
  for (int r = 0; r < width; r += kLanes) {
    const int8_t* rows[kLanes];
    for (int i = 0; i < kLanes; i++) rows[i] = r + i < count ? stored_row<int8_t>(m, first + r + i) : nullptr;
    float* out = panel + r;
    for (int64_t k = depth; k < end; k += kBytes) {
      vfloat square[kLanes];
      const int64_t left = min64(kBytes, end - k);
      for (int i = 0; i < kLanes; i++) {
        square[i] = vfloat{};
        if (!rows[i]) continue;
        square[i] = load_words<true>(rows[i], k, left);
        // The next panel: an int8 row ends too soon for the machine to foresee it.
        __builtin_prefetch(rows[i] + k + width * m.row_stride);
      }
      transpose_square(square);
      for (int64_t i = 0; 4 * i < left; i++) {
        const vuint bytes = (vuint)square[i];
        const vfloat a = widen_top(bytes << 24), b = widen_top(bytes << 16 & kTop),
                     c = widen_top(bytes << 8 & kTop), d = widen_top(bytes & kTop);
        if constexpr (Pairs) {
          store(out, (vfloat)((vuint)a >> 16 | (vuint)b));
          store(out + width, (vfloat)((vuint)c >> 16 | (vuint)d));
        } else {
          store(out, a);
          store(out + width, b);
          store(out + 2 * width, c);
          store(out + 3 * width, d);
        }
        out += 4 / kStep<Pairs> * width;
      }
    }
  }
}

template <bool Pairs, typename T>
void pack(const Operand& m, bool across, int64_t first, int64_t count, int width, int64_t depth, int64_t end,
          float* panel) {
  across ? pack_across<Pairs, T>(m, first, count, width, depth, end, panel)
         : pack_along<Pairs, T>(m, first, count, width, depth, end, panel);
}

// Panels of `width` for the indices [first, end_index), each of `words` rows.
template <bool Pairs>
void pack_panels(const Operand& m, bool across, int64_t first, int64_t end_index, int width, int64_t depth,
                 int64_t end, float* panels) {
  const int64_t words = ceil_div(end - depth, kStep<Pairs>);
  for (int64_t i = first; i < end_index; i += width, panels += words * width) {
    const int64_t count = min64(width, end_index - i);
    if (m.dtype == MM_DTYPE_I8) {
      pack_int8<Pairs>(m, i, count, width, depth, end, panels);
    } else if constexpr (Pairs) {
      pack<true, bf16>(m, across, i, count, width, depth, end, panels);
    } else if (m.dtype == MM_DTYPE_F32) {
      pack<false, float>(m, across, i, count, width, depth, end, panels);
    } else {
      pack<false, bf16>(m, across, i, count, width, depth, end, panels);
    }
  }
}

template <bool Pairs>
void run_tile(int64_t rows, int64_t words, const float* a, const float* b, float* c, int64_t c_row,
              bool accumulate) {
#if MM_HAS_BF16_KERNEL
  if constexpr (Pairs) return bf16_tile(rows, words, a, b, c, c_row, accumulate);
#endif
  float_tile(rows, words, a, b, c, c_row, accumulate);
}

// A tile at the right edge goes through a whole one of its own.
template <bool Pairs>
void edge_tile(int64_t rows, int64_t columns, int64_t words, const float* a, const float* b, float* c,
               int64_t c_row, bool accumulate) {
  float whole[kTileRows * kTileColumns];
  for (int64_t i = 0; accumulate && i < rows; i++)
    memcpy(whole + i * kTileColumns, c + i * c_row, columns * sizeof(float));
  run_tile<Pairs>(rows, words, a, b, whole, kTileColumns, accumulate);
  for (int64_t i = 0; i < rows; i++) memcpy(c + i * c_row, whole + i * kTileColumns, columns * sizeof(float));
}

struct Task {
  const Product* product;
  int64_t row, row_end, column, column_end;
};

// The sums of a task, starting from what c holds if `accumulate`.
template <bool Pairs>
void run_blocks(const Task& t, float* scratch, float* c, int64_t c_row, bool accumulate) {
  const Product& p = *t.product;
  float* a = scratch;
  float* b = scratch + round_up(t.row_end - t.row, kTileRows) * kDepth;
  for (int64_t depth = 0; depth < p.depth; depth += kDepth) {
    const int64_t end = min64(p.depth, depth + kDepth), words = ceil_div(end - depth, kStep<Pairs>);
    pack_panels<Pairs>(p.a, !p.a.transposed, t.row, t.row_end, kTileRows, depth, end, a);
    for (int64_t j = t.column; j < t.column_end; j += kTileColumns) {
      const int64_t columns = min64(kTileColumns, t.column_end - j);
      pack_panels<Pairs>(p.b, p.b.transposed, j, j + columns, kTileColumns, depth, end, b);
      for (int64_t i = t.row; i < t.row_end; i += kTileRows) {
        const int64_t rows = min64(kTileRows, t.row_end - i);
        const float* panel = a + (i - t.row) * words;
        float* out = c + (i - t.row) * c_row + (j - t.column);
        if (columns == kTileColumns) {
          run_tile<Pairs>(rows, words, panel, b, out, c_row, accumulate || depth > 0);
        } else {
          edge_tile<Pairs>(rows, columns, words, panel, b, out, c_row, accumulate || depth > 0);
        }
      }
    }
  }
}

void scale_columns(const float* scale, int64_t rows, int64_t columns, float* c, int64_t c_row) {
  constexpr float kUnit = 1.0f / kInt8Unit;
  for (int64_t i = 0; i < rows; i++, c += c_row) {
    int64_t j = 0;
    for (; j + kLanes <= columns; j += kLanes) store(c + j, load(c + j) * (load(scale + j) * kUnit));
    for (; j < columns; j++) c[j] *= scale[j] * kUnit;
  }
}

void run_task(const Task& t, bool pairs) {
  const Product& p = *t.product;
  const int64_t rows = t.row_end - t.row, columns = t.column_end - t.column;
  const bool narrow_c = p.c_dtype == MM_DTYPE_BF16;
  const int64_t panels = (round_up(rows, kTileRows) + kTileColumns) * kDepth;
  float* scratch =
      static_cast<float*>(thread_scratch((panels + (narrow_c ? rows * columns : 0)) * sizeof(float)));
  if (!narrow_c) {
    float* c = static_cast<float*>(p.c) + t.row * p.c_row_stride + t.column;
    pairs ? run_blocks<true>(t, scratch, c, p.c_row_stride, p.accumulate)
          : run_blocks<false>(t, scratch, c, p.c_row_stride, p.accumulate);
    if (p.column_scale) scale_columns(p.column_scale + t.column, rows, columns, c, p.c_row_stride);
    return;
  }
  // bf16 results are summed in fp32 and rounded once.
  float* sums = scratch + panels;
  bf16* c = static_cast<bf16*>(p.c) + t.row * p.c_row_stride + t.column;
  for (int64_t i = 0; p.accumulate && i < rows; i++) {
    for (int64_t j = 0; j < columns; j++) sums[i * columns + j] = widen(c[i * p.c_row_stride + j]);
  }
  pairs ? run_blocks<true>(t, scratch, sums, columns, p.accumulate)
        : run_blocks<false>(t, scratch, sums, columns, p.accumulate);
  if (p.column_scale) scale_columns(p.column_scale + t.column, rows, columns, sums, columns);
  for (int64_t i = 0; i < rows; i++) {
    int64_t j = 0;
    for (; j + kLanes <= columns; j += kLanes)
      store(c + i * p.c_row_stride + j, load(sums + i * columns + j));
    for (; j < columns; j++) c[i * p.c_row_stride + j] = narrow(sums[i * columns + j]);
  }
}

// Without depth there is nothing to add.
void clear(const Product& p) {
  if (p.accumulate) return;
  const int64_t size = p.c_dtype == MM_DTYPE_F32 ? 4 : 2;
  for (int64_t i = 0; i < p.rows; i++)
    memset(static_cast<char*>(p.c) + i * p.c_row_stride * size, 0, p.columns * size);
}

struct Grid {
  int64_t rows, columns;  // of a task
  int64_t count(const Product& p) const { return ceil_div(p.rows, rows) * ceil_div(p.columns, columns); }
};

// Enough tasks for the threads where the work is worth it, of the shape that packs least: each row of tasks
// packs op(B) anew, each column of them op(A).
Grid grid(const Product& p, int64_t wanted) {
  const int64_t work = p.rows * p.columns * p.depth;
  const int64_t tasks = max64(1, min64(wanted, work / kWorthATask));
  const int64_t most = min64(tasks, ceil_div(p.rows, 4 * kTileRows));
  const auto packed = [&](int64_t row_split) {
    return row_split * p.columns + ceil_div(tasks, row_split) * p.rows;
  };
  int64_t row_split = 1;
  for (int64_t split = 2; split <= most; split++) {
    if (packed(split) < packed(row_split)) row_split = split;
  }
  const int64_t column_split = ceil_div(tasks, row_split);
  return {min64(kRows, round_up(ceil_div(p.rows, row_split), kTileRows)),
          min64(kColumns, round_up(ceil_div(p.columns, column_split), kTileColumns))};
}

}  // namespace

bool has_bf16_kernel(const mm_context& context) { return context.backend->isa == MM_ISA_AVX512_BF16; }

void multiply(mm_context& context, const Product* products, int64_t count) {
  // Several products end together only if the last task is a small part of them all.
  const int64_t wanted = count == 1 ? 2 * thread_count() : ceil_div(16 * thread_count(), count);
  int64_t total = 0;
  for (int64_t i = 0; i < count; i++) {
    if (products[i].depth == 0) clear(products[i]);
    if (products[i].rows > 0 && products[i].columns > 0 && products[i].depth > 0) {
      total += grid(products[i], wanted).count(products[i]);
    }
  }
  if (total == 0) return;
  Buffer<Task> tasks(total);
  int64_t n = 0;
  for (int64_t i = 0; i < count; i++) {
    const Product& p = products[i];
    if (p.rows == 0 || p.columns == 0 || p.depth == 0) continue;
    const Grid g = grid(p, wanted);
    for (int64_t column = 0; column < p.columns; column += g.columns) {
      for (int64_t row = 0; row < p.rows; row += g.rows) {
        tasks[n++] = {&p, row, min64(p.rows, row + g.rows), column, min64(p.columns, column + g.columns)};
      }
    }
  }
  const bool bf16_kernel = has_bf16_kernel(context);
  parallel_for(total, [&](int64_t i) {
    const Product& p = *tasks[i].product;
    const bool pairs =
        bf16_kernel && !p.fp32_compute && p.a.dtype == MM_DTYPE_BF16 && p.b.dtype != MM_DTYPE_F32;
    run_task(tasks[i], pairs);
  });
}

}  // namespace mm::MM_ISA_NS
