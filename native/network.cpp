// The network module: what a frozen denoiser spends its time on, in float32.
//
// Tasks are blocks of tiles or views. Every task writes to places of its own and every sum has a
// fixed order, so no bit of a result depends on the number of threads.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "variants.hpp"
#include "network_job.hpp"
#include "pool.hpp"

namespace baseline {
extern const network::Kernels network_kernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const network::Kernels network_kernels;
}
namespace avx512 {
extern const network::Kernels network_kernels;
}
#endif

namespace nb = nanobind;
using namespace network;

using Floats = nb::ndarray<float, nb::c_contig, nb::device::cpu>;
using Maybe = std::optional<Floats>;

namespace {

const std::vector<const Kernels*>& variants() {
  static const std::vector<const Kernels*> list = KERNEL_VARIANTS(network_kernels);
  return list;
}

const Kernels& choose() { return *chosen(variants()); }

const float* data_of(const Maybe& array) { return array ? array->data() : nullptr; }

int rounded_up(int outputs) {
  int panel = choose().panel;
  return (outputs + panel - 1) / panel * panel;
}

// Whether the fast transforms are for it; they want whole registers of inputs.
bool by_tiles(int inputs, int size, int stride, int padding) {
  return size == 3 && stride == 1 && padding == 1 && inputs % choose().lanes == 0;
}

// Numbers that `packed` has to hold.
int64_t packed_size(int outputs, int inputs, int size, int stride, int padding) {
  int taps = by_tiles(inputs, size, stride, padding) ? places : size * size;
  return (int64_t)taps * rounded_up(outputs) * inputs;
}

void pack(const Floats& weight, int stride, int padding, const Floats& packed) {
  int outputs = (int)weight.shape(0), inputs = (int)weight.shape(1);
  int size = (int)weight.shape(2);
  if (by_tiles(inputs, size, stride, padding))
    choose().pack(weight.data(), outputs, inputs, packed.data());
  else
    choose().pack_plain(weight.data(), outputs, inputs, size, packed.data());
}

// Calls task(first, last, room) for blocks of all `count` things, `room` of `size` numbers.
template <typename Task>
void in_blocks(int threads, int count, int most, size_t size, const Task& task) {
  int blocks = (count + most - 1) / most;
  if (blocks < threads && count >= threads) blocks = threads;
  Pool::run(threads, blocks, [&](int block) {
    // Zeros at first: the products of a last, half-empty block read what nothing has written.
    thread_local std::vector<float> room;
    if (room.size() < size) room.assign(size, 0.0f);
    task((int)((int64_t)count * block / blocks), (int)((int64_t)count * (block + 1) / blocks),
         room.data());
  });
}

void convolve(const Floats& x, const Floats& packed, const Maybe& bias, const Maybe& added,
              const Floats& y, int size, int stride, int padding, int threads) {
  const Kernels& kernels = choose();
  Convolve job{x.data(),          packed.data(),      data_of(bias),
               data_of(added),    y.data(),           (int)x.shape(0),
               (int)x.shape(1),   (int)x.shape(2),    (int)x.shape(3),
               (int)y.shape(3),  size,                stride,
               padding};
  size_t width = (size_t)rounded_up(job.outputs);
  nb::gil_scoped_release release;
  if (by_tiles(job.inputs, size, stride, padding))
    in_blocks(threads, job.tiles(), block_tiles, places * (block_tiles * (job.inputs + width) + 2 * skew),
              [&](int first, int last, float* room) {
                kernels.convolve(job, first, last, room);
              });
  else
    in_blocks(threads, job.cells(), block_cells, block_cells * (job.taps() + width),
              [&](int first, int last, float* room) {
                kernels.convolve_plain(job, first, last, room);
              });
}

void normalize(const Floats& x, int groups, const Floats& weight, const Floats& bias,
               const Maybe& modulation, float epsilon, const Floats& y, int threads) {
  const Kernels& kernels = choose();
  Normalize job{x.data(), weight.data(), bias.data(), data_of(modulation), y.data(),
                (int64_t)x.shape(1) * (int64_t)x.shape(2), (int)x.shape(3), groups, epsilon};
  nb::gil_scoped_release release;
  Pool::run(threads, (int)x.shape(0), [&](int view) {
    std::unique_ptr<float[]> room(new float[2 * job.channels]);
    kernels.normalize(job, view, room.get());
  });
}

std::vector<std::string> isas() { return names_of(variants()); }

int lanes() { return choose().lanes; }

}  // namespace

NB_MODULE(_network, module) {
  module.def("packed_size", &packed_size);
  module.def("pack", &pack);
  module.def("convolve", &convolve, nb::arg("x"), nb::arg("packed"), nb::arg("bias").none(),
             nb::arg("added").none(), nb::arg("y"), nb::arg("size"), nb::arg("stride"),
             nb::arg("padding"), nb::arg("threads"));
  module.def("normalize", &normalize, nb::arg("x"), nb::arg("groups"), nb::arg("weight"),
             nb::arg("bias"), nb::arg("modulation").none(), nb::arg("epsilon"), nb::arg("y"),
             nb::arg("threads"));
  module.def("isas", &isas);
  module.def("lanes", &lanes);
}
