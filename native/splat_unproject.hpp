// The way back from the screen to the scene: gradient slots in, gradients of the parameters
// out.
#pragma once

namespace KERNEL_ISA {

// Gradients of one chunk, summed over views.
struct Sums {
  alignas(64) float mean[3][chunk_size], axes[9][chunk_size], opacity[1][chunk_size];
  alignas(64) float quat[4][chunk_size], scale[3][chunk_size], flat[3][chunk_size];
};

static INLINE void add(float* to, Float value) { store(to, load(to) + value); }

// Sums the slots of each lane's splat, in the order of its pairs, and transposes them.
static INLINE void gather(const View& view, const Chunk& chunk, int number, int i,
                          Float* sums) {
  alignas(64) float rows[SUMS][lanes] = {};
  int count = chunk.size - i < lanes ? chunk.size - i : lanes;
  for (int lane = 0; lane < count; ++lane) {
    uint32_t id = chunk.begin + i + lane, pairs = view.spans[id].count;
    if (pairs == 0) continue;
    const float* slot =
        view.slots + (int64_t)slot_size * (view.base[number] + view.spans[id].first);
    alignas(64) float total[slot_size] = {};
    for (uint32_t pair = 0; pair < pairs; ++pair, slot += slot_size)
      for (int k = 0; k < slot_size; ++k) total[k] += slot[k];
    for (int k = 0; k < SUMS; ++k) rows[k][lane] = total[k];
  }
  for (int k = 0; k < SUMS; ++k) sums[k] = load(rows[k]);
}

// Harmonics: adds to the gradient of the coefficients, and of the mean through the direction.
static INLINE void unsee_color(const Job& job, const View& view, const Chunk& chunk, int i,
                               Int drawn, const Float* grad, Float* sh_grad, Float* mean_grad) {
  int coefficients = job.coefficients, count = chunk.size - i, stride = 3 * coefficients;
  Float basis[max_coefficients], weight[max_coefficients] = {}, n[3], turn[3];
  Float inverse = look(view, chunk, i, n);
  harmonics(coefficients, n[0], n[1], n[2], basis);
  for (int k = 0; k < coefficients; ++k)
    for (int channel = 0; channel < 3; ++channel)
      sh_grad[3 * k + channel] += select(drawn, basis[k] * grad[channel], all(0.0f));
  if (coefficients == 1) return;
  const float* sh = job.sh + (int64_t)stride * (chunk.begin + i);
  for (int k = 1; k < coefficients; ++k) {
    for (int channel = 0; channel < 3; ++channel)
      weight[k] += grad[channel] * load_strided(sh + 3 * k + channel, stride, count);
  }
  harmonics_gradient(coefficients, n[0], n[1], n[2], weight, turn);
  Float along = turn[0] * n[0] + turn[1] * n[1] + turn[2] * n[2];
  for (int k = 0; k < 3; ++k) mean_grad[k] += (turn[k] - along * n[k]) * inverse;
}

// Through the projection: adds to the gradients of the mean and of the scaled axes.
static INLINE void unproject_lanes(const View& view, const Screen& s, const Float* sums,
                                   Float* center_grad, Float* mean_grad,
                                   Float (*axes_grad)[3]) {
  constexpr float unwhiten = 1.0f / whiten;
  Float p = sqrt(s.variance[1] / s.determinant), q = 1.0f / sqrt(s.variance[1]);
  Float pk = -p * s.covariance / s.variance[1];
  Float e1 = sums[S1] * unwhiten, e2 = sums[S2] * unwhiten;
  center_grad[0] = p * e1;
  center_grad[1] = pk * e1 + q * e2;
  constexpr float half = 0.5f * unwhiten * unwhiten;
  Float m11 = half * sums[S11], m12 = half * sums[S12], m22 = half * sums[S22];
  // Gradient of the screen covariance: B m B', where B takes whitened offsets to gradients.
  Float g00 = p * p * m11, t = pk * m11 + q * m12;
  Float g01 = p * t, g11 = pk * t + q * (pk * m12 + q * m22);
  Float depth_grad = sums[DEPTH], clamped_grad[2], row_grad[2][3];
  for (int k = 0; k < 3; ++k) {
    row_grad[0][k] = 2.0f * (g00 * s.rows[0][k] + g01 * s.rows[1][k]);
    row_grad[1][k] = 2.0f * (g01 * s.rows[0][k] + g11 * s.rows[1][k]);
  }
  for (int r = 0; r < 2; ++r) {
    Float factor = view.focal[r] * s.inverse;
    Float third =
        row_grad[r][0] * s.third[0] + row_grad[r][1] * s.third[1] + row_grad[r][2] * s.third[2];
    Float self = row_grad[r][0] * s.rows[r][0] + row_grad[r][1] * s.rows[r][1] +
                 row_grad[r][2] * s.rows[r][2];
    clamped_grad[r] = -factor * third;
    depth_grad -= self * s.inverse;
    for (int k = 0; k < 3; ++k) row_grad[r][k] *= factor;
  }
  Float side_grad[3];
  for (int r = 0; r < 2; ++r) {
    Int free = (s.slope[r] >= view.slope_low[r]) & (s.slope[r] <= view.slope_high[r]);
    Float slope_grad =
        view.focal[r] * center_grad[r] + select(free, clamped_grad[r], all(0.0f));
    side_grad[r] = slope_grad * s.inverse;
    depth_grad -= side_grad[r] * s.slope[r];
  }
  side_grad[2] = depth_grad;
  const float* w = view.rotation;
  for (int k = 0; k < 3; ++k) {
    mean_grad[k] += w[k] * side_grad[0] + w[3 + k] * side_grad[1] + w[6 + k] * side_grad[2];
    Float third = -(s.clamped[0] * row_grad[0][k] + s.clamped[1] * row_grad[1][k]);
    for (int row = 0; row < 3; ++row)
      axes_grad[row][k] =
          w[row] * row_grad[0][k] + w[3 + row] * row_grad[1][k] + w[6 + row] * third;
  }
}

// Which lanes left a mark: the others hold nothing to be trusted.
static INLINE Int left_marks(const View& view, const Chunk& chunk, int i) {
  Int drawn = all(0);
  for (int lane = 0; lane < lanes && i + lane < chunk.size; ++lane)
    drawn[lane] = view.spans[chunk.begin + i + lane].count ? -1 : 0;
  return drawn;
}

static INLINE void store_strided(float* to, int stride, int count, Float value) {
  for (int lane = 0; lane < lanes && lane < count; ++lane) to[stride * lane] = value[lane];
}

static INLINE void mask_clamped(const View& view, const Chunk& chunk, int i, Float* grad) {
  for (int lane = 0; lane < lanes && i + lane < chunk.size; ++lane) {
    uint32_t id = chunk.begin + i + lane;
    if (view.spans[id].count == 0) continue;
    const Record& g = view.records[id];  // a color of zero was cut off there
    grad[0][lane] = g.r > 0 ? grad[0][lane] : 0;
    grad[1][lane] = g.g > 0 ? grad[1][lane] : 0;
    grad[2][lane] = g.b > 0 ? grad[2][lane] : 0;
  }
}

// One register of splats in one view.
static INLINE void unproject_view(const Job& job, const View& view, Chunk& chunk, int number,
                                  int i, Sums& total, Float* sh_grad) {
  int index = chunk.begin + i, count = chunk.size - i;
  Int drawn = left_marks(view, chunk, i);
  Float zero = all(0.0f), center[2] = {zero, zero};
  if (any(drawn)) {
    Float sums[SUMS], mean[3] = {zero, zero, zero}, axes[3][3];
    gather(view, chunk, number, i, sums);
    Screen s = to_screen(view, chunk, i);
    unproject_lanes(view, s, sums, center, mean, axes);
    mask_clamped(view, chunk, i, sums + RED);
    unsee_color(job, view, chunk, i, drawn, sums + RED, sh_grad, mean);
    for (int k = 0; k < 3; ++k) add(total.mean[k] + i, select(drawn, mean[k], zero));
    for (int k = 0; k < 9; ++k) add(total.axes[k] + i, select(drawn, axes[k / 3][k % 3], zero));
    add(total.opacity[0] + i, select(drawn, sums[S] / load(chunk.opacity[0] + i), zero));
  }
  for (int r = 0; r < 2 && view.offset_grad; ++r)
    store_strided(view.offset_grad + 2 * index + r, 2, count, select(drawn, center[r], zero));
}

// From the gradient of rotation times scale to those of quaternion and scale.
static INLINE void unrotate(const Chunk& chunk, int i, Sums& total) {
  Rotation q = load_rotation(chunk, i);
  Float g[9], scale_grad[3] = {all(0.0f), all(0.0f), all(0.0f)};
  for (int k = 0; k < 9; ++k) {
    Float axes = load(total.axes[k] + i);
    scale_grad[k % 3] += axes * q.r[k];
    g[k] = axes * load(chunk.scale[k % 3] + i);
  }
  Float w = q.x * (g[7] - g[5]) + q.y * (g[2] - g[6]) + q.z * (g[3] - g[1]);
  Float x = q.y * (g[1] + g[3]) + q.z * (g[2] + g[6]) + q.w * (g[7] - g[5]);
  Float y = q.x * (g[1] + g[3]) + q.z * (g[5] + g[7]) + q.w * (g[2] - g[6]);
  Float z = q.x * (g[2] + g[6]) + q.y * (g[5] + g[7]) + q.w * (g[3] - g[1]);
  x -= 2.0f * q.x * (g[4] + g[8]);
  y -= 2.0f * q.y * (g[0] + g[8]);
  z -= 2.0f * q.z * (g[0] + g[4]);
  // Only the part across the quaternion counts, as its length does not.
  Float along = w * q.w + x * q.x + y * q.y + z * q.z, factor = 2.0f * q.inverse;
  store(total.quat[0] + i, (w - along * q.w) * factor);
  store(total.quat[1] + i, (x - along * q.x) * factor);
  store(total.quat[2] + i, (y - along * q.y) * factor);
  store(total.quat[3] + i, (z - along * q.z) * factor);
  for (int k = 0; k < 3; ++k) store(total.scale[k] + i, scale_grad[k]);
}

// Columns back to rows.
template <int width>
static INLINE void transpose_back(const float (*from)[chunk_size], int size, float* to) {
  for (int i = 0; i < size; ++i)
    for (int k = 0; k < width; ++k) to[width * i + k] = from[k][i];
}

static void write_chunk(const Job& job, const Chunk& chunk, const Sums& total) {
  int64_t begin = chunk.begin;
  transpose_back<3>(total.mean, chunk.size, job.means_grad + 3 * begin);
  transpose_back<4>(total.quat, chunk.size, job.quats_grad + 4 * begin);
  transpose_back<3>(total.scale, chunk.size, job.scales_grad + 3 * begin);
  transpose_back<1>(total.opacity, chunk.size, job.opacities_grad + begin);
  if (job.coefficients == 1) transpose_back<3>(total.flat, chunk.size, job.sh_grad + 3 * begin);
}

static void unproject(const Job& job, int number) {
  Chunk chunk;
  Sums total = {};
  load_chunk(job, number * chunk_size, chunk);
  int stride = 3 * job.coefficients;
  for (int i = 0; i < chunk.size; i += lanes) {
    Float sh_grad[3 * max_coefficients];
    for (int k = 0; k < stride; ++k) sh_grad[k] = all(0.0f);
    for (int v = 0; v < job.views; ++v) {
      find_depths(job.view[v], chunk, i, i + lanes);
      unproject_view(job, job.view[v], chunk, number, i, total, sh_grad);
    }
    if (job.coefficients == 1) {
      for (int k = 0; k < 3; ++k) store(total.flat[k] + i, sh_grad[k]);
    } else {
      float* to = job.sh_grad + (int64_t)stride * (chunk.begin + i);
      for (int k = 0; k < stride; ++k)
        store_strided(to + k, stride, chunk.size - i, sh_grad[k]);
    }
    unrotate(chunk, i, total);
  }
  write_chunk(job, chunk, total);
}

}  // namespace KERNEL_ISA
