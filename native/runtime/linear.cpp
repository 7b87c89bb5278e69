// Entries of linear.h.
#include "runtime/context.h"

namespace mm {
namespace {

void check(const mm_linear_forward_params& p) {
  MM_REQUIRE_SIZE(rows);
  MM_REQUIRE_POSITIVE(in_features);
  MM_REQUIRE_POSITIVE(out_features);
  MM_REQUIRE_POINTER(w);
  MM_REQUIRE(p.rows == 0 || (p.x && p.y), "x or y is null");
  MM_REQUIRE_FLOAT(x_dtype);
  MM_REQUIRE_FLOAT(w_dtype);
  MM_REQUIRE_FLOAT(y_dtype);
}

void check(const mm_linear_backward_params& p) {
  MM_REQUIRE_SIZE(rows);
  MM_REQUIRE_POSITIVE(in_features);
  MM_REQUIRE_POSITIVE(out_features);
  MM_REQUIRE(p.rows == 0 || p.dy, "dy is null");
  MM_REQUIRE(!p.dx || p.w, "dx is asked for, but w is null");
  MM_REQUIRE(!p.dw || p.rows == 0 || p.x, "dw is asked for, but x is null");
  MM_REQUIRE_FLOAT(x_dtype);
  MM_REQUIRE_FLOAT(w_dtype);
  MM_REQUIRE_FLOAT(dy_dtype);
  MM_REQUIRE_FLOAT(dx_dtype);
  MM_REQUIRE_FLOAT(dw_dtype);
}

void check(const mm_silu_forward_params& p) {
  MM_REQUIRE_SIZE(count);
  MM_REQUIRE(p.count == 0 || (p.x && p.y), "x or y is null");
  MM_REQUIRE_FLOAT(dtype);
}

void check(const mm_silu_backward_params& p) {
  MM_REQUIRE_SIZE(count);
  MM_REQUIRE(p.count == 0 || (p.x && p.dy && p.dx), "x, dy or dx is null");
  MM_REQUIRE_FLOAT(dtype);
}

void check(const mm_swiglu_forward_params& p) {
  MM_REQUIRE_SIZE(count);
  MM_REQUIRE(p.count == 0 || (p.gate && p.up && p.y), "gate, up or y is null");
  MM_REQUIRE_FLOAT(dtype);
}

void check(const mm_swiglu_backward_params& p) {
  MM_REQUIRE_SIZE(count);
  MM_REQUIRE(p.count == 0 || (p.gate && p.up && p.dy && p.dgate && p.dup),
             "gate, up, dy, dgate or dup is null");
  MM_REQUIRE_FLOAT(dtype);
}

void check(const mm_embedding_forward_params& p) {
  MM_REQUIRE_SIZE(rows);
  MM_REQUIRE_POSITIVE(vocabulary);
  MM_REQUIRE_POSITIVE(width);
  MM_REQUIRE_POINTER(table);
  MM_REQUIRE(p.rows == 0 || (p.ids && p.y), "ids or y is null");
  MM_REQUIRE_FLOAT(dtype);
}

void check(const mm_embedding_backward_params& p) {
  MM_REQUIRE_SIZE(rows);
  MM_REQUIRE_POSITIVE(vocabulary);
  MM_REQUIRE_POSITIVE(width);
  MM_REQUIRE_POINTER(dtable);
  MM_REQUIRE(p.rows == 0 || (p.ids && p.dy), "ids or dy is null");
  MM_REQUIRE_FLOAT(dy_dtype);
  MM_REQUIRE_FLOAT(dtable_dtype);
}

}  // namespace
}  // namespace mm

MM_ENTRY(linear_forward)
MM_ENTRY(linear_backward)
MM_ENTRY(silu_forward)
MM_ENTRY(silu_backward)
MM_ENTRY(swiglu_forward)
MM_ENTRY(swiglu_backward)
MM_ENTRY(embedding_forward)
MM_ENTRY(embedding_backward)
