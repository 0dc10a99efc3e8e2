// KERNEL_LANES floats side by side, by the vector extensions of GCC and Clang.
#pragma once

#include <cstdint>
#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace toybox::KERNEL_ISA {

constexpr int kLanes = KERNEL_LANES;
typedef float vf __attribute__((vector_size(4 * KERNEL_LANES)));
typedef std::int32_t vi __attribute__((vector_size(4 * KERNEL_LANES)));

static inline vf splat(float value) { return value - vf{}; }
static inline vf smaller(vf a, vf b) { return a < b ? a : b; }
static inline vf larger(vf a, vf b) { return a > b ? a : b; }
static inline vf magnitude(vf a) { return larger(a, -a); }
static inline vf clamped(vf a, float low, float high) {
  return smaller(larger(a, splat(low)), splat(high));
}

static inline vf root(vf a) {
#if defined(__AVX512F__) && KERNEL_LANES == 16
  return (vf)_mm512_maskz_sqrt_ps(0xffff, (__m512)a);  // Without a mask, GCC 12 warns.
#elif defined(__AVX__) && KERNEL_LANES == 8
  return (vf)_mm256_sqrt_ps((__m256)a);
#elif defined(__SSE2__) && KERNEL_LANES == 4
  return (vf)_mm_sqrt_ps((__m128)a);
#elif defined(__aarch64__) && KERNEL_LANES == 4
  return (vf)vsqrtq_f32((float32x4_t)a);
#else
  vf result;
  for (int i = 0; i < kLanes; ++i) result[i] = __builtin_sqrtf(a[i]);
  return result;
#endif
}

// True if any lane of a comparison's result is set.
static inline bool any(vi mask) {
#if defined(__AVX512F__) && KERNEL_LANES == 16
  return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0;
#elif defined(__AVX__) && KERNEL_LANES == 8
  return _mm256_movemask_ps((__m256)mask) != 0;
#elif defined(__SSE2__) && KERNEL_LANES == 4
  return _mm_movemask_ps((__m128)mask) != 0;
#else
  std::int32_t all = 0;
  for (int i = 0; i < kLanes; ++i) all |= mask[i];
  return all != 0;
#endif
}

struct Point {
  vf x, y, z;
};
static inline Point operator+(Point a, Point b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
static inline Point operator*(Point a, vf s) { return {a.x * s, a.y * s, a.z * s}; }
static inline vf length2(vf x, vf y) { return root(x * x + y * y); }
static inline vf length3(vf x, vf y, vf z) { return root(x * x + y * y + z * z); }

}  // namespace toybox::KERNEL_ISA
