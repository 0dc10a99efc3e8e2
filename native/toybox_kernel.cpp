// Sphere tracing of toybox objects, KERNEL_LANES rays at a time.
//
// A packet is a small block of neighboring samples. Before it is traced, the parts that its cone of
// rays can meet are picked out by their bounding spheres; the other parts cannot change where these
// rays end, so a packet pays only for what it sees. Each picture depends on its own input alone, so
// the result is the same for any number of threads.
#include "toybox_finish.hpp"
#include "toybox_parts.hpp"

namespace toybox::KERNEL_ISA {
namespace {

constexpr int kBlockWidth = kLanes == 4 ? 2 : 4;
constexpr int kBlockHeight = kLanes / kBlockWidth;
constexpr int kMostSteps = 128;
constexpr float kHit = 4e-4f;        // world units; a sample is about 0.02 wide at 64 pixels
constexpr float kOcclusion = 0.14f;  // reach of the ambient occlusion, world units
constexpr float kDifference = 1e-3f; // for normals

struct Object {
  Part parts[kMostParts];
  const float* rows;
  int count;
  float most_blend, stride;
};

Object read_object(const Job& job, int which) {
  Object object;
  const int first = job.starts[which];
  object.count = job.starts[which + 1] - first;
  object.rows = job.rows + static_cast<std::int64_t>(first) * kRow;
  object.most_blend = 0, object.stride = 1;
  for (int i = 0; i < object.count; ++i) {
    object.parts[i] = read_part(object.rows + i * kRow, job.heads + (first + i) * kHead, i);
    const Part& part = object.parts[i];
    if (part.operation == kSmooth) object.most_blend = std::fmax(object.most_blend, part.blend);
    if (part.kind == kEllipsoid) object.stride = 0.9f;  // Its distance is not exact.
  }
  return object;
}

struct Camera {
  float eye[3], right[3], down[3], forward[3];
  float fx, fy, cx, cy;
};

Camera read_camera(const Job& job, int view) {
  const float* m = job.viewmat + view * 16;
  const float* k = job.intrinsics + view * 9;
  Camera camera;
  for (int i = 0; i < 3; ++i) {
    camera.right[i] = m[i], camera.down[i] = m[4 + i], camera.forward[i] = m[8 + i];
    camera.eye[i] = -(m[i] * m[3] + m[4 + i] * m[7] + m[8 + i] * m[11]);
  }
  camera.fx = k[0], camera.fy = k[4], camera.cx = k[2], camera.cy = k[5];
  return camera;
}

struct Rays {
  Point direction;   // unit length
  vf cosine;         // to the camera's forward axis: depth over distance
  vi inside;         // lanes that lie within the picture
  float axis[3], cos_spread, sin_spread;
};

Rays aim(const Camera& camera, const Job& job, int block_x, int block_y) {
  Rays rays;
  const float scale = 1.0f / static_cast<float>(job.samples);
  vf u, v;
  for (int i = 0; i < kLanes; ++i) {
    const int sx = block_x * kBlockWidth + i % kBlockWidth;
    const int sy = block_y * kBlockHeight + i / kBlockWidth;
    u[i] = ((static_cast<float>(sx) + 0.5f) * scale - camera.cx) / camera.fx;
    v[i] = ((static_cast<float>(sy) + 0.5f) * scale - camera.cy) / camera.fy;
    rays.inside[i] = sx < job.width * job.samples && sy < job.height * job.samples ? -1 : 0;
  }
  rays.cosine = 1.0f / root(u * u + v * v + 1.0f);
  vf* const out[3] = {&rays.direction.x, &rays.direction.y, &rays.direction.z};
  for (int i = 0; i < 3; ++i)
    *out[i] = (u * camera.right[i] + v * camera.down[i] + camera.forward[i]) * rays.cosine;
  float squared = 0;
  for (int i = 0; i < 3; ++i) {
    rays.axis[i] = 0;
    for (int lane = 0; lane < kLanes; ++lane) rays.axis[i] += (*out[i])[lane];
    squared += rays.axis[i] * rays.axis[i];
  }
  for (float& component : rays.axis) component /= std::sqrt(squared);
  const vf dots = rays.direction.x * rays.axis[0] + rays.direction.y * rays.axis[1] +
                  rays.direction.z * rays.axis[2];
  rays.cos_spread = 1;
  for (int lane = 0; lane < kLanes; ++lane)
    rays.cos_spread = std::fmin(rays.cos_spread, dots[lane]);
  rays.sin_spread = std::sqrt(std::fmax(0.0f, 1 - rays.cos_spread * rays.cos_spread)) + 1e-4f;
  return rays;
}

struct Picked {
  const Part* hit[kMostParts];   // parts that these rays can meet
  const Part* near[kMostParts];  // parts that can darken what they meet
  int hits = 0, nears = 0;
  float start = kFar, stop = 0;
};

// Distance from the sphere's center to the cone of rays, and how far along the eye sees it.
void weigh(Picked& picked, const Rays& rays, const Camera& camera, const Object& object,
           const Part& part, bool flipped, bool& hit, bool& near) {
  const float y = flipped ? -part.center[1] : part.center[1];
  const float v[3] = {part.center[0] - camera.eye[0], y - camera.eye[1],
                      part.center[2] - camera.eye[2]};
  const float along = v[0] * rays.axis[0] + v[1] * rays.axis[1] + v[2] * rays.axis[2];
  const float squared = v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
  const float across = std::sqrt(std::fmax(0.0f, squared - along * along));
  const float gap = across * rays.cos_spread - along * rays.sin_spread;
  const float bound = part.bound + object.most_blend + 2e-3f;
  near |= gap < bound + 2 * kOcclusion;
  if (gap >= bound) return;
  hit = true;
  if (part.operation == kUnion || part.operation == kSmooth) {
    const float distance = std::sqrt(squared);
    picked.start = std::fmin(picked.start, std::fmax(0.0f, distance - bound));
    picked.stop = std::fmax(picked.stop, distance + bound);
  }
}

void pick(Picked& picked, const Rays& rays, const Camera& camera, const Object& object) {
  for (int i = 0; i < object.count; ++i) {
    const Part& part = object.parts[i];
    bool hit = false, near = false;
    weigh(picked, rays, camera, object, part, false, hit, near);
    if (part.mirrored) weigh(picked, rays, camera, object, part, true, hit, near);
    if (hit) picked.hit[picked.hits++] = &part;
    if (near) picked.near[picked.nears++] = &part;
  }
}

// Walks along the rays; returns the lanes that met the surface and the distances in `t`.
vi trace(const Picked& picked, const Rays& rays, const Camera& camera, float stride, vf& t) {
  const Point eye = {splat(camera.eye[0]), splat(camera.eye[1]), splat(camera.eye[2])};
  t = splat(picked.start);
  vi active = rays.inside, met = {};
  for (int step = 0; step < kMostSteps && any(active); ++step) {
    const vf d = fold(picked.hit, picked.hits, eye + rays.direction * t);
    const vi arrived = (d < kHit) & active;
    met |= arrived;
    t += active ? (arrived ? d : d * stride) : vf{};
    active &= ~arrived & (t < picked.stop);
  }
  return met;
}

Point normal_at(const Picked& picked, Point p) {
  const float e = kDifference;
  const vf a = fold(picked.hit, picked.hits, {p.x + e, p.y - e, p.z - e});
  const vf b = fold(picked.hit, picked.hits, {p.x - e, p.y - e, p.z + e});
  const vf c = fold(picked.hit, picked.hits, {p.x - e, p.y + e, p.z - e});
  const vf d = fold(picked.hit, picked.hits, {p.x + e, p.y + e, p.z + e});
  const Point n = {a - b - c + d, c - a - b + d, b - a - c + d};
  return n * (1.0f / larger(length3(n.x, n.y, n.z), splat(1e-12f)));
}

struct Seen {
  vi met;
  vf t, shade, part;
  Point place, normal;
};

Seen look(const Object& object, const Picked& picked, const Rays& rays, const Camera& camera,
          const float* light) {
  Seen seen;
  seen.met = trace(picked, rays, camera, object.stride, seen.t);
  if (!any(seen.met)) return seen;
  const Point eye = {splat(camera.eye[0]), splat(camera.eye[1]), splat(camera.eye[2])};
  const Point p = seen.place = eye + rays.direction * seen.t;
  const Point n = seen.normal = normal_at(picked, p);
  vf unused;
  seen.part = nearest(picked.hit, picked.hits, p, &unused);
  const vf room = fold(picked.near, picked.nears, p + n * splat(kOcclusion));
  const vf open = clamped(room * (1 / kOcclusion), 0, 1);
  const vf half = 0.5f + 0.5f * (n.x * light[0] + n.y * light[1] + n.z * light[2]);
  const vf sky = 0.5f + 0.5f * n.z;
  seen.shade = (0.30f + 0.14f * sky + 0.58f * half * half) * (0.72f + 0.28f * open);
  return seen;
}

// Adds a block's samples to the pixels, which hold sums until `finish`.
void add(const Job& job, const Object& object, const Rays& rays, const Seen& seen,
         const float* light, std::int64_t picture, int block_x, int block_y) {
  for (int i = 0; i < kLanes; ++i) {
    if (!seen.met[i]) continue;
    const int x = (block_x * kBlockWidth + i % kBlockWidth) / job.samples;
    const int y = (block_y * kBlockHeight + i / kBlockWidth) / job.samples;
    const std::int64_t pixel = picture + static_cast<std::int64_t>(y) * job.width + x;
    const int part = static_cast<int>(seen.part[i]);
    const float place[3] = {seen.place.x[i], seen.place.y[i], seen.place.z[i]};
    const float n[3] = {seen.normal.x[i], seen.normal.y[i], seen.normal.z[i]};
    const float to_eye[3] = {-rays.direction.x[i], -rays.direction.y[i], -rays.direction.z[i]};
    float rgb[3];
    lit(object.rows + part * kRow, place, n, to_eye, light, seen.shade[i], rgb);
    for (int c = 0; c < 3; ++c) job.color[pixel * 3 + c] += rgb[c];
    job.alpha[pixel] += 1;
    if (job.depth) job.depth[pixel] += seen.t[i] * rays.cosine[i];
    if (job.part && job.part[pixel] < 0) job.part[pixel] = part;
    if (!job.normal) continue;
    job.normal[pixel * 3 + 0] += seen.normal.x[i];
    job.normal[pixel * 3 + 1] += seen.normal.y[i];
    job.normal[pixel * 3 + 2] += seen.normal.z[i];
  }
}

void clear(const Job& job, std::int64_t picture, std::int64_t pixels) {
  for (std::int64_t i = picture; i < picture + pixels; ++i) {
    job.alpha[i] = 0;
    if (job.depth) job.depth[i] = 0;
    if (job.part) job.part[i] = -1;
    for (int c = 0; c < 3; ++c) {
      job.color[i * 3 + c] = 0;
      if (job.normal) job.normal[i * 3 + c] = 0;
    }
  }
}

void finish(const Job& job, int view, std::int64_t picture, std::int64_t pixels) {
  const float each = 1.0f / static_cast<float>(job.samples * job.samples);
  const float* background = job.background + view * 3;
  for (std::int64_t i = picture; i < picture + pixels; ++i) {
    const float count = job.alpha[i];
    job.alpha[i] = count * each;
    for (int c = 0; c < 3; ++c)
      job.color[i * 3 + c] =
          job.color[i * 3 + c] * each + background[c] * (1 - job.alpha[i]);
    if (count == 0) continue;
    if (job.depth) job.depth[i] /= count;
    if (!job.normal) continue;
    float* n = job.normal + i * 3;
    const float length = std::sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
    for (int c = 0; c < 3; ++c) n[c] /= std::fmax(length, 1e-12f);
  }
}

}  // namespace

void render_view(const Job& job, int view) {
  const std::int64_t pixels = static_cast<std::int64_t>(job.width) * job.height;
  const std::int64_t picture = view * pixels;
  const Object object = read_object(job, job.which[view]);
  const Camera camera = read_camera(job, view);
  clear(job, picture, pixels);
  const int across = (job.width * job.samples + kBlockWidth - 1) / kBlockWidth;
  const int down = (job.height * job.samples + kBlockHeight - 1) / kBlockHeight;
  for (int block_y = 0; block_y < down; ++block_y) {
    for (int block_x = 0; block_x < across; ++block_x) {
      const Rays rays = aim(camera, job, block_x, block_y);
      Picked picked;
      pick(picked, rays, camera, object);
      if (picked.stop == 0) continue;
      const Seen seen = look(object, picked, rays, camera, job.light + view * 3);
      if (any(seen.met))
        add(job, object, rays, seen, job.light + view * 3, picture, block_x, block_y);
    }
  }
  finish(job, view, picture, pixels);
}

void probe(const Probe& probe) {
  Part parts[kMostParts];
  const Part* all[kMostParts];
  for (int i = 0; i < probe.parts; ++i) {
    parts[i] = read_part(probe.rows + i * kRow, probe.heads + i * kHead, i);
    all[i] = &parts[i];
  }
  for (std::int64_t first = 0; first < probe.count; first += kLanes) {
    Point p;
    for (int lane = 0; lane < kLanes; ++lane) {
      const std::int64_t i = first + lane < probe.count ? first + lane : probe.count - 1;
      p.x[lane] = probe.points[i * 3], p.y[lane] = probe.points[i * 3 + 1];
      p.z[lane] = probe.points[i * 3 + 2];
    }
    vf distance;
    const vf part = nearest(all, probe.parts, p, &distance);
    for (int lane = 0; lane < kLanes && first + lane < probe.count; ++lane) {
      probe.distance[first + lane] = distance[lane];
      if (probe.part) probe.part[first + lane] = static_cast<std::int32_t>(part[lane]);
    }
  }
}

}  // namespace toybox::KERNEL_ISA
