// Entries of norm.h.
#include "runtime/context.h"

namespace mm {
namespace {

void check(const mm_rms_norm_forward_params& p) {
  MM_REQUIRE_SIZE(rows);
  MM_REQUIRE_POSITIVE(width);
  MM_REQUIRE_POINTER(weight);
  MM_REQUIRE(p.rows == 0 || (p.x && p.y), "x or y is null");
  MM_REQUIRE(!p.branch == !p.sum, "branch and sum go together: one of them is null");
  MM_REQUIRE_FLOAT(dtype);
  MM_REQUIRE_FLOAT(weight_dtype);
}

void check(const mm_rms_norm_backward_params& p) {
  MM_REQUIRE_SIZE(rows);
  MM_REQUIRE_POSITIVE(width);
  MM_REQUIRE_POINTER(weight);
  MM_REQUIRE(p.rows == 0 || (p.sum && p.rstd && p.dy && p.dx), "sum, rstd, dy or dx is null");
  MM_REQUIRE_FLOAT(dtype);
  MM_REQUIRE_FLOAT(weight_dtype);
  MM_REQUIRE_FLOAT(dweight_dtype);
}

void check(const mm_gated_rms_norm_forward_params& p) {
  MM_REQUIRE_SIZE(rows);
  MM_REQUIRE_POSITIVE(width);
  MM_REQUIRE_POINTER(weight);
  MM_REQUIRE(p.rows == 0 || (p.x && p.gate && p.y), "x, gate or y is null");
  MM_REQUIRE_FLOAT(dtype);
  MM_REQUIRE_FLOAT(weight_dtype);
}

void check(const mm_gated_rms_norm_backward_params& p) {
  MM_REQUIRE_SIZE(rows);
  MM_REQUIRE_POSITIVE(width);
  MM_REQUIRE_POINTER(weight);
  MM_REQUIRE(p.rows == 0 || (p.x && p.gate && p.rstd && p.dy && p.dx && p.dgate),
             "x, gate, rstd, dy, dx or dgate is null");
  MM_REQUIRE_FLOAT(dtype);
  MM_REQUIRE_FLOAT(weight_dtype);
  MM_REQUIRE_FLOAT(dweight_dtype);
}

}  // namespace
}  // namespace mm

MM_ENTRY(rms_norm_forward)
MM_ENTRY(rms_norm_backward)
MM_ENTRY(gated_rms_norm_forward)
MM_ENTRY(gated_rms_norm_backward)
