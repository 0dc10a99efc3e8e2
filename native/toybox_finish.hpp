// Patterns and materials of one seen point; splatsmith/toybox/finishes.py is the plain twin and
// explains the numbers.
#pragma once

#include <algorithm>
#include <cmath>

namespace toybox::KERNEL_ISA {

enum Finish { kPlain, kStriped, kSpotted, kCheckered, kWooden, kMetal, kGlass };

static inline bool odd(float value) { return (static_cast<int>(std::floor(value)) & 1) != 0; }

static inline float lattice_distance(const float* p, float shift) {
  float squared = 0;
  for (int i = 0; i < 3; ++i) {
    const float d = p[i] - std::nearbyint(p[i] - shift) - shift;
    squared += d * d;
  }
  return std::sqrt(squared);
}

static inline bool in_second_color(int finish, const float* p) {
  if (finish == kStriped)
    return odd((p[0] * 0.30f + p[1] * 0.20f + p[2] * 0.9327379f) / 0.13f);
  if (finish == kSpotted) {
    const float cell[3] = {p[0] / 0.36f, p[1] / 0.36f, p[2] / 0.36f};
    return std::fmin(lattice_distance(cell, 0.0f), lattice_distance(cell, 0.5f)) < 0.115f / 0.36f;
  }
  if (finish != kCheckered) return false;
  const float sum = std::floor((p[0] + 0.07f) / 0.22f) + std::floor((p[1] + 0.11f) / 0.22f) +
                    std::floor((p[2] + 0.05f) / 0.22f);
  return odd(sum);
}

// `row` is the part's; n, to_eye and light are unit vectors; writes RGB, at most 1.
static inline void lit(const float* row, const float* point, const float* n, const float* to_eye,
                       const float* light, float shade, float* rgb) {
  const int finish = static_cast<int>(row[23] + 0.5f);
  const float* color = row + 19;
  if (finish == kPlain) {
    for (int c = 0; c < 3; ++c) rgb[c] = std::fmin(1.0f, color[c] * shade);
    return;
  }
  const float p[3] = {point[0] / row[27], point[1] / row[27], point[2] / row[27]};
  if (in_second_color(finish, p)) color = row + 24;
  if (finish < kWooden) {
    for (int c = 0; c < 3; ++c) rgb[c] = std::fmin(1.0f, color[c] * shade);
    return;
  }
  if (finish == kWooden) {
    const float x = p[0] - 0.31f + 0.12f * p[2], y = p[1] + 0.17f;
    const float ring = std::sin(std::sqrt(x * x + y * y) * (6.28318530718f / 0.12f));
    const float grain = 1 - 0.42f * (0.5f + 0.5f * ring);
    for (int c = 0; c < 3; ++c) rgb[c] = std::fmin(1.0f, color[c] * grain * shade);
    return;
  }
  float half[3], length = 0, facing = 0, toward = 0;
  for (int i = 0; i < 3; ++i) {
    half[i] = light[i] + to_eye[i];
    length += half[i] * half[i];
    facing += n[i] * to_eye[i];
  }
  length = std::fmax(std::sqrt(length), 1e-12f);
  for (int i = 0; i < 3; ++i) toward += n[i] * half[i] / length;
  const float gloss = std::pow(std::fmax(toward, 0.0f), 24.0f);
  if (finish == kMetal) {
    const float sky = std::clamp(0.5f + 2.5f * (2 * facing * n[2] - to_eye[2]), 0.0f, 1.0f);
    for (int c = 0; c < 3; ++c)
      rgb[c] = std::fmin(1.0f, color[c] * shade * (0.5f + 0.7f * sky) + 0.7f * gloss);
    return;
  }
  const float rim = 0.30f + 0.70f * (1 - std::clamp(facing, 0.0f, 1.0f));
  for (int c = 0; c < 3; ++c)
    rgb[c] = std::fmin(1.0f, (0.95f + (color[c] - 0.95f) * rim) * (0.45f + 0.55f * shade) +
                                 0.5f * gloss);
}

}  // namespace toybox::KERNEL_ISA
