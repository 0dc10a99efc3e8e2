// The network module: what a frozen denoiser spends its time on, in float32.
//
// Tasks are blocks of tiles or views. Every task writes to places of its own and every sum has a
// fixed order, so no bit of a result depends on the number of threads.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "variants.hpp"
#include "network_blocks.hpp"
#include "network_job.hpp"
#include "network_program.hpp"
#include "network_steps.hpp"
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

// Numbers that `packed` has to hold.
int64_t packed_size(int outputs, int inputs, int size, int stride, int padding) {
  const Kernels& kernels = choose();
  int taps = by_tiles(kernels, inputs, size, stride, padding) ? places : size * size;
  return taps * rounded_up(kernels, outputs) * inputs;
}

// The weight of a convolution, or of a linear layer, which is one of a single cell.
void pack(const Floats& weight, int stride, int padding, const Floats& packed) {
  const Kernels& kernels = choose();
  int outputs = (int)weight.shape(0), inputs = (int)weight.shape(1);
  int size = weight.ndim() > 2 ? (int)weight.shape(2) : 1;
  if (by_tiles(kernels, inputs, size, stride, padding))
    kernels.pack(weight.data(), outputs, inputs, packed.data());
  else
    kernels.pack_plain(weight.data(), outputs, inputs, size, packed.data());
}

void convolve(const Floats& x, const Floats& packed, const Maybe& bias, const Maybe& added,
              const Floats& y, int size, int stride, int padding, int threads) {
  Convolve job{x.data(),        packed.data(),    data_of(bias),    data_of(added),
               y.data(),        (int)x.shape(0),  (int)x.shape(1),  (int)x.shape(2),
               (int)x.shape(3), (int)y.shape(3),  size,             stride,
               padding};
  Blocks all(choose(), job);
  nb::gil_scoped_release release;
  int blocks = (all.count + all.most - 1) / all.most;
  if (blocks < threads && all.count >= threads) blocks = threads;
  Pool::run(threads, blocks, [&](int block) {
    float* room = Program::memory(all.room);
    all.run(job, (int)((int64_t)all.count * block / blocks),
            (int)((int64_t)all.count * (block + 1) / blocks), room);
  });
}

void normalize(const Floats& x, int groups, const Floats& weight, const Floats& bias,
               const Maybe& modulation, float epsilon, const Floats& y, int threads) {
  const Kernels& kernels = choose();
  Normalize job{x.data(), weight.data(), bias.data(), data_of(modulation), y.data(),
                (int64_t)x.shape(1) * (int64_t)x.shape(2), (int)x.shape(3), groups, epsilon,
                true};
  nb::gil_scoped_release release;
  Pool::run(threads, (int)x.shape(0), [&](int view) {
    kernels.normalize(job, view, Program::memory(2 * (size_t)job.channels));
  });
}

// A program that Python puts together, with the weights that it needs.
class Network {
 public:
  int64_t given(int64_t size) { return program_.given(size); }
  int64_t place(int64_t size) { return program_.place(size); }
  void begin(int rows) { program_.begin(rows); }

  void together(int rows) {
    if (rows < 1 || most_rows % rows) throw std::invalid_argument("rows come in 1, 2, 4 or 8");
    program_.together(rows);
  }

  void convolve(int64_t x, int64_t added, int64_t y, const Floats& packed, const Maybe& bias,
                int height, int width, int inputs, int outputs, int size, int stride,
                int padding) {
    Convolve job{nullptr, keep(packed), bias ? keep(*bias) : nullptr,
                 nullptr, nullptr,      1,
                 height,  width,        inputs,
                 outputs, size,         stride,
                 padding};
    int64_t made = (int64_t)job.cells() * outputs;
    expect(x, (int64_t)height * width * inputs), expect(y, made), expect(added, made);
    if ((int64_t)packed.size() != packed_size(outputs, inputs, size, stride, padding))
      throw std::invalid_argument("the packed weight is of another size");
    add_convolve(program_, kernels_, job, x, added, y);
  }

  void normalize(int64_t x, int64_t modulation, int64_t y, const Floats& weight,
                 const Floats& bias, int64_t cells, int groups, float epsilon, bool activate) {
    int channels = (int)weight.size();
    Normalize job{nullptr, keep(weight), keep(bias), nullptr, nullptr,
                  cells,   channels,     groups,     epsilon, activate};
    expect(x, cells * channels), expect(y, cells * channels), expect(modulation, 2 * channels);
    add_normalize(program_, kernels_, job, x, modulation, y);
  }

  void activate(int64_t x) { add_activate(program_, kernels_, x); }

  void attend(int64_t cells, int64_t words, int64_t mask, int64_t y, int count, int word_count,
              int heads, int width) {
    Attend job{nullptr, nullptr, nullptr, nullptr, count, word_count, heads, width};
    int64_t apart = (int64_t)heads * width;
    expect(cells, 3 * count * apart), expect(words, 2 * word_count * apart);
    expect(mask, word_count), expect(y, count * apart);
    add_attend(program_, kernels_, job, cells, words, mask, y);
  }

  void across(int64_t query, int64_t own, int64_t shown, int64_t y, const Maybe& turn,
              const Maybe& affinity, int count, int turns, int heads, int width) {
    int pictures = turns + (shown == nowhere ? 0 : 1);
    Across job{nullptr, {}, nullptr, nullptr, nullptr, count, turns, pictures, heads, width};
    int64_t size = (int64_t)count * heads * width;
    expect(query, size), expect(y, size), expect(own, 2 * size), expect(shown, 2 * size);
    if (turns < 0 || turns > most_views || !pictures || (turns && own == nowhere))
      throw std::invalid_argument("cells look at 1 to 8 turns, or at another picture");
    if (turns) {
      job.turn = keep(turn.value()), job.affinity = keep(affinity.value());
      if ((int64_t)turn->size() != (int64_t)turns * 2 * heads * width ||
          (int64_t)affinity->size() != (int64_t)heads * count * turns * count)
        throw std::invalid_argument("turn or affinity is of another size");
    }
    add_across(program_, kernels_, job, query, own, shown, y);
  }

  void shift(int64_t x, const Floats& more) {
    expect(x, (int64_t)more.size());
    add_shift(program_, x, keep(more));
  }

  void turn(int64_t x, int64_t y, int rows, int columns) {
    expect(x, (int64_t)rows * columns), expect(y, (int64_t)rows * columns);
    add_turn(program_, kernels_, x, y, rows, columns);
  }

  void join(int64_t x, int64_t wide, int64_t y, int side, int own, int more) {
    int64_t cells = (int64_t)side * side;
    expect(x, cells * own), expect(wide, cells / 4 * more), expect(y, cells * (own + more));
    add_join(program_, kernels_, x, wide, y, side, own, more);
  }

  void fold(int64_t x, int64_t y, int side, int channels, int apart) {
    int64_t cells = (int64_t)side * side;
    expect(x, 4 * cells * channels), expect(y, cells * apart);
    add_fold(program_, kernels_, x, y, side, channels, apart);
  }

  void unfold(int64_t x, int64_t y, int side, int channels) {
    expect(x, 4 * (int64_t)side * side * channels), expect(y, program_.size(x));
    add_unfold(program_, kernels_, x, y, side, channels);
  }

  void halve(int64_t x, int64_t log_snr, int64_t small, int64_t scaled, int side, int channels) {
    int64_t size = (int64_t)side * side * channels;
    expect(x, 4 * size), expect(log_snr, 1), expect(small, size), expect(scaled, size);
    add_halve(program_, kernels_, x, log_snr, small, scaled, side, channels);
  }

  void whole(int64_t low, int64_t small, int64_t added, int64_t log_snr, int64_t y, int side,
             int channels) {
    int64_t size = (int64_t)side * side * channels;
    expect(low, size), expect(small, size), expect(added, 4 * size), expect(y, 4 * size);
    expect(log_snr, 1);
    Whole job{nullptr, nullptr, nullptr, nullptr, side, channels, 0.0f};
    add_whole(program_, kernels_, job, low, small, added, log_snr, y);
  }

  // What `given` was called for, in the same order, each of whole rows.
  void run(const std::vector<Floats>& given, int rows, int threads) const {
    std::vector<float*> data;
    for (const Floats& array : given) data.push_back(array.data());
    if (!program_.takes(sizes_of(given), rows))
      throw std::invalid_argument("the program is for arrays of other sizes");
    nb::gil_scoped_release release;
    program_.run(data, rows, threads);
  }

 private:
  const float* keep(const Floats& weight) {
    weights_.push_back(weight);
    return weight.data();
  }

  void expect(int64_t place, int64_t size) const {
    if (place != nowhere && program_.size(place) != size)
      throw std::invalid_argument("a place is of another size");
  }

  static std::vector<int64_t> sizes_of(const std::vector<Floats>& arrays) {
    std::vector<int64_t> sizes;
    for (const Floats& array : arrays) sizes.push_back((int64_t)array.size());
    return sizes;
  }

  const Kernels& kernels_ = choose();
  Program program_;
  std::vector<Floats> weights_;
};

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
  nb::class_<Network>(module, "Program")
      .def(nb::init<>())
      .def("given", &Network::given)
      .def("place", &Network::place)
      .def("begin", &Network::begin)
      .def("together", &Network::together, nb::arg("rows"))
      .def("convolve", &Network::convolve, nb::arg("x"), nb::arg("added"), nb::arg("y"),
           nb::arg("packed"), nb::arg("bias").none(), nb::arg("height"), nb::arg("width"),
           nb::arg("inputs"), nb::arg("outputs"), nb::arg("size"), nb::arg("stride"),
           nb::arg("padding"))
      .def("normalize", &Network::normalize, nb::arg("x"), nb::arg("modulation"), nb::arg("y"),
           nb::arg("weight"), nb::arg("bias"), nb::arg("cells"), nb::arg("groups"),
           nb::arg("epsilon"), nb::arg("activate"))
      .def("activate", &Network::activate, nb::arg("x"))
      .def("attend", &Network::attend, nb::arg("cells"), nb::arg("words"), nb::arg("mask"),
           nb::arg("y"), nb::arg("count"), nb::arg("word_count"), nb::arg("heads"),
           nb::arg("width"))
      .def("across", &Network::across, nb::arg("query"), nb::arg("own"), nb::arg("shown"),
           nb::arg("y"), nb::arg("turn").none(), nb::arg("affinity").none(), nb::arg("count"),
           nb::arg("turns"), nb::arg("heads"), nb::arg("width"))
      .def("shift", &Network::shift, nb::arg("x"), nb::arg("more"))
      .def("turn", &Network::turn, nb::arg("x"), nb::arg("y"), nb::arg("rows"),
           nb::arg("columns"))
      .def("join", &Network::join, nb::arg("x"), nb::arg("wide"), nb::arg("y"), nb::arg("side"),
           nb::arg("own"), nb::arg("more"))
      .def("fold", &Network::fold, nb::arg("x"), nb::arg("y"), nb::arg("side"),
           nb::arg("channels"), nb::arg("apart"))
      .def("unfold", &Network::unfold, nb::arg("x"), nb::arg("y"), nb::arg("side"),
           nb::arg("channels"))
      .def("halve", &Network::halve, nb::arg("x"), nb::arg("log_snr"), nb::arg("small"),
           nb::arg("scaled"), nb::arg("side"), nb::arg("channels"))
      .def("whole", &Network::whole, nb::arg("low"), nb::arg("small"), nb::arg("added"),
           nb::arg("log_snr"), nb::arg("y"), nb::arg("side"), nb::arg("channels"))
      .def("run", &Network::run, nb::arg("given"), nb::arg("rows"), nb::arg("threads"));
  nb::set_leak_warnings(false);  // programs are kept until the interpreter ends
  module.def("isas", &isas);
  module.def("lanes", &lanes);
}
