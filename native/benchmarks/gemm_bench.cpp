// Products: gemm_bench [threads]
#include "bench.h"

using namespace mm::bench;

int main(int argc, char** argv) {
  threads(argc, argv);
  mm_context* c = context();
  struct Case {
    int64_t rows, in, out;
  };
  for (mm_dtype dtype : {MM_DTYPE_F32, MM_DTYPE_BF16}) {
    for (Case s : {Case{512, 512, 512}, Case{1024, 1024, 1024}, Case{2048, 2048, 2048}, Case{512, 128, 128},
                   Case{64, 2048, 2048}, Case{1, 4096, 4096}}) {
      auto x = floats(s.rows * s.in), w = floats(s.in * s.out), y = floats(s.rows * s.out);
      const int64_t size = dtype == MM_DTYPE_F32 ? 4 : 2;
      mm_linear_forward_params p{};
      p.struct_size = sizeof p;
      p.x = x.data(), p.w = w.data(), p.y = y.data();
      p.rows = s.rows, p.in_features = s.in, p.out_features = s.out;
      p.x_dtype = p.w_dtype = dtype;
      const Seconds t = timed([&] { ok(mm_linear_forward(c, &p)); });
      const std::string name = std::string(dtype == MM_DTYPE_F32 ? "fp32 " : "bf16 ") +
                               std::to_string(s.rows) + "x" + std::to_string(s.in) + "x" +
                               std::to_string(s.out);
      report(name, t, 2e-9 * s.rows * s.in * s.out, "GFLOP/s");
      if (s.rows == 1) report(name + " weights", t, 1e-9 * s.in * s.out * size, "GB/s");
    }
  }
  mm_context_destroy(c);
}
