// The splat renderer's module: whole forward and backward passes, for all views at once.
//
// forward: project (chunks of splats, in parallel) -> sort and list (views) -> blend (tiles).
// backward: unblend (tiles) -> unproject (chunks). Every task writes to places of its own and
// every sum has a fixed order, so the bits of all results do not depend on the number of
// threads.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <chrono>
#include <cmath>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "pool.hpp"
#include "splat_order.hpp"
#include "splat_state.hpp"
#include "variants.hpp"

namespace baseline {
extern const splat::Kernels kernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const splat::Kernels kernels;
}
namespace avx512 {
extern const splat::Kernels kernels;
}
#endif

namespace nb = nanobind;
using namespace splat;

using Array = nb::ndarray<float, nb::c_contig, nb::device::cpu>;
using Maybe = std::optional<Array>;

namespace {

const std::vector<const Kernels*>& variants() {
  static const std::vector<const Kernels*> list = KERNEL_VARIANTS(kernels);
  return list;
}

const Kernels* choose() { return chosen(variants()); }

bool all_finite(const float* values, size_t count) {
  uint32_t bad = 0;
  for (size_t i = 0; i < count; ++i) {
    uint32_t bits;
    std::memcpy(&bits, values + i, 4);
    bad |= (bits & 0x7f800000u) == 0x7f800000u;
  }
  return !bad;
}

void set_camera(View& view, const float* viewmat, const float* K, int width, int height) {
  for (int row = 0; row < 3; ++row) {
    for (int k = 0; k < 3; ++k) view.rotation[3 * row + k] = viewmat[4 * row + k];
    view.shift[row] = viewmat[4 * row + 3];
  }
  for (int k = 0; k < 4; ++k) view.forward[k] = viewmat[8 + k];
  for (int k = 0; k < 3; ++k) {
    view.eye[k] = 0;
    for (int row = 0; row < 3; ++row)
      view.eye[k] -= view.rotation[3 * row + k] * view.shift[row];
  }
  int size[2] = {width, height};
  for (int r = 0; r < 2; ++r) {
    view.focal[r] = K[4 * r];
    view.middle[r] = K[3 * r + 2];
    float margin = 0.15f * size[r] / view.focal[r];
    view.slope_low[r] = -view.middle[r] / view.focal[r] - margin;
    view.slope_high[r] = (size[r] - view.middle[r]) / view.focal[r] + margin;
  }
}

void find_room(State& state) {
  Job& job = state.job;
  size_t count = job.count, chunks = (count + chunk_size - 1) / chunk_size;
  size_t tiles = (size_t)job.tiles_x * job.tiles_y;
  if (state.workspace->views.size() < (size_t)job.views)
    state.workspace->views.resize(job.views);
  for (int v = 0; v < job.views; ++v) {
    ViewMemory& memory = state.workspace->views[v];
    View& view = state.views[v];
    view.records = memory.records.room(count);
    view.sorted = memory.sorted.room(count);
    view.keys = memory.keys.room(count);
    view.spans = memory.spans.room(count);
    view.visible = memory.visible.room(chunks);
    view.base = memory.base.room(chunks);
    if (memory.pairs.size() < chunks) memory.pairs.resize(chunks, Pairs{nullptr, 0, 0});
    view.pairs = memory.pairs.data();
    view.offsets = memory.offsets.room(tiles + 1);
    view.used = memory.used.room(tiles);
    view.left = memory.left.room(tiles * tile_pixels);
    view.far = memory.far.room(tiles * tile_pixels);
    view.stop = memory.stop.room(tiles * tile_pixels);
    view.spill = memory.spill.room(tiles * 3);
  }
}

// One task for each tile of each view.
template <typename Kernel>
void for_tiles(const Job& job, int threads, Kernel kernel) {
  int tiles = job.tiles_x * job.tiles_y;
  Pool::run(threads, tiles * job.views, [&](int i) { kernel(job, i / tiles, i % tiles); });
}

bool run_forward(State& state, int threads) {
  Job& job = state.job;
  const Kernels& kernels = *state.kernels;
  int chunks = (job.count + chunk_size - 1) / chunk_size;
  std::atomic<bool> finite{true};
  Pool::run(threads, chunks, [&](int i) {
    if (!kernels.project(job, i)) finite = false;
  });
  if (!finite) return false;
  Pool::run(threads, job.views,
            [&](int v) { order_view(job, state.views[v], state.workspace->views[v]); });
  for_tiles(job, threads, kernels.blend);
  return true;
}

// Draws into color, alpha, depth and radii; None if an input is not finite.
nb::object forward(const Array& means, const Array& quats, const Array& scales,
                   const Array& opacities, const Array& sh, const Array& viewmats,
                   const Array& K, const Array& background, const Maybe& offset,
                   const Array& color, const Array& alpha, const Array& depth,
                   const Array& radii, int threads) {
  auto state = std::make_unique<State>();
  state->kernels = choose();
  Job& job = state->job;
  job.count = (int)means.shape(0), job.coefficients = (int)sh.shape(1),
  job.views = (int)viewmats.shape(0);
  job.height = (int)color.shape(1), job.width = (int)color.shape(2);
  job.tiles_x = (job.width + tile_size - 1) / tile_size,
  job.tiles_y = (job.height + tile_size - 1) / tile_size;
  job.picture_background = background.ndim() == 4;
  job.means = means.data(), job.quats = quats.data(), job.scales = scales.data();
  job.opacities = opacities.data(), job.sh = sh.data();
  job.grow = grow_pairs;
  size_t pixels = (size_t)job.width * job.height;
  nb::gil_scoped_release release;
  state->views.resize(job.views);
  job.view = state->views.data();
  bool finite = all_finite(viewmats.data(), viewmats.size()) &&
                all_finite(K.data(), K.size()) &&
                all_finite(background.data(), background.size());
  for (int v = 0; v < job.views; ++v) {
    View& view = state->views[v];
    set_camera(view, viewmats.data() + 16 * v, K.data() + 9 * v, job.width, job.height);
    view.background = background.data() + v * (job.picture_background ? 3 * pixels : 3);
    view.offset = offset ? offset->data() + (size_t)2 * job.count * v : nullptr;
    view.color = color.data() + 3 * pixels * v;
    view.alpha = alpha.data() + pixels * v;
    view.depth = depth.data() + pixels * v;
    view.radii = radii.data() + (size_t)job.count * v;
  }
  find_room(*state);
  finite = finite && run_forward(*state, threads);
  nb::gil_scoped_acquire acquire;
  return finite ? nb::cast(state.release(), nb::rv_policy::take_ownership) : nb::none();
}

void sum_spills(const Job& job, const View& view, float* out) {
  float sum[3] = {0, 0, 0};
  for (int tile = 0; tile < job.tiles_x * job.tiles_y; ++tile)
    for (int k = 0; k < 3; ++k) sum[k] += view.spill[3 * tile + k];
  std::memcpy(out, sum, sizeof sum);
}

// Gradients of one forward pass, whose inputs are passed again; absent outputs got no gradient.
void backward(State& state, const Array& means, const Array& quats, const Array& scales,
              const Array& opacities, const Array& sh, const Array& background,
              const Maybe& color_grad, const Maybe& alpha_grad, const Maybe& depth_grad,
              const Array& means_grad, const Array& quats_grad, const Array& scales_grad,
              const Array& opacities_grad, const Array& sh_grad, const Maybe& background_grad,
              const Maybe& offset_grad, int threads) {
  Job& job = state.job;
  job.means = means.data(), job.quats = quats.data(), job.scales = scales.data();
  job.opacities = opacities.data(), job.sh = sh.data();
  job.means_grad = means_grad.data(), job.quats_grad = quats_grad.data();
  job.scales_grad = scales_grad.data(), job.opacities_grad = opacities_grad.data();
  job.sh_grad = sh_grad.data();
  size_t pixels = (size_t)job.width * job.height;
  nb::gil_scoped_release release;
  for (int v = 0; v < job.views; ++v) {
    View& view = state.views[v];
    size_t apart = job.picture_background ? 3 * pixels : 3;
    view.background = background.data() + v * apart;
    view.color_grad = color_grad ? color_grad->data() + 3 * pixels * v : nullptr;
    view.alpha_grad = alpha_grad ? alpha_grad->data() + pixels * v : nullptr;
    view.depth_grad = depth_grad ? depth_grad->data() + pixels * v : nullptr;
    view.background_grad = background_grad ? background_grad->data() + v * apart : nullptr;
    view.offset_grad = offset_grad ? offset_grad->data() + (size_t)2 * job.count * v : nullptr;
    int tiles = job.tiles_x * job.tiles_y;
    view.slots = state.workspace->views[v].slots.room((size_t)slot_size * view.offsets[tiles]);
  }
  for_tiles(job, threads, state.kernels->unblend);
  int chunks = (job.count + chunk_size - 1) / chunk_size;
  Pool::run(threads, chunks, [&](int i) { state.kernels->unproject(job, i); });
  for (int v = 0; v < job.views; ++v)
    if (background_grad && !job.picture_background)
      sum_spills(job, state.views[v], state.views[v].background_grad);
}

// How many (splat, tile) pairs were blended and how many 4 x 4-pixel cells: what there was to
// do.
std::pair<int64_t, int64_t> work(const State& state) {
  int64_t pairs = 0, cells = 0;
  for (const View& view : state.views) {
    for (int tile = 0; tile < state.job.tiles_x * state.job.tiles_y; ++tile) {
      const Entry* entries = view.entries + view.offsets[tile];
      pairs += view.used[tile];
      for (uint32_t i = 0; i < view.used[tile]; ++i)
        cells += __builtin_popcount(entries[i].cells);
    }
  }
  return {pairs, cells};
}

// Multiply-adds of one thread at full speed, in floating-point operations a second.
double peak() {
  const Kernels* kernels = choose();
  double best = 0;
  for (int trial = 0; trial < 200;
       ++trial) {  // short, for a machine that does other things too
    auto start = std::chrono::steady_clock::now();
    double operations = kernels->multiply_add(20000);
    std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, operations / seconds.count());
  }
  return best;
}

std::vector<std::string> isas() { return names_of(variants()); }

}  // namespace

NB_MODULE(_splat, module) {
  nb::set_leak_warnings(false);  // graphs still alive at exit hold states
  nb::class_<State>(module, "State");
  module.def("forward", &forward);
  module.def("backward", &backward);
  module.def("work", &work);
  module.def("peak", &peak);
  module.def("isas", &isas);
}
