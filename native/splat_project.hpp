// From the scene to the screen: what is shared by both directions, and the forward direction.
#pragma once

namespace KERNEL_ISA {

using namespace splat;

// The same numbers as in reference.py, which says what they are for.
constexpr float alpha_max = 0.999f, alpha_min = 1.0f / 255, low_pass = 0.3f, stop_at = 1e-4f;
constexpr float near_plane = 0.01f, far_plane = 1e10f, variance_max = 1e12f, center_max = 1e7f;
constexpr float quat_min = 1e-20f;
constexpr float log2_255 = 7.99435344f;  // level - log2(alpha_min)
constexpr float whiten = 0.849321800f;   // sqrt(log2(e) / 2): exp(-x^2 / 2) = 2^-(whiten x)^2

// A chunk of the scene, transposed: one row for each component, padded to whole registers.
struct Chunk {
  alignas(64) float mean[3][chunk_size], quat[4][chunk_size], scale[3][chunk_size];
  alignas(64) float opacity[1][chunk_size];
  alignas(64) float axes[9][chunk_size];  // rotation times scale
  alignas(64) float flat[3][chunk_size];  // the only harmonics of a scene of degree 0
  alignas(64) float depth[chunk_size];    // of the view at hand
  int begin, size;
};

// One register of splats on one view's screen.
struct Screen {
  Float z, inverse, slope[2], clamped[2], center[2];
  Float third[3], rows[2][3];  // camera-space z of the axes; the axes on the screen
  Float variance[2], covariance, determinant;
};

struct Rotation {
  Float w, x, y, z, inverse;  // the unit quaternion, and one over the length it had, or zero
  Float r[9];
};

static INLINE Rotation rotate(Float w, Float x, Float y, Float z) {
  Float square = w * w + x * x + y * y + z * z;
  Int turned = square > quat_min;
  Float inverse = select(turned, 1.0f / sqrt(select(turned, square, all(1.0f))), all(0.0f));
  // Squares overflow for quaternions beyond 1e19, which then count as not turned either.
  Int known = (inverse > 0.0f) & (square < 3e38f);
  inverse = select(known, inverse, all(0.0f));
  Rotation out = {select(known, w * inverse, all(1.0f)),
                  select(known, x * inverse, all(0.0f)),
                  select(known, y * inverse, all(0.0f)),
                  select(known, z * inverse, all(0.0f)),
                  inverse,
                  {}};
  w = out.w, x = out.x, y = out.y, z = out.z;
  out.r[0] = 1.0f - 2.0f * (y * y + z * z);
  out.r[1] = 2.0f * (x * y - w * z);
  out.r[2] = 2.0f * (x * z + w * y);
  out.r[3] = 2.0f * (x * y + w * z);
  out.r[4] = 1.0f - 2.0f * (x * x + z * z);
  out.r[5] = 2.0f * (y * z - w * x);
  out.r[6] = 2.0f * (x * z - w * y);
  out.r[7] = 2.0f * (y * z + w * x);
  out.r[8] = 1.0f - 2.0f * (x * x + y * y);
  return out;
}

static INLINE Rotation load_rotation(const Chunk& chunk, int i) {
  return rotate(load(chunk.quat[0] + i), load(chunk.quat[1] + i), load(chunk.quat[2] + i),
                load(chunk.quat[3] + i));
}

// Rows to columns, repeating the last splat up to the next whole register. Plain loops, which
// compilers turn into a few shuffles.
template <int width>
static INLINE void transpose(const float* from, int size, float (*to)[chunk_size]) {
  for (int i = 0; i < size; ++i)
    for (int k = 0; k < width; ++k) to[k][i] = from[width * i + k];
  for (int i = size; i % lanes; ++i)
    for (int k = 0; k < width; ++k) to[k][i] = from[width * (size - 1) + k];
}

static void load_chunk(const Job& job, int begin, Chunk& chunk) {
  chunk.begin = begin;
  chunk.size = job.count - begin < chunk_size ? job.count - begin : chunk_size;
  transpose<3>(job.means + 3 * (int64_t)begin, chunk.size, chunk.mean);
  transpose<4>(job.quats + 4 * (int64_t)begin, chunk.size, chunk.quat);
  transpose<3>(job.scales + 3 * (int64_t)begin, chunk.size, chunk.scale);
  transpose<1>(job.opacities + begin, chunk.size, chunk.opacity);
  if (job.coefficients == 1) transpose<3>(job.sh + 3 * (int64_t)begin, chunk.size, chunk.flat);
  for (int i = 0; i < chunk.size; i += lanes) {
    Rotation rotation = load_rotation(chunk, i);
    for (int k = 0; k < 9; ++k)
      store(chunk.axes[k] + i, rotation.r[k] * load(chunk.scale[k % 3] + i));
  }
}

// Depths decide the order, so they are rounded from double precision, as the reference does.
static INLINE void find_depths(const View& view, Chunk& chunk, int begin, int end) {
  for (int i = begin; i < end; ++i) {
    double depth = chunk.mean[0][i] * view.forward[0] + chunk.mean[1][i] * view.forward[1] +
                   chunk.mean[2][i] * view.forward[2] + view.forward[3];
    chunk.depth[i] = (float)depth;
  }
}

static INLINE Screen to_screen(const View& view, const Chunk& chunk, int i) {
  Screen s;
  const float* w = view.rotation;
  Float mean[3] = {load(chunk.mean[0] + i), load(chunk.mean[1] + i), load(chunk.mean[2] + i)};
  s.z = load(chunk.depth + i);
  s.inverse = 1.0f / s.z;
  Float axes[3][3];
  for (int row = 0; row < 3; ++row)
    for (int k = 0; k < 3; ++k)
      axes[row][k] = w[3 * row] * load(chunk.axes[k] + i) +
                     w[3 * row + 1] * load(chunk.axes[3 + k] + i) +
                     w[3 * row + 2] * load(chunk.axes[6 + k] + i);
  for (int k = 0; k < 3; ++k) s.third[k] = axes[2][k];
  for (int r = 0; r < 2; ++r) {
    Float side =
        w[3 * r] * mean[0] + w[3 * r + 1] * mean[1] + w[3 * r + 2] * mean[2] + view.shift[r];
    s.slope[r] = side * s.inverse;
    s.clamped[r] = clamp(s.slope[r], all(view.slope_low[r]), all(view.slope_high[r]));
    s.center[r] = s.slope[r] * view.focal[r] + view.middle[r];
    Float factor = view.focal[r] * s.inverse;
    for (int k = 0; k < 3; ++k)
      s.rows[r][k] = (axes[r][k] - s.clamped[r] * axes[2][k]) * factor;
    s.variance[r] =
        s.rows[r][0] * s.rows[r][0] + s.rows[r][1] * s.rows[r][1] + s.rows[r][2] * s.rows[r][2];
  }
  s.covariance =
      s.rows[0][0] * s.rows[1][0] + s.rows[0][1] * s.rows[1][1] + s.rows[0][2] * s.rows[1][2];
  Float c0 = s.rows[0][1] * s.rows[1][2] - s.rows[0][2] * s.rows[1][1];
  Float c1 = s.rows[0][2] * s.rows[1][0] - s.rows[0][0] * s.rows[1][2];
  Float c2 = s.rows[0][0] * s.rows[1][1] - s.rows[0][1] * s.rows[1][0];
  s.determinant = c0 * c0 + c1 * c1 + c2 * c2 + low_pass * (s.variance[0] + s.variance[1]) +
                  low_pass * low_pass;
  s.variance[0] += low_pass;
  s.variance[1] += low_pass;
  return s;
}

// Adds the screen offset of the lanes' splats.
static INLINE void shift_centers(const View& view, int index, int count, Screen& s) {
  if (view.offset == nullptr) return;
  for (int r = 0; r < 2; ++r)
    s.center[r] += load_strided(view.offset + 2 * index + r, 2, count);
}

// Which lanes leave a mark on the picture; every comparison is false for NaN.
static INLINE Int is_drawn(const Job& job, const Screen& s, Float level) {
  Float reach = sqrt(max(level + log2_255, all(0.0f))) * (1.0f / whiten);
  Float x = reach * sqrt(s.variance[0]), y = reach * sqrt(s.variance[1]);
  Int drawn = (level >= -log2_255) & (s.z > near_plane) & (s.z < far_plane);
  drawn &= (s.variance[0] < variance_max) & (s.variance[1] < variance_max);
  drawn &= (abs(s.center[0]) < center_max) & (abs(s.center[1]) < center_max);
  drawn &= (s.center[0] + x > 0.0f) & (s.center[0] - x < (float)job.width);
  return drawn & (s.center[1] + y > 0.0f) & (s.center[1] - y < (float)job.height);
}

static INLINE Float round_up(Float x) {  // of numbers from 0 to 2^24
  Float floor = to_float(truncate(x));
  return floor + select(floor < x, all(1.0f), all(0.0f));
}

static INLINE Float radius_of(const Screen& s) {
  Float middle = 0.5f * (s.variance[0] + s.variance[1]);
  Float half = 0.5f * (s.variance[0] - s.variance[1]);
  return round_up(3.0f * sqrt(middle + sqrt(half * half + s.covariance * s.covariance)));
}

}  // namespace KERNEL_ISA
