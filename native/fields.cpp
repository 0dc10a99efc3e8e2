// The radiance-field module: grids and their network, and rays through them.
//
// Work is shared as ranges of blocks or rays, or as levels of a grid. Every task writes to places
// of its own and every sum has a fixed order, so the bits of all results do not depend on the
// number of threads. There is no link against torch: arrays come in through nanobind.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "fields_job.hpp"
#include "pool.hpp"
#include "variants.hpp"

namespace baseline {
extern const fields::Kernels field_kernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const fields::Kernels field_kernels;
}
namespace avx512 {
extern const fields::Kernels field_kernels;
}
#endif

namespace nb = nanobind;
using namespace fields;

template <typename T>
using Of = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
using Array = Of<float>;
using Maybe = std::optional<Array>;
using Integers = Of<int64_t>;

namespace {

const std::vector<const Kernels*>& variants() {
  static const std::vector<const Kernels*> list = KERNEL_VARIANTS(field_kernels);
  return list;
}

const Kernels& choose() { return *chosen(variants()); }

std::vector<std::string> isas() { return names_of(variants()); }

float* maybe(const Maybe& array) { return array ? array->data() : nullptr; }

void require(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

int64_t blocks_of(int64_t count) { return (count + block_size - 1) / block_size; }

// task(first, last) for ranges of at most `size` out of `count`.
template <typename Task>
void for_ranges(int threads, int64_t count, int64_t size, const Task& task) {
  Pool::run(threads, (int)((count + size - 1) / size),
            [&](int i) { task(i * size, std::min((i + 1) * size, count)); });
}

// `levels` has a row (resolution, first row of the table, mask) for each level.
Grid grid_of(const float* table, const Integers& levels, int active) {
  Grid grid{};
  grid.table = table;
  grid.levels = (int)levels.shape(0);
  require(grid.levels <= most_levels, "a grid has at most 32 levels");
  grid.active = std::min(active, grid.levels);
  for (int l = 0; l < grid.levels; ++l) {
    const int64_t* row = levels.data() + 3 * l;
    grid.level[l] = {(int32_t)row[0], (uint32_t)row[1], (uint32_t)row[2]};
  }
  return grid;
}

// A network whose parameters lie in one array: first weights and bias, second weights and bias.
struct Weights {
  Network net{};
  std::vector<float> turned;

  Weights(const float* flat, int features, int hidden, int used) {
    require(features <= most_width && features % 2 == 0 && hidden <= most_width &&
                hidden % 4 == 0 && used <= most_outputs,
            "the kernels take an even number of features and a multiple of 4 hidden units, "
            "128 at most, and 16 outputs at most");
    net.features = features, net.hidden = hidden, net.outputs = used;
    net.first = flat;
    net.first_bias = flat + hidden * features;
    net.second = net.first_bias + hidden;
  }
  void finish(int all_outputs) {
    net.second_bias = net.second + all_outputs * net.hidden;
    turned.resize(net.hidden * (net.features + net.outputs));
    for (int h = 0; h < net.hidden; ++h) {
      for (int f = 0; f < net.features; ++f)
        turned[f * net.hidden + h] = net.first[h * net.features + f];
      for (int o = 0; o < net.outputs; ++o)
        turned[net.hidden * net.features + h * net.outputs + o] =
            net.second[o * net.hidden + h];
    }
    net.first_turned = turned.data();
    net.second_turned = turned.data() + net.hidden * net.features;
  }
};

// Features of points, and with a network its first outputs, as many as `out` has columns.
void forward(const Array& points, const Array& table, const Integers& levels, int active,
             float radius, const Maybe& network, int hidden, int outputs, const Maybe& units,
             const Maybe& features, const Maybe& out, int threads) {
  Forward job{};
  job.grid = grid_of(table.data(), levels, active);
  job.points = points.data(), job.count = (int64_t)points.shape(0), job.radius = radius;
  job.units = maybe(units), job.features = maybe(features), job.out = maybe(out);
  const Kernels& kernels = choose();
  std::optional<Weights> weights;
  if (network) {
    weights.emplace(network->data(), 2 * job.grid.levels, hidden, (int)out->shape(1));
    weights->finish(outputs);
    job.network = weights->net;
  }
  nb::gil_scoped_release release;
  for_ranges(threads, blocks_of(job.count), 16,
             [&](int64_t first, int64_t last) { kernels.forward(job, first, last); });
}

// Gradients of the network's parameters and of its features, from those of its first outputs.
void backward(const Array& features, const Array& grad, const Array& network, int hidden,
              int outputs, const Array& network_grad, const Array& features_grad,
              int threads) {
  Backward job{};
  int wide = (int)features.shape(1), used = (int)grad.shape(1);
  Weights weights(network.data(), wide, hidden, used);
  weights.finish(outputs);
  job.network = weights.net;
  job.features = features.data(), job.grad = grad.data();
  job.count = (int64_t)grad.shape(0), job.features_grad = features_grad.data();
  const Kernels& kernels = choose();
  nb::gil_scoped_release release;
  int64_t blocks = blocks_of(job.count), size = std::max<int64_t>(16, (blocks + 63) / 64);
  int64_t chunks = (blocks + size - 1) / size;
  size_t count = (size_t)hidden * wide + hidden + (size_t)used * hidden + used;
  std::vector<float> parts(chunks * count), sums(chunks * count * kernels.lanes);
  for_ranges(threads, blocks, size, [&](int64_t first, int64_t last) {
    int64_t chunk = first / size;
    kernels.backward(job, first, last, sums.data() + chunk * count * kernels.lanes,
                     parts.data() + chunk * count);
  });
  size_t before_bias = (size_t)hidden * wide + hidden + (size_t)used * hidden;
  size_t gap = (size_t)(outputs - used) * hidden;  // outputs that were not asked for
  float* to = network_grad.data();
  std::fill(to, to + network_grad.size(), 0.0f);
  for (int64_t chunk = 0; chunk < chunks; ++chunk)
    for (size_t i = 0; i < count; ++i)
      to[i < before_bias ? i : i + gap] += parts[chunk * count + i];
}

void scatter(const Array& units, const Array& features_grad, int64_t count,
             const Integers& levels, int active, const Array& table_grad, int threads) {
  Places job{};
  job.grid = grid_of(nullptr, levels, active);
  job.units = units.data(), job.features_grad = features_grad.data(), job.count = count;
  job.table_grad = table_grad.data();
  const Kernels& kernels = choose();
  nb::gil_scoped_release release;
  std::memset(job.table_grad, 0, table_grad.size() * sizeof(float));
  Pool::run(threads, job.grid.levels, [&](int l) { kernels.scatter(job, l); });
}

void turn_back(const Array& units, const Array& table, const Array& features_grad,
               int64_t count, const Integers& levels, int active, const Array& units_grad,
               int threads) {
  Places job{};
  job.grid = grid_of(table.data(), levels, active);
  job.units = units.data(), job.features_grad = features_grad.data(), job.count = count;
  job.units_grad = units_grad.data();
  const Kernels& kernels = choose();
  nb::gil_scoped_release release;
  for_ranges(threads, blocks_of(count), 16,
             [&](int64_t first, int64_t last) { kernels.turn_back(job, first, last); });
}

// Which steps of each ray are to be looked at: `bits` [rays, words], and how many: `counts`.
void march(const Array& origins, const Array& directions, const Array& near, const Array& far,
           const Array& jitter, const Of<uint8_t>& occupied, int slots, float radius,
           float step, const Integers& bits, const Of<int32_t>& counts, int threads) {
  March job{};
  job.origins = origins.data(), job.directions = directions.data();
  job.near = near.data(), job.far = far.data(), job.jitter = jitter.data();
  job.occupied = occupied.data(), job.resolution = (int)occupied.shape(0);
  job.slots = slots, job.words = (int)bits.shape(1);
  job.radius = radius, job.step = step, job.rays = (int64_t)origins.shape(0);
  const Kernels& kernels = choose();
  nb::gil_scoped_release release;
  for_ranges(threads, job.rays, 512, [&](int64_t first, int64_t last) {
    kernels.march(job, first, last, (uint64_t*)bits.data(), counts.data());
  });
}

// The samples behind the first starts[ray + 1] - starts[ray] bits of each ray.
void expand(const Array& origins, const Array& directions, const Array& near,
            const Array& jitter, const Integers& bits, const Integers& starts, float step,
            const Integers& rays, const Array& distances, const Array& points, int threads) {
  int64_t words = (int64_t)bits.shape(1);
  nb::gil_scoped_release release;
  auto one = [&](int64_t ray) {
    const float *o = origins.data() + 3 * ray, *d = directions.data() + 3 * ray;
    int64_t i = starts.data()[ray], end = starts.data()[ray + 1];
    for (int64_t word = 0; word < words && i < end; ++word) {
      uint64_t left = (uint64_t)bits.data()[ray * words + word];
      for (; left && i < end; left &= left - 1, ++i) {
        float k = (float)(word * 64 + __builtin_ctzll(left));
        float t = near.data()[ray] + (k + jitter.data()[ray]) * step;
        rays.data()[i] = ray, distances.data()[i] = t;
        for (int c = 0; c < 3; ++c) points.data()[3 * i + c] = o[c] + t * d[c];
      }
    }
  };
  for_ranges(threads, (int64_t)origins.shape(0), 512, [&](int64_t first, int64_t last) {
    for (int64_t ray = first; ray < last; ++ray) one(ray);
  });
}

// How many samples each ray meets before no more than `stop` of it is left.
void visible(const Array& density, const Integers& starts, float step, float stop,
             const Integers& counts, int threads) {
  const float limit = -std::log(stop) * 1.001f + 1e-4f;  // rather one too many
  nb::gil_scoped_release release;
  for_ranges(threads, (int64_t)counts.shape(0), 512, [&](int64_t first, int64_t last) {
    for (int64_t ray = first; ray < last; ++ray) {
      float depth = 0;
      int64_t begin = starts.data()[ray], i = begin;
      for (; i < starts.data()[ray + 1] && depth < limit; ++i) depth += density.data()[i] * step;
      counts.data()[ray] = i - begin;
    }
  });
}

void composite(const Array& density, const Array& values, const Array& distances,
               const Integers& starts, float step, float stop, const Array& weights,
               const Array& left, const Array& alpha, const Array& distance,
               const Array& totals, int threads) {
  Composite job{};
  job.density = density.data(), job.values = values.data(), job.distances = distances.data();
  job.starts = starts.data(), job.step = step, job.stop = stop, job.width = (int)values.shape(1);
  job.weights = weights.data(), job.left = left.data(), job.alpha = alpha.data();
  job.distance = distance.data(), job.totals = totals.data();
  const Kernels& kernels = choose();
  nb::gil_scoped_release release;
  for_ranges(threads, (int64_t)alpha.shape(0), 512,
             [&](int64_t first, int64_t last) { kernels.composite(job, first, last); });
}

void composite_backward(const Array& values, const Array& distances, const Integers& starts,
                        float step, const Array& weights, const Array& left,
                        const Maybe& weights_grad, const Maybe& alpha_grad,
                        const Maybe& distance_grad, const Maybe& totals_grad,
                        const Array& density_grad, const Array& values_grad, int threads) {
  Composite job{};
  job.values = values.data(), job.distances = distances.data();
  job.starts = starts.data(), job.step = step, job.width = (int)values.shape(1);
  job.weights = weights.data(), job.left = left.data();
  job.weights_grad = maybe(weights_grad), job.alpha_grad = maybe(alpha_grad);
  job.distance_grad = maybe(distance_grad), job.totals_grad = maybe(totals_grad);
  job.density_grad = density_grad.data(), job.values_grad = values_grad.data();
  const Kernels& kernels = choose();
  nb::gil_scoped_release release;
  for_ranges(threads, (int64_t)starts.shape(0) - 1, 512, [&](int64_t first, int64_t last) {
    kernels.composite_backward(job, first, last);
  });
}

}  // namespace

NB_MODULE(_fields, module) {
  module.attr("block_size") = block_size;
  module.attr("most_levels") = most_levels;
  module.attr("most_width") = most_width;
  module.attr("most_outputs") = most_outputs;
  module.def("isas", &isas);
  module.def("forward", &forward, nb::arg("points"), nb::arg("table"), nb::arg("levels"),
             nb::arg("active"), nb::arg("radius"), nb::arg("network").none(),
             nb::arg("hidden"), nb::arg("outputs"), nb::arg("units").none(),
             nb::arg("features").none(), nb::arg("out").none(), nb::arg("threads"));
  module.def("backward", &backward);
  module.def("scatter", &scatter);
  module.def("turn_back", &turn_back);
  module.def("march", &march);
  module.def("expand", &expand);
  module.def("visible", &visible);
  module.def("composite", &composite);
  module.def("composite_backward", &composite_backward);
}
