// The toybox's renderer: what one call is given, and the variants of it (one per instruction set).
//
// An object is a tape: rows of kRow floats and kHead integers, one row per part, folded in order.
//   floats: 0-2 center, 3-11 rotation (local from world, row-major), 12-17 sizes, 18 blend radius,
//           19-21 color, 22 bounding radius around the center, 23 finish, 24-26 its second color,
//           27 size of its pattern
//   integers: kind, operation, mirrored (1: the part also exists at -y), group (parts of one thing:
//             only those before it in its own group does a part join, cut or paint)
// splatsmith/toybox/tape.py packs it and splatsmith/toybox/sdf.py is the plain twin.
#pragma once

#include <cstdint>

namespace toybox {

constexpr int kRow = 28;
constexpr int kHead = 4;
constexpr int kMostParts = 192;

enum Kind { kEllipsoid, kSphere, kBox, kCylinder, kFrustum, kCapsule, kTorus, kSlab, kRoundCone };
enum Operation { kUnion, kSmooth, kSubtract, kPaint };

struct Job {
  const float* rows;            // [parts, kRow]
  const std::int32_t* heads;    // [parts, kHead]
  const std::int32_t* starts;   // [objects + 1]: first part of each object
  const std::int32_t* which;    // [views]: the object that each view shows
  const float* viewmat;         // [views, 4, 4] world to camera
  const float* intrinsics;      // [views, 3, 3]
  const float* light;           // [views, 3] unit vector toward the light, world
  const float* background;      // [views, 3]
  int views, width, height;
  int samples;                  // samples a side of a pixel
  float* color;                 // [views, height, width, 3]
  float* alpha;                 // [views, height, width]
  float* depth;                 // [views, height, width] or null
  float* normal;                // [views, height, width, 3] or null
  std::int32_t* part;           // [views, height, width] or null; -1 where nothing is seen
};

// Distance and nearest part of one object at many points.
struct Probe {
  const float* rows;
  const std::int32_t* heads;
  int parts;
  const float* points;          // [count, 3]
  std::int64_t count;
  float* distance;              // [count]
  std::int32_t* part;           // [count], or null
};

#define TOYBOX_VARIANT(isa)                        \
  namespace isa {                                  \
  void render_view(const Job& job, int view);      \
  void probe(const Probe& probe);                  \
  }
TOYBOX_VARIANT(baseline)
#if defined(__x86_64__)
TOYBOX_VARIANT(avx2)
TOYBOX_VARIANT(avx512)
#endif
#undef TOYBOX_VARIANT

}  // namespace toybox
