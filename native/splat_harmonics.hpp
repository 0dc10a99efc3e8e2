// Spherical harmonics up to degree 3 (order and signs of 3DGS) and their derivatives.
#pragma once

namespace KERNEL_ISA {

constexpr int max_coefficients = 16;

static INLINE void harmonics(int count, Float x, Float y, Float z, Float* out) {
  out[0] = all(0.28209479f);
  if (count < 4) return;
  out[1] = -0.48860251f * y;
  out[2] = 0.48860251f * z;
  out[3] = -0.48860251f * x;
  if (count < 9) return;
  Float xx = x * x, yy = y * y, zz = z * z;
  out[4] = 1.09254843f * x * y;
  out[5] = -1.09254843f * y * z;
  out[6] = 0.94617470f * zz - 0.31539157f;
  out[7] = -1.09254843f * x * z;
  out[8] = 0.54627422f * (xx - yy);
  if (count < 16) return;
  Float side = 0.45704580f - 2.28522900f * zz;
  out[9] = -0.59004359f * y * (3.0f * xx - yy);
  out[10] = 2.89061144f * x * y * z;
  out[11] = y * side;
  out[12] = z * (1.86588166f * zz - 1.11952900f);
  out[13] = x * side;
  out[14] = 1.44530572f * z * (xx - yy);
  out[15] = -0.59004359f * x * (xx - 3.0f * yy);
}

// Gradient of sum(weight[k] * harmonics[k]) with respect to x, y and z as free variables.
static INLINE void harmonics_gradient(int count, Float x, Float y, Float z, const Float* weight,
                                      Float* out) {
  out[0] = -0.48860251f * weight[3];
  out[1] = -0.48860251f * weight[1];
  out[2] = 0.48860251f * weight[2];
  if (count < 9) return;
  Float a = 1.09254843f * weight[4], b = -1.09254843f * weight[5], c = -1.09254843f * weight[7];
  Float d = 1.09254843f * weight[8];
  out[0] += a * y + c * z + d * x;
  out[1] += a * x + b * z - d * y;
  out[2] += b * y + c * x + 1.89234939f * z * weight[6];
  if (count < 16) return;
  Float xx = x * x, yy = y * y, zz = z * z;
  Float side = 0.45704580f - 2.28522900f * zz, slope = -4.57045799f * z;
  Float e = -1.77013077f * weight[9], f = 2.89061144f * weight[10],
        g = 1.44530572f * weight[14];
  Float h = -1.77013077f * weight[15];
  out[0] += 2.0f * e * x * y + f * y * z + side * weight[13] + 2.0f * g * x * z + h * (xx - yy);
  out[1] += e * (xx - yy) + f * x * z + side * weight[11] - 2.0f * g * y * z - 2.0f * h * x * y;
  out[2] += f * x * y + slope * (y * weight[11] + x * weight[13]) +
            (5.59764499f * zz - 1.11952900f) * weight[12] + g * (xx - yy);
}

// Unit vectors from the eye to the lanes' splats, and one over the distances.
static INLINE Float look(const View& view, const Chunk& chunk, int i, Float* direction) {
  for (int k = 0; k < 3; ++k) direction[k] = load(chunk.mean[k] + i) - view.eye[k];
  Float square =
      direction[0] * direction[0] + direction[1] * direction[1] + direction[2] * direction[2];
  Float inverse = 1.0f / sqrt(square);
  for (int k = 0; k < 3; ++k) direction[k] *= inverse;
  return inverse;
}

static INLINE void see_color(const Job& job, const View& view, const Chunk& chunk, int i,
                             Float* color) {
  if (job.coefficients == 1) {
    for (int channel = 0; channel < 3; ++channel)
      color[channel] = max(0.28209479f * load(chunk.flat[channel] + i) + 0.5f, all(0.0f));
    return;
  }
  Float basis[max_coefficients], direction[3];
  look(view, chunk, i, direction);
  harmonics(job.coefficients, direction[0], direction[1], direction[2], basis);
  int stride = 3 * job.coefficients, count = chunk.size - i;
  const float* sh = job.sh + (int64_t)stride * (chunk.begin + i);
  for (int channel = 0; channel < 3; ++channel) {
    color[channel] = all(0.5f);
    for (int k = 0; k < job.coefficients; ++k)
      color[channel] += basis[k] * load_strided(sh + 3 * k + channel, stride, count);
    color[channel] = max(color[channel], all(0.0f));
  }
}

}  // namespace KERNEL_ISA
