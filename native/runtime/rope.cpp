// Entry of rope.h.
#include "runtime/context.h"

namespace mm {
namespace {

void check(const mm_rope_forward_params& p) {
  MM_REQUIRE_SIZE(tokens);
  MM_REQUIRE_POSITIVE(heads);
  MM_REQUIRE_POSITIVE(head_dim);
  MM_REQUIRE(p.rotary_dim > 0 && p.rotary_dim % 2 == 0 && p.rotary_dim <= p.head_dim,
             "rotary_dim is %lld with head_dim %lld; an even number up to it is needed",
             static_cast<long long>(p.rotary_dim), static_cast<long long>(p.head_dim));
  MM_REQUIRE_POINTER(inv_freq);
  MM_REQUIRE(p.tokens == 0 || (p.x && p.y && p.positions), "x, y or positions is null");
  MM_REQUIRE(p.x != p.y || (p.x_token_stride == p.y_token_stride && p.x_head_stride == p.y_head_stride),
             "in place, the strides of x and y must be equal");
  MM_REQUIRE_FLOAT(dtype);
}

}  // namespace
}  // namespace mm

MM_ENTRY(rope_forward)
