// Signed distances of the primitives and of a fold over parts, for a packet of points.
// Exact distances after I. Quilez, "Distance functions"; the ellipsoid's is first-order exact at
// its surface and too small elsewhere, which only costs steps.
#pragma once

#include <cmath>

#include "toybox_kernel.hpp"
#include "toybox_lanes.hpp"

namespace toybox::KERNEL_ISA {

struct Part {
  int kind, operation, id, group;
  bool mirrored, turned;
  float center[3], rotation[9], size[6], blend, bound;
};

static inline Part read_part(const float* row, const std::int32_t* head, int id) {
  Part part;
  part.kind = head[0], part.operation = head[1], part.mirrored = head[2] != 0, part.id = id;
  part.group = head[3];
  for (int i = 0; i < 3; ++i) part.center[i] = row[i];
  for (int i = 0; i < 9; ++i) part.rotation[i] = row[3 + i];
  for (int i = 0; i < 6; ++i) part.size[i] = row[12 + i];
  part.blend = row[18], part.bound = row[22];
  part.turned = !(row[3] == 1 && row[7] == 1 && row[11] == 1);
  if (part.kind == kEllipsoid)
    for (int i = 0; i < 3; ++i) part.size[3 + i] = 1 / part.size[i];
  return part;
}

static inline vf ellipsoid(Point p, const float* s) {
  const vf x = p.x * s[3], y = p.y * s[4], z = p.z * s[5];
  const vf k0 = length3(x, y, z), k1 = length3(x * s[3], y * s[4], z * s[5]);
  return k0 * (k0 - 1.0f) / larger(k1, splat(1e-6f));
}

static inline vf box(Point p, const float* s) {
  const vf x = magnitude(p.x) - s[0], y = magnitude(p.y) - s[1], z = magnitude(p.z) - s[2];
  const vf none{};
  return length3(larger(x, none), larger(y, none), larger(z, none)) +
         smaller(larger(x, larger(y, z)), none) - s[3];
}

static inline vf rim(vf across, vf along, float round) {
  const vf none{};
  return length2(larger(across, none), larger(along, none)) +
         smaller(larger(across, along), none) - round;
}

// Distance to an isosceles trapezoid: half-widths s[0] at the bottom, s[1] at the top,
// half-height s[2]; `across` is not negative.
static inline vf trapezoid(vf across, vf along, const float* s) {
  const float slope = s[1] - s[0], height = 2 * s[2];
  const vf end_x = across - smaller(across, along < 0.0f ? splat(s[0]) : splat(s[1]));
  const vf end_y = magnitude(along) - s[2];
  const vf dx = s[1] - across, dy = s[2] - along;
  const vf share = clamped((dx * slope + dy * height) / (slope * slope + height * height), 0, 1);
  const vf side_x = slope * share - dx, side_y = height * share - dy;
  const vf squared =
      smaller(end_x * end_x + end_y * end_y, side_x * side_x + side_y * side_y);
  const vi inside = (side_x < 0.0f) & (end_y < 0.0f);
  return (inside ? splat(-1) : splat(1)) * root(squared);
}

static inline vf round_cone(Point p, const float* s) {
  const vf q = length2(p.x, p.y);
  const vf along = p.z * s[3] - q * s[4];
  const vf middle = q * s[3] + p.z * s[4] - s[0];
  const vf low = length2(q, p.z) - s[0], high = length2(q, p.z - s[2]) - s[1];
  return along < 0.0f ? low : (along > s[3] * s[2] ? high : middle);
}

static inline vf distance_to(const Part& part, Point p) {
  const float* c = part.center;
  const float* s = part.size;
  if (part.mirrored) p.y = magnitude(p.y);
  p = {p.x - c[0], p.y - c[1], p.z - c[2]};
  if (part.turned) {
    const float* r = part.rotation;
    p = {p.x * r[0] + p.y * r[1] + p.z * r[2], p.x * r[3] + p.y * r[4] + p.z * r[5],
         p.x * r[6] + p.y * r[7] + p.z * r[8]};
  }
  switch (part.kind) {
    case kEllipsoid: return ellipsoid(p, s);
    case kSphere: return length3(p.x, p.y, p.z) - s[0];
    case kBox: return box(p, s);
    case kCylinder: return rim(length2(p.x, p.y) - s[0], magnitude(p.z) - s[1], s[2]);
    case kFrustum: return trapezoid(length2(p.x, p.y), p.z, s) - s[3];
    case kCapsule: return length3(p.x, p.y, p.z - clamped(p.z, -s[1], s[1])) - s[0];
    case kTorus: return length2(length2(p.x, p.y) - s[0], p.z) - s[1];
    case kSlab: return rim(trapezoid(magnitude(p.x), p.z, s), magnitude(p.y) - s[4], s[3]);
    default: return round_cone(p, s);
  }
}

static inline vf smooth_union(vf a, vf b, float blend) {
  const vf h = larger(blend - magnitude(a - b), vf{});
  return smaller(a, b) - h * h * (0.25f / blend);
}

constexpr float kFar = 1e9f;

// Signed distance of the fold, group by group, the nearest group counting; paint has none.
static inline vf fold(const Part* const* parts, int count, Point p) {
  vf distance = splat(kFar), others = distance;
  for (int i = 0; i < count; ++i) {
    const Part& part = *parts[i];
    if (i && part.group != parts[i - 1]->group)
      others = smaller(others, distance), distance = splat(kFar);
    if (part.operation == kPaint) continue;
    const vf d = distance_to(part, p);
    if (part.operation == kUnion) distance = smaller(distance, d);
    else if (part.operation == kSmooth) distance = smooth_union(distance, d, part.blend);
    else distance = larger(distance, -d);
  }
  return smaller(others, distance);
}

// The part whose color shows at each point: the nearer one of a union, the carver of a cut,
// and paint wherever it covers the point.
static inline vf nearest(const Part* const* parts, int count, Point p, vf* distance_out) {
  vf distance = splat(kFar), id = splat(-1), others = distance, other_id = id;
  for (int i = 0; i < count; ++i) {
    const Part& part = *parts[i];
    if (i && part.group != parts[i - 1]->group) {
      other_id = distance < others ? id : other_id;
      others = smaller(others, distance);
      distance = splat(kFar), id = splat(-1);
    }
    const vf d = distance_to(part, p), own = splat(static_cast<float>(part.id));
    if (part.operation == kPaint) {
      id = d < 0.0f ? own : id;
    } else if (part.operation == kSubtract) {
      id = -d > distance ? own : id;
      distance = larger(distance, -d);
    } else {
      id = d < distance ? own : id;
      distance = part.operation == kUnion ? smaller(distance, d)
                                          : smooth_union(distance, d, part.blend);
    }
  }
  id = distance < others ? id : other_id;
  *distance_out = smaller(others, distance);
  return id;
}

}  // namespace toybox::KERNEL_ISA
