// Rows of a table by id; the gradient adds rows in ascending order, so that it does not depend on the
// threads.
#include "cpu/ops.h"

namespace mm::MM_ISA_NS {
namespace {

void require_ids(const int32_t* ids, int64_t rows, int64_t vocabulary) {
  for (int64_t r = 0; r < rows; r++) {
    MM_REQUIRE(ids[r] >= 0 && ids[r] < vocabulary, "id %d at row %lld; the vocabulary has %lld", ids[r],
               static_cast<long long>(r), static_cast<long long>(vocabulary));
  }
}

// Each task owns a range of columns.
constexpr int64_t kColumns = 64;

template <typename D, typename T>
void backward(const mm_embedding_backward_params& p) {
  parallel_for(ceil_div(p.width, kColumns), [&](int64_t task) {
    const int64_t begin = task * kColumns, end = min64(p.width, begin + kColumns);
    for (int64_t r = 0; r < p.rows; r++) {
      const D* dy = static_cast<const D*>(p.dy) + r * p.width;
      T* dtable = static_cast<T*>(p.dtable) + p.ids[r] * p.width;
      for (int64_t j = begin; j < end; j++) store_one(dtable + j, load_one(dtable + j) + load_one(dy + j));
    }
  });
}

}  // namespace

void embedding_forward(mm_context&, const mm_embedding_forward_params& p) {
  require_ids(p.ids, p.rows, p.vocabulary);
  const int64_t bytes = p.width * (p.dtype == MM_DTYPE_F32 ? 4 : 2);
  for (int64_t r = 0; r < p.rows; r++) {
    memcpy(static_cast<char*>(p.y) + r * bytes, static_cast<const char*>(p.table) + p.ids[r] * bytes, bytes);
  }
}

void embedding_backward(mm_context&, const mm_embedding_backward_params& p) {
  require_ids(p.ids, p.rows, p.vocabulary);
  if (p.dy_dtype == MM_DTYPE_F32) {
    p.dtable_dtype == MM_DTYPE_F32 ? backward<float, float>(p) : backward<float, bf16>(p);
  } else {
    p.dtable_dtype == MM_DTYPE_F32 ? backward<bf16, float>(p) : backward<bf16, bf16>(p);
  }
}

}  // namespace mm::MM_ISA_NS
