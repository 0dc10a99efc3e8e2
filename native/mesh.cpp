// The mesh module: rasterize, interpolate, antialias, neighbors of faces, densities on grids.
//
// Tasks are bands of rows, views or blocks of a grid. Every task writes to places of its own and
// every sum has a fixed order, so no bit of a result depends on the number of threads.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "variants.hpp"
#include "mesh_job.hpp"
#include "pool.hpp"

namespace baseline {
extern const mesh::Kernels mesh_kernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const mesh::Kernels mesh_kernels;
}
namespace avx512 {
extern const mesh::Kernels mesh_kernels;
}
#endif

namespace nb = nanobind;
using namespace mesh;

using Floats = nb::ndarray<float, nb::c_contig, nb::device::cpu>;
using Indices = nb::ndarray<int64_t, nb::c_contig, nb::device::cpu>;
using Maybe = std::optional<Floats>;

namespace {

const std::vector<const Kernels*>& variants() {
  static const std::vector<const Kernels*> list = KERNEL_VARIANTS(mesh_kernels);
  return list;
}

const Kernels& choose() { return *chosen(variants()); }

Mesh mesh_of(const Floats& clip, const Indices& faces, const Indices& pictures) {
  return {clip.data(), faces.data(), (int64_t)clip.shape(1), (int64_t)faces.shape(0),
          (int)clip.shape(0), (int)pictures.shape(2), (int)pictures.shape(1)};
}

struct Lists {  // which of `count` things each of several places holds, in their order
  std::vector<int64_t> starts;
  std::vector<int32_t> items;
};

// `places(i, visit)` calls visit(place) for every place of thing i.
template <typename Places>
Lists sort_into(int64_t places_count, int64_t count, const Places& places) {
  Lists lists;
  lists.starts.assign(places_count + 1, 0);
  for (int64_t i = 0; i < count; ++i)
    places(i, [&](int64_t place) { ++lists.starts[place + 1]; });
  for (int64_t i = 0; i < places_count; ++i) lists.starts[i + 1] += lists.starts[i];
  lists.items.resize(lists.starts[places_count]);
  std::vector<int64_t> next(lists.starts.begin(), lists.starts.end() - 1);
  for (int64_t i = 0; i < count; ++i)
    places(i, [&](int64_t place) { lists.items[next[place]++] = (int32_t)i; });
  return lists;
}

void rasterize(const Floats& clip, const Indices& faces, const Indices& triangle,
               const Floats& barycentric, const Floats& depth, int threads) {
  const Kernels& kernels = choose();
  Mesh mesh = mesh_of(clip, faces, triangle);
  std::unique_ptr<Box[]> boxes(new Box[mesh.views * mesh.count + 1]);
  std::unique_ptr<float[]> screen(new float[2 * mesh.views * mesh.vertices + 1]);
  Raster job{mesh,           boxes.get(),        screen.get(),
             triangle.data(), barycentric.data(), depth.data()};
  nb::gil_scoped_release release;
  int bands = (mesh.height + band_rows - 1) / band_rows;
  std::vector<Lists> lists(mesh.views);
  Pool::run(threads, mesh.views, [&](int view) {
    kernels.bound(job, view);
    const Box* box = job.boxes + view * mesh.count;
    lists[view] = sort_into(bands, mesh.count, [&](int64_t face, const auto& visit) {
      const Box& at = box[face];
      if (at.x0 > at.x1 || at.y0 > at.y1) return;
      for (int band = at.y0 / band_rows; band <= at.y1 / band_rows; ++band) visit(band);
    });
  });
  int stride = (mesh.width + 15) / 16 * 16 + 16;  // A register may reach past the last pixel.
  Pool::run(threads, mesh.views * bands, [&](int task) {
    size_t size = (size_t)band_rows * stride;
    std::unique_ptr<float[]> room(new float[4 * size]);
    Planes planes{room.get(), room.get() + size, room.get() + 2 * size,
                  reinterpret_cast<int32_t*>(room.get() + 3 * size), stride};
    std::memset(room.get(), 0, 3 * size * sizeof(float));
    const Lists& of = lists[task / bands];
    int band = task % bands;
    kernels.fill(job, task / bands, band, of.items.data() + of.starts[band],
                 of.starts[band + 1] - of.starts[band], planes);
  });
}

void rasterize_back(const Floats& clip, const Indices& faces, const Indices& triangle,
                    const Floats& barycentric, const Maybe& barycentric_grad,
                    const Maybe& depth_grad, const Floats& clip_grad, int threads) {
  const Kernels& kernels = choose();
  RasterBack job{mesh_of(clip, faces, triangle), triangle.data(), barycentric.data(),
                 barycentric_grad ? barycentric_grad->data() : nullptr,
                 depth_grad ? depth_grad->data() : nullptr, clip_grad.data()};
  nb::gil_scoped_release release;
  Pool::run(threads, job.mesh.views, [&](int view) { kernels.raster_back(job, view); });
}

Interpolate interpolation(const Floats& attributes, const Indices& faces,
                          const Indices& triangle, const Floats& barycentric) {
  size_t last = attributes.ndim() - 1;
  int64_t apart = last == 2 ? (int64_t)(attributes.shape(1) * attributes.shape(2)) : 0;
  return {attributes.data(), apart, faces.data(), triangle.data(), barycentric.data(),
          (int)attributes.shape(last), (int)triangle.shape(2), (int)triangle.shape(1),
          nullptr, nullptr, nullptr};
}

void interpolate(const Floats& attributes, const Indices& faces, const Indices& triangle,
                 const Floats& barycentric, const Floats& out, int threads) {
  const Kernels& kernels = choose();
  Interpolate job = interpolation(attributes, faces, triangle, barycentric);
  job.out = out.data();
  int views = (int)triangle.shape(0);
  nb::gil_scoped_release release;
  Pool::run(threads, views * job.height, [&](int task) {
    kernels.interpolate(job, task / job.height, task % job.height);
  });
}

void interpolate_back(const Floats& attributes, const Indices& faces, const Indices& triangle,
                      const Floats& barycentric, const Floats& out_grad,
                      const Maybe& attributes_grad, const Maybe& barycentric_grad,
                      int threads) {
  const Kernels& kernels = choose();
  Interpolate job = interpolation(attributes, faces, triangle, barycentric);
  job.out_grad = out_grad.data();
  job.barycentric_grad = barycentric_grad ? barycentric_grad->data() : nullptr;
  int views = (int)triangle.shape(0);
  size_t size = job.apart ? job.apart : attributes.size();
  nb::gil_scoped_release release;
  // Views that share their attributes each add up on their own, and are then added in order.
  std::vector<std::unique_ptr<float[]>> sums(views);
  Pool::run(threads, views, [&](int view) {
    float* sum = nullptr;
    if (attributes_grad && (job.apart || view == 0)) {
      sum = attributes_grad->data() + view * job.apart;
    } else if (attributes_grad) {
      sums[view].reset(new float[size]());
      sum = sums[view].get();
    }
    kernels.interpolate_back(job, view, sum);
  });
  for (int view = 1; view < views; ++view)
    if (sums[view])
      for (size_t i = 0; i < size; ++i) attributes_grad->data()[i] += sums[view][i];
}

void normals(const Floats& vertices, const Indices& faces, const Maybe& sums_grad,
             const Floats& out) {
  const Kernels& kernels = choose();
  Normals job{vertices.data(), faces.data(), (int64_t)faces.shape(0),
              sums_grad ? sums_grad->data() : nullptr, out.data()};
  nb::gil_scoped_release release;
  (sums_grad ? kernels.normals_back : kernels.normals)(job);
}

// The face across the edge opposite to each corner: the next one that has the same edge, by
// index and round about, -1 if there is none.
void neighbors(const Indices& faces, int64_t vertices, const Indices& out) {
  const int64_t* index = faces.data();
  int64_t corners = 3 * (int64_t)faces.shape(0);
  int64_t* found = out.data();
  nb::gil_scoped_release release;
  auto ends = [&](int64_t at) {
    int64_t first = at / 3 * 3, k = at - first;
    int64_t a = index[first + (k + 1) % 3], b = index[first + (k + 2) % 3];
    return a < b ? std::pair(a, b) : std::pair(b, a);
  };
  Lists lists = sort_into(vertices, corners,
                          [&](int64_t at, const auto& visit) { visit(ends(at).first); });
  for (int64_t vertex = 0; vertex < vertices; ++vertex) {
    int64_t from = lists.starts[vertex], to = lists.starts[vertex + 1];
    for (int64_t i = from; i < to; ++i) {
      int64_t at = lists.items[i], far = ends(at).second;
      found[at] = -1;
      for (int64_t k = 1; k < to - from; ++k) {
        int64_t other = lists.items[from + (i - from + k) % (to - from)];
        if (ends(other).second != far) continue;
        found[at] = other / 3;
        break;
      }
    }
  }
}

struct Crossings {
  std::vector<std::vector<Crossing>> views;
};

float weight(const Crossing& crossing) { return __builtin_fabsf(0.5f - crossing.distance); }

// The pixel that takes color from the other: the nearer one where the silhouette crosses it.
std::pair<int64_t, int64_t> taker_and_giver(const Crossing& at, int64_t start) {
  bool nearer = at.distance < 0.5f;
  return {start + (nearer ? at.near : at.far), start + (nearer ? at.far : at.near)};
}

std::unique_ptr<Crossings> antialias(const Floats& color, const Floats& clip,
                                     const Indices& faces, const Indices& neighbors,
                                     const Indices& triangle, const Floats& depth,
                                     const Floats& out, int threads) {
  const Kernels& kernels = choose();
  Antialias job{mesh_of(clip, faces, triangle), triangle.data(), depth.data(),
                neighbors.data()};
  const Mesh& mesh = job.mesh;
  int channels = (int)color.shape(3);
  nb::gil_scoped_release release;
  std::vector<std::vector<Crossing>> rows((size_t)mesh.views * mesh.height);
  Pool::run(threads, (int)rows.size(), [&](int task) {
    std::unique_ptr<Crossing[]> room(new Crossing[2 * (size_t)mesh.width]);
    int count = kernels.cross(job, task / mesh.height, task % mesh.height, room.get());
    rows[task].assign(room.get(), room.get() + count);
  });
  auto found = std::make_unique<Crossings>();
  found->views.resize(mesh.views);
  Pool::run(threads, mesh.views, [&](int view) {
    int64_t start = (int64_t)view * mesh.height * mesh.width;
    size_t size = (size_t)mesh.height * mesh.width * channels;
    std::memcpy(out.data() + start * channels, color.data() + start * channels,
                size * sizeof(float));
    for (int row = 0; row < mesh.height; ++row)
      for (const Crossing& crossing : rows[(size_t)view * mesh.height + row]) {
        found->views[view].push_back(crossing);
        auto [taker, giver] = taker_and_giver(crossing, start);
        for (int k = 0; k < channels; ++k)
          out.data()[taker * channels + k] +=
              weight(crossing) *
              (color.data()[giver * channels + k] - color.data()[taker * channels + k]);
      }
  });
  return found;
}

// Adds to the gradient of an edge's ends what comes from that of where it crosses a line.
void crossing_back(const Mesh& mesh, int view, const Crossing& at, float distance_grad,
                   float* clip_grad) {
  float center[2] = {(float)(at.near % mesh.width) + 0.5f,
                     (float)(at.near / mesh.width) + 0.5f};
  const float* base = mesh.clip + 3 * view * mesh.vertices;
  const float *a = base + 3 * (int64_t)at.first, *b = base + 3 * (int64_t)at.second;
  int i = at.axis, j = 1 - i;  // along and across
  float ai = a[i] - center[i] * a[2], aj = a[j] - center[j] * a[2];
  float bi = b[i] - center[i] * b[2], bj = b[j] - center[j] * b[2];
  float below = a[2] * bj - b[2] * aj;
  float above_grad = distance_grad * at.step / below;
  float below_grad = -above_grad * (ai * bj - bi * aj) / below;
  float* out[2] = {clip_grad + 3 * (view * mesh.vertices + at.first),
                   clip_grad + 3 * (view * mesh.vertices + at.second)};
  float along[2] = {above_grad * bj, -above_grad * aj};
  float across[2] = {-above_grad * bi - below_grad * b[2],
                     above_grad * ai + below_grad * a[2]};
  float w[2] = {below_grad * bj, -below_grad * aj};
  for (int k = 0; k < 2; ++k) {
    out[k][i] += along[k], out[k][j] += across[k];
    out[k][2] += w[k] - center[i] * along[k] - center[j] * across[k];
  }
}

void antialias_back(const Crossings& crossings, const Floats& color, const Floats& clip,
                    const Indices& faces, const Indices& triangle, const Floats& out_grad,
                    const Floats& color_grad, const Maybe& clip_grad, int threads) {
  Mesh mesh = mesh_of(clip, faces, triangle);
  int channels = (int)color.shape(3);
  nb::gil_scoped_release release;
  Pool::run(threads, mesh.views, [&](int view) {
    int64_t start = (int64_t)view * mesh.height * mesh.width;
    size_t size = (size_t)mesh.height * mesh.width * channels;
    const float *given = out_grad.data(), *values = color.data();
    float* grads = color_grad.data();
    std::memcpy(grads + start * channels, given + start * channels, size * sizeof(float));
    for (const Crossing& crossing : crossings.views[view]) {
      auto [taker, giver] = taker_and_giver(crossing, start);
      float share = weight(crossing), sum = 0;
      for (int k = 0; k < channels; ++k) {
        float grad = given[taker * channels + k];
        grads[taker * channels + k] -= share * grad;
        grads[giver * channels + k] += share * grad;
        sum += grad * (values[giver * channels + k] - values[taker * channels + k]);
      }
      float sign = crossing.distance < 0.5f ? -1.0f : 1.0f;
      if (clip_grad) crossing_back(mesh, view, crossing, sign * sum, clip_grad->data());
    }
  });
}

constexpr int block_size[3] = {8, 8, 32};

// Sums over splats on a grid; `color`, if asked for, is the sum of term * color.
void density(const Floats& means, const Floats& rows, const Floats& opacities,
             const Floats& limits, const Indices& low, const Indices& high,
             const Maybe& colors, const Floats& origin, const Floats& spacing,
             const Floats& out, const Maybe& color_out, int threads) {
  const Kernels& kernels = choose();
  nb::gil_scoped_release release;
  int64_t count = (int64_t)means.shape(0);
  std::vector<Blob> blobs(count);
  Density job{blobs.data(), {}, {}, {}, out.data(), color_out ? color_out->data() : nullptr};
  int blocks[3];
  for (int k = 0; k < 3; ++k) {
    job.origin[k] = origin.data()[k], job.spacing[k] = spacing.data()[k];
    job.size[k] = (int)out.shape(k);
    blocks[k] = (job.size[k] + block_size[k] - 1) / block_size[k];
  }
  for (int64_t i = 0; i < count; ++i) {
    Blob& blob = blobs[i];
    std::memcpy(blob.rows, rows.data() + 9 * i, sizeof blob.rows);
    blob.opacity = opacities.data()[i], blob.limit = limits.data()[i];
    for (int k = 0; k < 3; ++k) {
      blob.mean[k] = means.data()[3 * i + k];
      blob.color[k] = colors ? colors->data()[3 * i + k] : 0;
      blob.low[k] = (int32_t)low.data()[3 * i + k];
      blob.high[k] = (int32_t)high.data()[3 * i + k];
    }
  }
  int total = blocks[0] * blocks[1] * blocks[2];
  Lists lists = sort_into(total, count, [&](int64_t i, const auto& visit) {
    const Blob& blob = blobs[i];
    for (int k = 0; k < 3; ++k)
      if (blob.low[k] > blob.high[k]) return;
    int from[3], to[3];
    for (int k = 0; k < 3; ++k)
      from[k] = blob.low[k] / block_size[k], to[k] = blob.high[k] / block_size[k];
    for (int x = from[0]; x <= to[0]; ++x)
      for (int y = from[1]; y <= to[1]; ++y)
        for (int z = from[2]; z <= to[2]; ++z) visit((x * blocks[1] + y) * blocks[2] + z);
  });
  Pool::run(threads, total, [&](int block) {
    int at[3] = {block / (blocks[1] * blocks[2]), block / blocks[2] % blocks[1],
                 block % blocks[2]};
    int from[3], to[3];
    for (int k = 0; k < 3; ++k) {
      from[k] = at[k] * block_size[k];
      to[k] = from[k] + block_size[k] - 1;
      if (to[k] >= job.size[k]) to[k] = job.size[k] - 1;
    }
    kernels.density(job, lists.items.data() + lists.starts[block],
                    lists.starts[block + 1] - lists.starts[block], from, to);
  });
}

std::vector<std::string> isas() { return names_of(variants()); }

}  // namespace

NB_MODULE(_mesh, module) {
  nb::set_leak_warnings(false);  // graphs still alive at exit hold crossings
  nb::class_<Crossings>(module, "Crossings")
      .def("__len__", [](const Crossings& crossings) {
        size_t count = 0;
        for (const auto& view : crossings.views) count += view.size();
        return count;
      });
  module.def("rasterize", &rasterize);
  module.def("rasterize_back", &rasterize_back);
  module.def("interpolate", &interpolate);
  module.def("interpolate_back", &interpolate_back);
  module.def("normals", &normals);
  module.def("neighbors", &neighbors);
  module.def("antialias", &antialias);
  module.def("antialias_back", &antialias_back);
  module.def("density", &density);
  module.def("isas", &isas);
}
