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

// The first pixel at or above x, in 0..most + 1, and the last at or below, in -1..most; centers
// are whole numbers here.
INLINE int32_t pixel_above(float x, int32_t most) {
  x = __builtin_ceilf(x - bound_slack);
  return x < 0 ? 0 : x > most ? most + 1 : (int32_t)x;
}

INLINE int32_t pixel_below(float x, int32_t most) {
  x = __builtin_floorf(x + bound_slack);
  return x < 0 ? -1 : x > most ? most : (int32_t)x;
}

INLINE float least_of(float a, float b, float c) {  // fminf would be a call
  a = a < b ? a : b;
  return a < c ? a : c;
}

INLINE float most_of(float a, float b, float c) {
  a = a > b ? a : b;
  return a > c ? a : c;
}

static void bound(const Raster& job, int view) {
  const Mesh& mesh = job.mesh;
  float* screen = job.screen + 2 * view * mesh.vertices;
  for (int64_t i = 0; i < mesh.vertices; ++i) {
    Corner at = corner(mesh, view, i);
    float share = 1.0f / at.w;
    screen[2 * i] = at.x * share - 0.5f, screen[2 * i + 1] = at.y * share - 0.5f;
  }
  for (int64_t face = 0; face < mesh.count; ++face) {
    Box& box = job.boxes[view * mesh.count + face];
    const int64_t *index = mesh.faces + 3 * face, a = index[0], b = index[1], c = index[2];
    float wa = corner(mesh, view, a).w, wb = corner(mesh, view, b).w,
          wc = corner(mesh, view, c).w;
    float least = least_of(wa, wb, wc);
    float most = most_of(wa, wb, wc);
    box = {0, mesh.width - 1, 0, mesh.height - 1};
    if (!(most > near_plane)) box.x1 = -1;
    if (!(least > near_plane)) continue;  // What reaches behind the camera may be anywhere.
    const float *p = screen + 2 * a, *q = screen + 2 * b, *r = screen + 2 * c;
    box.x0 = pixel_above(least_of(p[0], q[0], r[0]), mesh.width - 1);
    box.x1 = pixel_below(most_of(p[0], q[0], r[0]), mesh.width - 1);
    box.y0 = pixel_above(least_of(p[1], q[1], r[1]), mesh.height - 1);
    box.y1 = pixel_below(most_of(p[1], q[1], r[1]), mesh.height - 1);
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

INLINE void cross_product(const float* a, const float* b, float* out) {
  out[0] = a[1] * b[2] - a[2] * b[1];
  out[1] = a[2] * b[0] - a[0] * b[2];
  out[2] = a[0] * b[1] - a[1] * b[0];
}

// The two sides of a face that start at its first corner.
INLINE void sides(const Normals& job, const int64_t* index, float* one, float* two) {
  const float *a = job.vertices + 3 * index[0], *b = job.vertices + 3 * index[1],
              *c = job.vertices + 3 * index[2];
  for (int k = 0; k < 3; ++k) one[k] = b[k] - a[k], two[k] = c[k] - a[k];
}

static void normals(const Normals& job) {
  for (int64_t face = 0; face < job.count; ++face) {
    const int64_t* index = job.faces + 3 * face;
    float one[3], two[3], normal[3];
    sides(job, index, one, two);
    cross_product(one, two, normal);
    for (int i = 0; i < 3; ++i)
      for (int k = 0; k < 3; ++k) job.out[3 * index[i] + k] += normal[k];
  }
}

static void normals_back(const Normals& job) {
  for (int64_t face = 0; face < job.count; ++face) {
    const int64_t* index = job.faces + 3 * face;
    float one[3], two[3], grad[3] = {0, 0, 0}, one_grad[3], two_grad[3];
    sides(job, index, one, two);
    for (int i = 0; i < 3; ++i)
      for (int k = 0; k < 3; ++k) grad[k] += job.sums_grad[3 * index[i] + k];
    cross_product(two, grad, one_grad);
    cross_product(grad, one, two_grad);
    for (int k = 0; k < 3; ++k) {
      job.out[3 * index[0] + k] -= one_grad[k] + two_grad[k];
      job.out[3 * index[1] + k] += one_grad[k];
      job.out[3 * index[2] + k] += two_grad[k];
    }
  }
}

}  // namespace KERNEL_ISA
