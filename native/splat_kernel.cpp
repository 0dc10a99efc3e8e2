// The splat kernels for one instruction set, see splat_job.hpp.
#include "simd.hpp"
#include "splat_job.hpp"

#include "splat_project.hpp"
#include "splat_harmonics.hpp"
#include "splat_cells.hpp"
#include "splat_blend.hpp"
#include "splat_unblend.hpp"
#include "splat_unproject.hpp"

namespace KERNEL_ISA {

// Independent chains of multiply-adds, enough to hide their latency: this machine's peak.
static double multiply_add(int64_t rounds) {
  constexpr int chains = lanes == 16 ? 24 : 12;
  Float sums[chains];
#pragma GCC unroll 24
  for (int i = 0; i < chains; ++i) sums[i] = all(1.0f + i);
  Float factor = all(0.999f), term = all(0.001f);
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 24
    for (int i = 0; i < chains; ++i) sums[i] = sums[i] * factor + term;
  }
  Float total = all(0.0f);
#pragma GCC unroll 24
  for (int i = 0; i < chains; ++i) total += sums[i];
  volatile float keep = total[0];
  (void)keep;
  return 2.0 * lanes * chains * (double)rounds;
}

#define KERNEL_NAME_(isa) #isa
#define KERNEL_NAME(isa) KERNEL_NAME_(isa)

extern const splat::Kernels kernels;
const splat::Kernels kernels = {
    KERNEL_NAME(KERNEL_ISA), lanes, project, blend, unblend, unproject, multiply_add};

}  // namespace KERNEL_ISA
