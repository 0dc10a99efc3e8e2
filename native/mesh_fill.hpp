// Which triangle each pixel shows, and where in it.
#pragma once

namespace KERNEL_ISA {

using namespace mesh;

struct Corner {
  float x, y, w;
};

INLINE Corner corner(const Mesh& mesh, int view, int64_t vertex) {
  const float* at = mesh.clip + 3 * (view * mesh.vertices + vertex);
  return {at[0], at[1], at[2]};
}

INLINE int32_t pixel_above(float x, int32_t most) {  // first center at or above x, in 0..most+1
  x = __builtin_ceilf(x - 0.5f - bound_slack);
  return x < 0 ? 0 : x > most ? most + 1 : (int32_t)x;
}

INLINE int32_t pixel_below(float x, int32_t most) {  // last center at or below x, in -1..most
  x = __builtin_floorf(x - 0.5f + bound_slack);
  return x < 0 ? -1 : x > most ? most : (int32_t)x;
}

static void bound(const Raster& job, int view, int64_t first, int64_t last) {
  const Mesh& mesh = job.mesh;
  for (int64_t face = first; face < last; ++face) {
    Box& box = job.boxes[view * mesh.count + face];
    const int64_t* index = mesh.faces + 3 * face;
    Corner a = corner(mesh, view, index[0]), b = corner(mesh, view, index[1]),
           c = corner(mesh, view, index[2]);
    bool before = a.w > near_plane && b.w > near_plane && c.w > near_plane;
    bool some = a.w > near_plane || b.w > near_plane || c.w > near_plane;
    box = {0, mesh.width - 1, 0, mesh.height - 1};
    if (!some) box.x1 = -1;
    if (!before) continue;  // What reaches behind the camera may be anywhere.
    float ax = a.x / a.w, bx = b.x / b.w, cx = c.x / c.w;
    float ay = a.y / a.w, by = b.y / b.w, cy = c.y / c.w;
    box.x0 = pixel_above(__builtin_fminf(ax, __builtin_fminf(bx, cx)), mesh.width - 1);
    box.x1 = pixel_below(__builtin_fmaxf(ax, __builtin_fmaxf(bx, cx)), mesh.width - 1);
    box.y0 = pixel_above(__builtin_fminf(ay, __builtin_fminf(by, cy)), mesh.height - 1);
    box.y1 = pixel_below(__builtin_fmaxf(ay, __builtin_fmaxf(by, cy)), mesh.height - 1);
  }
}

// An edge function along one row: constant - x * slope. Both triangles at an edge get the same
// bits but for the sign, because its ends are taken in order of their index: no pixel is lost
// between them.
struct Edge {
  float constant, slope;
};

INLINE Edge edge(const Corner& a, const Corner& b, float ya, float yb, bool ordered) {
  if (ordered) return {a.x * yb - b.x * ya, a.w * yb - b.w * ya};
  return {-(b.x * ya - a.x * yb), -(b.w * ya - a.w * yb)};
}

INLINE void fill_row(const Edge (&edges)[3], const Corner& a, const Corner& b, const Corner& c,
                     const Box& box, int32_t face, const Planes& planes, int64_t offset) {
  const Float counting = count_up();
  for (int x = box.x0; x <= box.x1; x += lanes) {
    Float px = counting + ((float)x + 0.5f);
    Float e0 = edges[0].constant - px * edges[0].slope;
    Float e1 = edges[1].constant - px * edges[1].slope;
    Float e2 = edges[2].constant - px * edges[2].slope;
    Int inside = (min(e0, min(e1, e2)) >= 0.0f) | (max(e0, max(e1, e2)) <= 0.0f);
    inside &= px <= (float)box.x1 + 0.5f;
    if (!any(inside)) continue;
    Float sum = e0 + e1 + e2;
    inside &= sum != 0.0f;
    Float share = 1.0f / select(inside, sum, all(1.0f));
    Float second = e1 * share, third = e2 * share;
    Float depth = a.w + second * (b.w - a.w) + third * (c.w - a.w);
    float* at = planes.depth + offset + x;
    Float before = load(at);
    Int nearer = inside & (depth > near_plane) & (depth < before);
    if (!any(nearer)) continue;
    store(at, select(nearer, depth, before));
    at = planes.second + offset + x;
    store(at, select(nearer, second, load(at)));
    at = planes.third + offset + x;
    store(at, select(nearer, third, load(at)));
    int32_t* shown = planes.triangle + offset + x;
    Int old;
    __builtin_memcpy(&old, shown, sizeof old);
    store(shown, select(nearer, all(face), old));
  }
}

static void give(const Raster& job, int view, int first, int last, const Planes& planes) {
  const Mesh& mesh = job.mesh;
  for (int y = first; y < last; ++y) {
    int64_t from = (int64_t)(y - first) * planes.stride;
    int64_t to = ((int64_t)view * mesh.height + y) * mesh.width;
    for (int x = 0; x < mesh.width; ++x) {
      int32_t face = planes.triangle[from + x];
      bool seen = face >= 0;
      float second = seen ? planes.second[from + x] : 0, third = seen ? planes.third[from + x] : 0;
      job.triangle[to + x] = face;
      job.depth[to + x] = seen ? planes.depth[from + x] : 0;
      float* out = job.barycentric + 3 * (to + x);
      out[0] = seen ? 1 - second - third : 0;
      out[1] = second, out[2] = third;
    }
  }
}

static void fill(const Raster& job, int view, int band, const int32_t* faces, int64_t count,
                 const Planes& planes) {
  const Mesh& mesh = job.mesh;
  int first = band * band_rows;
  int last = first + band_rows < mesh.height ? first + band_rows : mesh.height;
  for (int i = 0; i < band_rows * planes.stride; ++i) {
    planes.depth[i] = __builtin_inff();
    planes.triangle[i] = -1;
  }
  for (int64_t i = 0; i < count; ++i) {
    const int32_t face = faces[i];
    const Box box = job.boxes[view * mesh.count + face];
    const int64_t* index = mesh.faces + 3 * (int64_t)face;
    Corner a = corner(mesh, view, index[0]), b = corner(mesh, view, index[1]),
           c = corner(mesh, view, index[2]);
    int y0 = box.y0 > first ? box.y0 : first, y1 = box.y1 < last ? box.y1 : last - 1;
    for (int y = y0; y <= y1; ++y) {
      float py = (float)y + 0.5f;
      float ya = a.y - py * a.w, yb = b.y - py * b.w, yc = c.y - py * c.w;
      Edge edges[3] = {edge(b, c, yb, yc, index[1] < index[2]),
                       edge(c, a, yc, ya, index[2] < index[0]),
                       edge(a, b, ya, yb, index[0] < index[1])};
      fill_row(edges, a, b, c, box, face, planes, (int64_t)(y - first) * planes.stride);
    }
  }
  give(job, view, first, last, planes);
}

// From gradients of barycentric coordinates and depth to those of the vertices: b_i = e_i / s
// with e_0 = x_1 y_2 - x_2 y_1 and so on, all relative to the pixel's center.
static void raster_back(const RasterBack& job, int view) {
  const Mesh& mesh = job.mesh;
  for (int y = 0; y < mesh.height; ++y)
    for (int x = 0; x < mesh.width; ++x) {
      int64_t pixel = ((int64_t)view * mesh.height + y) * mesh.width + x;
      int64_t face = job.triangle[pixel];
      if (face < 0) continue;
      const int64_t* index = mesh.faces + 3 * face;
      const float* share = job.barycentric + 3 * pixel;
      float px = (float)x + 0.5f, py = (float)y + 0.5f, xs[3], ys[3], grads[3];
      float depth_grad = job.depth_grad ? job.depth_grad[pixel] : 0, mean = 0;
      for (int i = 0; i < 3; ++i) {
        Corner at = corner(mesh, view, index[i]);
        xs[i] = at.x - px * at.w, ys[i] = at.y - py * at.w;
        grads[i] = depth_grad * at.w;
        if (job.barycentric_grad) grads[i] += job.barycentric_grad[3 * pixel + i];
        mean += grads[i] * share[i];
      }
      float sum = xs[1] * ys[2] - xs[2] * ys[1] + xs[2] * ys[0] - xs[0] * ys[2] +
                  xs[0] * ys[1] - xs[1] * ys[0];
      if (sum == 0) continue;
      for (int i = 0; i < 3; ++i) grads[i] = (grads[i] - mean) / sum;
      for (int i = 0; i < 3; ++i) {
        int next = (i + 1) % 3, last = (i + 2) % 3;
        // Corner i stands first in the edge function of `last` and second in that of `next`.
        float gx = grads[last] * ys[next] - grads[next] * ys[last];
        float gy = grads[next] * xs[last] - grads[last] * xs[next];
        float* out = job.clip_grad + 3 * (view * mesh.vertices + index[i]);
        out[0] += gx, out[1] += gy;
        out[2] += depth_grad * share[i] - px * gx - py * gy;
      }
    }
}

static void interpolate(const Interpolate& job, int view, int row) {
  const float* values = job.attributes + view * job.apart;
  int64_t start = ((int64_t)view * job.height + row) * job.width;
  int channels = job.channels;
  for (int64_t pixel = start; pixel < start + job.width; ++pixel) {
    float* out = job.out + channels * pixel;
    int64_t face = job.triangle[pixel];
    if (face < 0) {
      for (int k = 0; k < channels; ++k) out[k] = 0;
      continue;
    }
    const int64_t* index = job.faces + 3 * face;
    const float *a = values + channels * index[0], *b = values + channels * index[1],
                *c = values + channels * index[2], *share = job.barycentric + 3 * pixel;
    for (int k = 0; k < channels; ++k)
      out[k] = share[0] * a[k] + share[1] * b[k] + share[2] * c[k];
  }
}

static void interpolate_back(const Interpolate& job, int view, float* attributes_grad) {
  const float* values = job.attributes + view * job.apart;
  int64_t pixels = (int64_t)job.height * job.width, start = view * pixels;
  int channels = job.channels;
  for (int64_t pixel = start; pixel < start + pixels; ++pixel) {
    int64_t face = job.triangle[pixel];
    float* share_grad = job.barycentric_grad ? job.barycentric_grad + 3 * pixel : nullptr;
    if (face < 0) {
      if (share_grad) share_grad[0] = share_grad[1] = share_grad[2] = 0;
      continue;
    }
    const float* given = job.out_grad + channels * pixel;
    for (int i = 0; i < 3; ++i) {
      int64_t at = channels * job.faces[3 * face + i];
      float share = job.barycentric[3 * pixel + i], sum = 0;
      if (attributes_grad)
        for (int k = 0; k < channels; ++k) attributes_grad[at + k] += share * given[k];
      if (!share_grad) continue;
      for (int k = 0; k < channels; ++k) sum += values[at + k] * given[k];
      share_grad[i] = sum;
    }
  }
}

}  // namespace KERNEL_ISA
