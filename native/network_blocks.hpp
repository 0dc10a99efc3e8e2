// How a convolution is cut into blocks, which may run in any order, see network_job.hpp.
#pragma once

#include <cstddef>
#include <cstdint>

#include "network_job.hpp"

namespace network {

// Whether the fast transforms are for it; they want whole registers of inputs.
inline bool by_tiles(const Kernels& kernels, int inputs, int size, int stride, int padding) {
  return size == 3 && stride == 1 && padding == 1 && inputs % kernels.lanes == 0;
}

inline bool by_tiles(const Kernels& kernels, const Convolve& job) {
  return by_tiles(kernels, job.inputs, job.size, job.stride, job.padding);
}

inline int64_t rounded_up(const Kernels& kernels, int outputs) {
  return (outputs + kernels.panel - 1) / kernels.panel * kernels.panel;
}

struct Blocks {
  const Kernels& kernels;
  bool tiles;
  int count, most;  // of tiles or cells; a block has so many at most
  size_t room;      // numbers

  Blocks(const Kernels& chosen, const Convolve& job)
      : kernels(chosen), tiles(by_tiles(chosen, job)) {
    size_t width = (size_t)rounded_up(kernels, job.outputs), inputs = (size_t)job.inputs;
    count = tiles ? job.tiles() : job.cells();
    most = tiles ? block_tiles : block_cells;
    room = tiles ? places * (block_tiles * (inputs + width) + 2 * skew)
                 : block_cells * ((size_t)job.taps() + width);
  }

  void run(const Convolve& job, int first, int last, float* scratch) const {
    (tiles ? kernels.convolve : kernels.convolve_plain)(job, first, last, scratch);
  }
};

}  // namespace network
