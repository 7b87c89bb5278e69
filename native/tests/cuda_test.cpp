// What only the CUDA backend has: its library, graphs, errors that are told late. Runs where
// MINIMAX_CUDA_LIBRARY names one.
#include "support.h"

namespace mm::test {
namespace {

mm_context* create_cuda() {
  mm_context_create_params params{};
  params.struct_size = sizeof params;
  params.device = MM_DEVICE_KIND_CUDA;
  mm_context* context = nullptr;
  mm_context_create(&params, &context);
  return context;
}

// Double y in place.
mm_status twice(mm_context* context, Buffer<float>& y) {
  mm_axpby_params p{sizeof p, y.data(), y.data(), int64_t(y.size()), 2.0f, 0.0f, MM_DTYPE_F32, MM_DTYPE_F32};
  return mm_axpby(context, &p);
}

TEST(CudaLibrary, ThatIsMissingIsNamed) {
  if (has_cuda()) return;
  EXPECT_EQ(create_cuda(), nullptr);
  EXPECT_NE(std::strstr(mm_last_error(), "libminimax_cuda12.so"), nullptr) << mm_last_error();
  EXPECT_EQ(mm_backend_load("/missing/library.so"), MM_STATUS_UNSUPPORTED);
  EXPECT_NE(std::strstr(mm_last_error(), "/missing/library.so"), nullptr) << mm_last_error();
}

TEST(CudaLibrary, HasADeviceOrSaysWhatIsMissing) {
  if (!has_cuda()) return;
  int32_t count = -1;
  if (mm_device_count(MM_DEVICE_KIND_CUDA, &count) == MM_STATUS_OK) {
    EXPECT_GE(count, 1);
    EXPECT_EQ(mm_backend_load("any"), MM_STATUS_INVALID_ARGUMENT) << "a second library";
  } else {
    EXPECT_NE(std::strstr(mm_last_error(), "NVIDIA"), nullptr) << mm_last_error();
    EXPECT_EQ(create_cuda(), nullptr);
  }
}

TEST(Graph, IsNotForTheCpu) {
  Context context;
  EXPECT_EQ(mm_graph_begin(context), MM_STATUS_UNSUPPORTED);
}

TEST(Graph, RunsWhatWasRecordedEachTimeItIsLaunched) {
  if (!has_cuda()) return;
  Context context(Target{MM_DEVICE_KIND_CUDA, MM_ISA_AUTO});
  Buffer<float> y(1000, 1.0f);
  MM_EXPECT_OK(twice(context, y));
  EXPECT_EQ(y[999], 2.0f);
  ASSERT_EQ(mm_graph_begin(context), MM_STATUS_OK) << mm_last_error();
  EXPECT_EQ(twice(context, y), MM_STATUS_OK) << mm_last_error();
  EXPECT_EQ(twice(context, y), MM_STATUS_OK) << mm_last_error();
  float here = 0;
  EXPECT_EQ(mm_memory_copy(context, &here, y.data(), 4), MM_STATUS_INVALID_ARGUMENT) << "a copy to the host";
  mm_graph* graph = nullptr;
  ASSERT_EQ(mm_graph_end(context, &graph), MM_STATUS_OK) << mm_last_error();
  MM_EXPECT_OK(mm_memory_copy(context, &here, y.data(), 4));
  EXPECT_EQ(here, 2.0f) << "recording ran something";
  for (float want : {8.0f, 32.0f, 128.0f}) {
    MM_EXPECT_OK(mm_graph_launch(context, graph));
    EXPECT_EQ(y[0], want);
    EXPECT_EQ(y[999], want);
  }
  MM_EXPECT_OK(mm_graph_destroy(context, graph));
}

TEST(Graph, KeepsItsMemoryToItself) {
  if (!has_cuda()) return;
  Context context(Target{MM_DEVICE_KIND_CUDA, MM_ISA_AUTO});
  const int64_t before = mm_memory_live_bytes();
  ASSERT_EQ(mm_graph_begin(context), MM_STATUS_OK);
  void* inside = nullptr;
  EXPECT_EQ(mm_memory_allocate(context, 5000, &inside), MM_STATUS_OK) << mm_last_error();
  EXPECT_EQ(mm_memory_free(inside), MM_STATUS_OK);
  mm_graph* graph = nullptr;
  ASSERT_EQ(mm_graph_end(context, &graph), MM_STATUS_OK) << mm_last_error();
  void* outside = nullptr;
  MM_EXPECT_OK(mm_memory_allocate(context, 5000, &outside));
  EXPECT_NE(outside, inside);
  MM_EXPECT_OK(mm_memory_free(outside));
  MM_EXPECT_OK(mm_graph_destroy(context, graph));
  EXPECT_EQ(mm_memory_live_bytes(), before);
}

TEST(Graph, ThatIsThrownAwayLeavesTheContextUsable) {
  if (!has_cuda()) return;
  Context context(Target{MM_DEVICE_KIND_CUDA, MM_ISA_AUTO});
  Buffer<float> y(10, 1.0f);
  EXPECT_EQ(mm_graph_end(context, nullptr), MM_STATUS_INVALID_ARGUMENT) << "none is being recorded";
  ASSERT_EQ(mm_graph_begin(context), MM_STATUS_OK);
  EXPECT_EQ(mm_graph_begin(context), MM_STATUS_INVALID_ARGUMENT) << "one is being recorded";
  EXPECT_EQ(twice(context, y), MM_STATUS_OK);
  ASSERT_EQ(mm_graph_end(context, nullptr), MM_STATUS_OK) << mm_last_error();
  MM_EXPECT_OK(twice(context, y));
  EXPECT_EQ(y[0], 2.0f);
}

}  // namespace
}  // namespace mm::test
