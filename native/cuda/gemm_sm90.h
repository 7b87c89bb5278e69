// Hopper's kernels of the experts' products.
#pragma once

#include "cuda/gemm.cuh"

namespace mm::cuda {

// False, with nothing done, if the product or the GPU is not what it is for.
bool multiply_sm90(Context& context, const char* name, const Product& p, Epilogue epilogue);

}  // namespace mm::cuda
