// Products of matrices, and convolutions that are one such product, see network_job.hpp.
#pragma once

namespace KERNEL_ISA {

using network::Convolve;
using network::block_cells;
using network::block_tiles;
using network::line;

// Accumulators that fit the registers, with room for a row of weights and one of inputs.
constexpr int product_rows = KERNEL_LANES == 16 ? 8 : 4;
constexpr int product_columns = 3;  // registers
constexpr int panel = product_columns * lanes;
static_assert(block_tiles % product_rows == 0 && block_cells % product_rows == 0);

inline int rounded_up(int outputs) { return (outputs + panel - 1) / panel * panel; }

// One step of the product below.
INLINE void add_product(Float (&sum)[product_rows][product_columns], const float* a,
                        const float* b, int64_t inputs) {
  Float w[product_columns];
  for (int k = 0; k < product_columns; ++k) w[k] = load(b + k * lanes);
  for (int r = 0; r < product_rows; ++r) {
    Float x = all(a[r * inputs]);
    for (int k = 0; k < product_columns; ++k) sum[r][k] += x * w[k];
  }
}

// c [product_rows, panel] = a [product_rows, inputs] b [inputs, panel]. Meanwhile `lines` lines of
// the cache are called for with every eight inputs, from `next` on.
INLINE void product(const float* a, const float* b, float* c, int64_t inputs, int64_t width,
                    const float* next = nullptr, int64_t lines = 0) {
  Float sum[product_rows][product_columns] = {};
  int64_t i = 0;
  for (; i + 8 <= inputs; i += 8) {
    for (int64_t l = 0; l < lines; ++l, next += line) __builtin_prefetch(next);
    for (int64_t k = 0; k < 8; ++k) add_product(sum, a + i + k, b + (i + k) * panel, inputs);
  }
  for (; i < inputs; ++i) add_product(sum, a + i, b + i * panel, inputs);
  // Unrolled, or the sums would make a detour through memory.
#pragma GCC unroll 8
  for (int r = 0; r < product_rows; ++r)
#pragma GCC unroll 3
    for (int k = 0; k < product_columns; ++k) store(c + r * width + k * lanes, sum[r][k]);
}

// c [rows, panel] = a [rows, inputs] b [inputs, panel], where the next b follows in memory. It is
// called for while this one is used, evenly: the weights are more than the caches hold, and many
// lines called for at once would be in the way of what is needed now.
INLINE void products(const float* a, const float* b, float* c, int64_t rows, int64_t inputs,
                     int64_t width) {
  int64_t times = (rows + product_rows - 1) / product_rows * (inputs / 8);
  int64_t lines = times ? (inputs * panel / line + times - 1) / times : 0;
  const float* next = b + inputs * panel;
  for (int64_t row = 0; row < rows; row += product_rows) {
    product(a + row * inputs, b, c + row * width, inputs, width, next, lines);
    next += lines * line * (inputs / 8);
  }
}

inline void pack_plain(const float* weight, int outputs, int inputs, int size, float* packed) {
  int taps = size * size;
  for (int k = 0; k < rounded_up(outputs); ++k)
    for (int tap = 0; tap < taps; ++tap)
      for (int c = 0; c < inputs; ++c)
        packed[((int64_t)(k / panel * taps + tap) * inputs + c) * panel + k % panel] =
            k < outputs ? weight[((int64_t)k * inputs + c) * taps + tap] : 0.0f;
}

// All that a cell depends on, [size, size, inputs]; what lies outside is zero.
inline void gather_taps(const Convolve& job, int cell, float* taps) {
  int columns = job.made(job.width), rows = job.made(job.height);
  int64_t view = cell / (rows * columns);
  int top = cell / columns % rows * job.stride - job.padding;
  int left = cell % columns * job.stride - job.padding;
  for (int i = 0; i < job.size; ++i)
    for (int j = 0; j < job.size; ++j, taps += job.inputs) {
      int row = top + i, column = left + j;
      bool inside = row >= 0 && row < job.height && column >= 0 && column < job.width;
      const float* from =
          job.x + ((view * job.height + row) * job.width + column) * job.inputs;
      if (inside)
        __builtin_memcpy(taps, from, job.inputs * sizeof(float));
      else
        __builtin_memset(taps, 0, job.inputs * sizeof(float));
    }
}

inline void convolve_plain(const Convolve& job, int first, int last, float* room) {
  int64_t taps = job.taps(), width = rounded_up(job.outputs);
  float *a = room, *c = room + block_cells * taps;
  for (int cell = first; cell < last; ++cell)
    gather_taps(job, cell, a + (cell - first) * taps);
  for (int64_t k = 0; k < width; k += panel)
    products(a, job.packed + k * taps, c + k, last - first, taps, width);
  for (int cell = first; cell < last; ++cell) {
    const float* made = c + (cell - first) * width;
    int64_t place = (int64_t)cell * job.outputs;
    for (int k = 0; k < job.outputs; ++k)
      job.y[place + k] = made[k] + (job.bias ? job.bias[k] : 0.0f) +
                         (job.added ? job.added[place + k] : 0.0f);
  }
}

}  // namespace KERNEL_ISA
