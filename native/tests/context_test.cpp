#include "support.h"

namespace mm::test {
namespace {

TEST(Context, RefusesWhatItCannotRun) {
  mm_context_create_params params{};
  mm_context* context = nullptr;
  EXPECT_EQ(mm_context_create(&params, &context), MM_STATUS_INVALID_ARGUMENT);
  EXPECT_NE(std::strstr(mm_last_error(), "struct_size"), nullptr) << mm_last_error();
  params.struct_size = sizeof params;
  params.device = static_cast<mm_device_kind>(7);
  EXPECT_EQ(mm_context_create(&params, &context), MM_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(context, nullptr);
}

TEST(Context, CountsAndReusesMemory) {
  Context context;
  const int64_t before = mm_memory_live_bytes();
  void* first = nullptr;
  MM_EXPECT_OK(mm_memory_allocate(context, 1000, &first));
  EXPECT_EQ(mm_memory_live_bytes(), before + 1000);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
  MM_EXPECT_OK(mm_memory_free(first));
  EXPECT_EQ(mm_memory_live_bytes(), before);
  EXPECT_EQ(mm_memory_free(first), MM_STATUS_INVALID_ARGUMENT);
  void* second = nullptr;
  MM_EXPECT_OK(mm_memory_allocate(context, 1001, &second));
  EXPECT_EQ(first, second);
  MM_EXPECT_OK(mm_memory_free(second));
  EXPECT_NE(mm_memory_allocate(context, int64_t{1} << 60, &second), MM_STATUS_OK);
}

TEST(Context, CountsWhatWasAskedForWhateverBlockItIsIn) {
  for (const Target& target : all_targets()) {
    Context context(target);
    MM_EXPECT_OK(mm_memory_trim());
    const int64_t before = mm_memory_live_bytes();
    void* pointer = nullptr;
    for (const int64_t bytes : {7000, 4608, 0}) {  // the second is given the block of the first
      MM_EXPECT_OK(mm_memory_allocate(context, bytes, &pointer));
      EXPECT_EQ(mm_memory_live_bytes(), before + bytes);
      MM_EXPECT_OK(mm_memory_free(pointer));
    }
    EXPECT_EQ(mm_memory_live_bytes(), before);
  }
}

TEST(Cast, RoundsToNearestEvenOnEveryIsa) {
  Random random(1);
  Buffer<float> x = random.floats(1037, 1e3f);
  x[0] = NAN, x[1] = INFINITY, x[2] = -0.0f, x[3] = 1e-40f, x[4] = 3.4e38f;
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<uint16_t> y(x.size(), 0xdead);
    mm_cast_params params{sizeof params, x.data(), y.data(), int64_t(x.size()), MM_DTYPE_F32, MM_DTYPE_BF16};
    MM_EXPECT_OK(mm_cast(context, &params));
    EXPECT_TRUE(std::isnan(from_bf16(y[0])));
    for (size_t i = 1; i < x.size(); i++) ASSERT_EQ(y[i], to_bf16(x[i])) << i;
  }
}

TEST(Axpby, DoesNotReadYWhenBetaIsZero) {
  for (const Target& target : all_targets()) {
    Context context(target);
    Buffer<float> x(37, 2.0f), y(37, NAN);
    mm_axpby_params params{sizeof params, x.data(), y.data(), 37, 1.5f, 0, MM_DTYPE_F32, MM_DTYPE_F32};
    MM_EXPECT_OK(mm_axpby(context, &params));
    for (float value : y) ASSERT_EQ(value, 3.0f);
    params.beta = 2;
    MM_EXPECT_OK(mm_axpby(context, &params));
    for (float value : y) ASSERT_EQ(value, 9.0f);
  }
}

}  // namespace
}  // namespace mm::test
