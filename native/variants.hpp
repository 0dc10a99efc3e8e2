// Which of the kernels that were compiled, one set per instruction set, this machine can run.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#if defined(__x86_64__)
#define KERNEL_VARIANTS(kernels) supported(&baseline::kernels, &avx2::kernels, &avx512::kernels)
#else
#define KERNEL_VARIANTS(kernels) supported(&baseline::kernels)
#endif

// Fastest first.
template <typename Kernels>
std::vector<const Kernels*> supported(const Kernels* baseline, const Kernels* avx2 = nullptr,
                                      const Kernels* avx512 = nullptr) {
  std::vector<const Kernels*> list;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    list.push_back(avx512);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) list.push_back(avx2);
#endif
  (void)avx2, (void)avx512;
  list.push_back(baseline);
  return list;
}

template <typename Kernels>
std::vector<std::string> names_of(const std::vector<const Kernels*>& list) {
  std::vector<std::string> names;
  for (const Kernels* kernels : list) names.push_back(kernels->name);
  return names;
}

// The fastest of the list, or those that SPLATSMITH_ISA names.
template <typename Kernels>
const Kernels* chosen(const std::vector<const Kernels*>& list) {
  const char* wish = std::getenv("SPLATSMITH_ISA");
  if (wish == nullptr || *wish == 0) return list[0];
  std::string names;
  for (const Kernels* kernels : list) {
    if (std::strcmp(kernels->name, wish) == 0) return kernels;
    names += std::string(names.empty() ? "" : ", ") + kernels->name;
  }
  throw nanobind::value_error(
      ("SPLATSMITH_ISA is \"" + std::string(wish) + "\", but this machine has " + names)
          .c_str());
}
