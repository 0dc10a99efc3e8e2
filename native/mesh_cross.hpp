// Silhouettes between neighboring pixels (Laine et al. 2020, section 3.6), found by walking.
//
// The paper looks at the edges of the one triangle that the nearer pixel shows. Where triangles
// are smaller than pixels that misses most silhouettes, so here the line from pixel to pixel is
// followed from triangle to triangle until the surface ends or folds back.
#pragma once

namespace KERNEL_ISA {

struct Seen {  // a vertex from a pixel's center: along the line to its neighbor, and across it
  float along, across, w;
  int32_t vertex;
};

struct Line {
  const Antialias* job;
  int view, axis;
  float px, py;

  Seen see(int64_t vertex) const {
    Corner at = corner(job->mesh, view, vertex);
    float x = at.x - px * at.w, y = at.y - py * at.w;
    return axis ? Seen{y, x, at.w, (int32_t)vertex} : Seen{x, y, at.w, (int32_t)vertex};
  }
};

INLINE float crossing_at(const Seen& a, const Seen& b) {  // where the edge meets the line
  return (a.along * b.across - b.along * a.across) / (a.w * b.across - b.w * a.across);
}

INLINE float side(const Seen& a, const Seen& b, const Seen& c) {
  return a.along * (b.across * c.w - c.across * b.w) - a.across * (b.along * c.w - c.along * b.w) +
         a.w * (b.along * c.across - c.along * b.across);
}

// The edge by which the line leaves a triangle that it entered by `entry` (-1: it began inside).
INLINE int leave(const Seen (&corners)[3], int entry, int step, float& distance) {
  int best = -1;
  distance = -__builtin_inff();
  for (int k = 0; k < 3; ++k) {
    const Seen &a = corners[(k + 1) % 3], &b = corners[(k + 2) % 3];
    if (k == entry || (a.across < 0) == (b.across < 0)) continue;
    float found = (float)step * crossing_at(a, b);
    if (found > distance) best = k, distance = found;
  }
  return best;
}

// Whether the silhouette is one that this direction measures: each edge is measured along one
// axis only, the one that it stands steeper to, so that its pixels add up to its area.
INLINE bool steep(const Seen& a, const Seen& b, int axis) {
  float along = __builtin_fabsf(a.along / a.w - b.along / b.w);
  float across = __builtin_fabsf(a.across / a.w - b.across / b.w);
  return axis ? across > along : across >= along;
}

static bool walk(const Line& line, int64_t face, int64_t goal, int step, Crossing& out) {
  const Antialias& job = *line.job;
  int entry = -1;
  for (int turn = 0; turn < longest_walk; ++turn) {
    const int64_t* index = job.mesh.faces + 3 * face;
    const Seen corners[3] = {line.see(index[0]), line.see(index[1]), line.see(index[2])};
    for (const Seen& at : corners)
      if (!(at.w > near_plane)) return false;
    int exit = leave(corners, entry, step, out.distance);
    if (exit < 0 || out.distance > 1) return false;
    const Seen &a = corners[(exit + 1) % 3], &b = corners[(exit + 2) % 3];
    int64_t next = job.neighbors[3 * face + exit];
    bool ends = next < 0;
    if (!ends) {
      const int64_t* other = job.mesh.faces + 3 * next;
      entry = 0;
      while (entry < 2 && (other[entry] == a.vertex || other[entry] == b.vertex)) ++entry;
      Seen beyond = line.see(other[entry]);
      if (!(beyond.w > near_plane)) return false;
      ends = side(a, b, corners[exit]) * side(a, b, beyond) > 0;
    }
    if (ends) {
      out.first = a.vertex, out.second = b.vertex;
      return out.distance > -behind_center && steep(a, b, line.axis);
    }
    if (next == goal) return false;
    face = next;
  }
  return false;
}

// The crossings between the pixels of a row and their right and lower neighbors: at most two for
// each pixel. Returns how many.
static int cross(const Antialias& job, int view, int row, Crossing* out) {
  const Mesh& mesh = job.mesh;
  int64_t start = (int64_t)view * mesh.height * mesh.width;
  int count = 0;
  for (int x = 0; x < mesh.width; ++x)
    for (int axis = 0; axis < 2; ++axis) {
      if (axis ? row + 1 >= mesh.height : x + 1 >= mesh.width) continue;
      int32_t here = row * mesh.width + x, there = here + (axis ? mesh.width : 1);
      int64_t a = job.triangle[start + here], b = job.triangle[start + there];
      if (a == b) continue;
      bool first = b < 0 || (a >= 0 && job.depth[start + here] <= job.depth[start + there]);
      Crossing& found = out[count];
      found.near = first ? here : there, found.far = first ? there : here;
      found.axis = (int8_t)axis, found.step = first ? 1 : -1;
      int nx = found.near % mesh.width, ny = found.near / mesh.width;
      Line line{&job, view, axis, (float)nx + 0.5f, (float)ny + 0.5f};
      count += walk(line, first ? a : b, first ? b : a, found.step, found);
    }
  return count;
}

}  // namespace KERNEL_ISA
