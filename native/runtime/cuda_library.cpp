// Finds and loads the library of the CUDA backend, which links everything of CUDA that libminimax must not
// need.
#include <dlfcn.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

#include "minimax/context.h"
#include "runtime/backend.h"
#include "runtime/error.h"

namespace mm {
namespace {

constexpr const char* kFile = "libminimax_cuda12.so";

std::mutex loading;
std::atomic<const Backend*> backend{nullptr};

// Takes the library, or adds to `tried` what is wrong with it.
const Backend* load(const std::string& path, std::string& tried) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    tried += "\n  " + path + ": " + dlerror();
    return nullptr;
  }
  const auto entry = reinterpret_cast<BackendEntry>(dlsym(library, "mm_backend"));
  static const Host host{MM_ABI_VERSION, sizeof(Backend), set_error};
  const Backend* found = entry ? entry(&host) : nullptr;
  if (!found || found->abi_version != MM_ABI_VERSION || found->struct_size != sizeof(Backend)) {
    tried +=
        "\n  " + path + (entry ? ": made for another version of libminimax" : ": no backend of libminimax");
    dlclose(library);
    return nullptr;
  }
  backend.store(found, std::memory_order_release);
  return found;
}

// The folder that this library was loaded from, with a slash.
std::string own_folder() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<const void*>(&mm_backend_load), &info) || !info.dli_fname) return "";
  const std::string file = info.dli_fname;
  return file.substr(0, file.rfind('/') + 1);
}

}  // namespace

const Backend* loaded_cuda_backend() { return backend.load(std::memory_order_acquire); }

const Backend* cuda_backend() {
  std::lock_guard lock(loading);
  if (const Backend* found = loaded_cuda_backend()) return found;
  std::string tried;
  const char* named = std::getenv("MINIMAX_CUDA_LIBRARY");
  if (named && *named) {
    if (const Backend* found = load(named, tried)) return found;
  } else {
    for (const std::string& path : {own_folder() + kFile, std::string(kFile)}) {
      if (const Backend* found = load(path, tried)) return found;
    }
  }
  fail(MM_STATUS_UNSUPPORTED, "the CUDA backend was not found. Tried:%s", tried.c_str());
}

}  // namespace mm

mm_status mm_backend_load(const char* path) {
  return mm::guarded("mm_backend_load", [&] {
    MM_REQUIRE(path && *path, "path is null or empty");
    std::lock_guard lock(mm::loading);
    MM_REQUIRE(!mm::loaded_cuda_backend(), "a CUDA backend is loaded already");
    std::string tried;
    if (!mm::load(path, tried)) mm::fail(MM_STATUS_UNSUPPORTED, "%s", tried.c_str() + 3);
  });
}
