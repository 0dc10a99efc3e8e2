// Which of a module's kernels run: one source is compiled for several instruction sets.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

namespace isa {

inline bool present(const char* name) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (std::strcmp(name, "avx512") == 0)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (std::strcmp(name, "avx2") == 0)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
  return std::strcmp(name, "baseline") == 0;
}

// Those of `built` that this machine can run, in their order: fastest first.
template <typename Kernels>
std::vector<const Kernels*> usable(std::initializer_list<const Kernels*> built) {
  std::vector<const Kernels*> list;
  for (const Kernels* kernels : built)
    if (present(kernels->name)) list.push_back(kernels);
  return list;
}

template <typename Kernels>
std::vector<std::string> names(const std::vector<const Kernels*>& list) {
  std::vector<std::string> found;
  for (const Kernels* kernels : list) found.push_back(kernels->name);
  return found;
}

// The fastest, or those that the environment variable SPLATSMITH_ISA names.
template <typename Kernels>
const Kernels& choose(const std::vector<const Kernels*>& list) {
  const char* wish = std::getenv("SPLATSMITH_ISA");
  if (wish == nullptr || *wish == 0) return *list[0];
  std::string others;
  for (const Kernels* kernels : list) {
    if (std::strcmp(kernels->name, wish) == 0) return *kernels;
    others += std::string(others.empty() ? "" : ", ") + kernels->name;
  }
  throw nanobind::value_error(
      ("SPLATSMITH_ISA is \"" + std::string(wish) + "\", but this machine has " + others)
          .c_str());
}

}  // namespace isa
