// Registers of KERNEL_LANES floats, by the vector extensions that GCC and Clang share.
//
// A kernel source is compiled once for each instruction set with KERNEL_ISA naming the
// namespace, so nothing here may be shared between those compilations: everything is inline
// inside the namespace, and no templates of the standard library are used (the linker would
// keep any one of their copies).
#pragma once

#include <cstdint>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

// The maskz forms with full masks below compile to the plain instructions; GCC 12 warns about
// those.
#define INLINE inline __attribute__((always_inline))

namespace KERNEL_ISA {

constexpr int lanes = KERNEL_LANES;
typedef float Float __attribute__((vector_size(4 * KERNEL_LANES)));
typedef int32_t Int __attribute__((vector_size(4 * KERNEL_LANES)));

// The same value in every lane; subtracting zero is exact and compiles to a plain broadcast.
INLINE Float all(float value) { return value - Float{}; }
INLINE Int all(int32_t value) { return value - Int{}; }
INLINE Float select(Int mask, Float yes, Float no) { return mask ? yes : no; }
INLINE Int select(Int mask, Int yes, Int no) { return mask ? yes : no; }
#if KERNEL_LANES == 16 && defined(__AVX512F__)
// Spelled out, because GCC makes a comparison and a blend of the general form.
INLINE Float min(Float a, Float b) {
  return (Float)_mm512_maskz_min_ps(0xffff, (__m512)a, (__m512)b);
}
INLINE Float max(Float a, Float b) {
  return (Float)_mm512_maskz_max_ps(0xffff, (__m512)a, (__m512)b);
}
#else
INLINE Float min(Float a, Float b) { return a < b ? a : b; }
INLINE Float max(Float a, Float b) { return a > b ? a : b; }
#endif
INLINE Float clamp(Float x, Float low, Float high) { return min(max(x, low), high); }
INLINE Float abs(Float x) { return (Float)((Int)x & 0x7fffffff); }
INLINE Int truncate(Float x) { return __builtin_convertvector(x, Int); }
INLINE Float to_float(Int x) { return __builtin_convertvector(x, Float); }

INLINE Float count_up() {  // 0, 1, 2 ...
  Float value;
  for (int lane = 0; lane < lanes; ++lane) value[lane] = (float)lane;
  return value;
}

INLINE Float load(const float* from) {
  Float value;
  __builtin_memcpy(&value, from, sizeof value);
  return value;
}

INLINE void store(float* to, Float value) { __builtin_memcpy(to, &value, sizeof value); }
INLINE void store(int32_t* to, Int value) { __builtin_memcpy(to, &value, sizeof value); }

// Every stride-th float, one for each lane; lanes from `count` on repeat the last one.
INLINE Float load_strided(const float* from, int stride, int count) {
  Float value;
  if (count >= lanes) {
    for (int lane = 0; lane < lanes; ++lane) value[lane] = from[stride * lane];
  } else {
    for (int lane = 0; lane < lanes; ++lane)
      value[lane] = from[stride * (lane < count ? lane : count - 1)];
  }
  return value;
}

INLINE uint32_t bits(Int mask) {  // bit i is set where lane i of a comparison holds
#if KERNEL_LANES == 16 && defined(__AVX512DQ__)
  return _mm512_movepi32_mask((__m512i)mask);
#elif KERNEL_LANES == 8 && defined(__AVX__)
  return _mm256_movemask_ps((__m256)mask);
#elif KERNEL_LANES == 4 && defined(__SSE2__)
  return _mm_movemask_ps((__m128)mask);
#else
  uint32_t result = 0;
  for (int lane = 0; lane < lanes; ++lane) result |= (uint32_t)(mask[lane] & 1) << lane;
  return result;
#endif
}

INLINE bool any(Int mask) {
#if defined(__ARM_NEON) && defined(__aarch64__) && KERNEL_LANES == 4
  return vmaxvq_u32((uint32x4_t)mask) != 0;
#else
  return bits(mask) != 0;
#endif
}

INLINE Float sqrt(Float x) {
#if KERNEL_LANES == 16 && defined(__AVX512F__)
  return (Float)_mm512_maskz_sqrt_ps(0xffff, (__m512)x);
#elif KERNEL_LANES == 8 && defined(__AVX__)
  return (Float)_mm256_sqrt_ps((__m256)x);
#elif KERNEL_LANES == 4 && defined(__SSE2__)
  return (Float)_mm_sqrt_ps((__m128)x);
#elif KERNEL_LANES == 4 && defined(__ARM_NEON) && defined(__aarch64__)
  return (Float)vsqrtq_f32((float32x4_t)x);
#else
  for (int lane = 0; lane < lanes; ++lane) x[lane] = __builtin_sqrtf(x[lane]);
  return x;
#endif
}

// 1 / x for x in 0.001..1, to the last bit or two.
INLINE Float reciprocal(Float x) {
#if KERNEL_LANES == 16 && defined(__AVX512F__)
  Float guess = (Float)_mm512_maskz_rcp14_ps(0xffff, (__m512)x);
  return guess * (2.0f - x * guess);
#else
  return 1.0f / x;
#endif
}

// 2^x for x in -126..1 (below that range: next to nothing), by minimax polynomials of degree 5,
// relative error 2e-7.
INLINE Float exp2(Float x) {
#if KERNEL_LANES == 16 && defined(__AVX512DQ__)
  Float rest = (Float)_mm512_maskz_reduce_ps(0xffff, (__m512)x, 1);  // x - floor(x)
  // Estrin's order: latency counts more than one more multiplication.
  Float square = rest * rest, y = 0.00187757669f * rest + 0.00898933969f;
  y = y * square + (0.0558263175f * rest + 0.240153611f);
  y = y * square + (0.693153083f * rest + 0.99999994f);
  return (Float)_mm512_maskz_scalef_ps(0xffff, (__m512)y, (__m512)x);  // scales by 2^floor(x)
#else
  x = max(x, all(-126.0f));
  Float shifted = x + 12582912.0f;  // 1.5 * 2^23: the low bits now hold the rounded integer
  Float rest = x - (shifted - 12582912.0f);
  Float square = rest * rest, y = 0.00132647273f * rest + 0.00967151299f;
  y = y * square + (0.0555073358f * rest + 0.240222424f);
  y = y * square + (0.693147004f * rest + 1.0f);
  return (Float)((Int)y + ((Int)shifted << 23));
#endif
}

// log2 of a normal positive x: 2/ln 2 * artanh((m - 1) / (m + 1)) of the mantissa m, plus the
// exponent.
INLINE Float log2(Float x) {
  Int exponent = (((Int)x - 0x3f3504f3) >> 23);
  Float mantissa = (Float)((Int)x - (exponent << 23));
  Float t = (mantissa - 1.0f) / (mantissa + 1.0f);
  Float square = t * t;
  Float series = square * 0.32059890f + 0.41219859f;
  series = series * square + 0.57707802f;
  series = series * square + 0.96179669f;
  return t * square * series + (t * 2.8853901f + to_float(exponent));
}

}  // namespace KERNEL_ISA
