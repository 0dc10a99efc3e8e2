// The parts of a frozen convolutional network: what one call is given, and the kernels.
//
// A 3 x 3 convolution of 4 x 4 cells at once takes 36 multiplications instead of 144 (Winograd
// 1980; Lavin and Gray 2016, "Fast algorithms for convolutional neural networks", F(4x4, 3x3)):
// six by six cells and three by three weights are transformed, multiplied place by place, and
// what comes out is transformed back. Over many tiles that is 36 products of matrices. All other
// convolutions are one product: a row for each cell, of all that the cell depends on. Pictures are
// channels-last: [views, height, width, channels].
#pragma once

#include <cstddef>
#include <cstdint>

namespace network {

constexpr int tile = 4;               // cells a side that are made at once
constexpr int patch = tile + 2;       // cells a side that they depend on
constexpr int places = patch * patch; // products a tile and pair of channels
constexpr int block_tiles = 32;       // tiles that one task makes
constexpr int line = 16;              // numbers in a line of the cache
// Numbers between the planes of two places: a line of the cache more than the planes themselves,
// whose sizes are powers of two times a little, or all 36 would fight for the same few lines.
constexpr int skew = line;
constexpr int block_cells = 64;       // cells that one task makes of a plain convolution

struct Convolve {
  const float* x;       // [views, height, width, inputs]
  const float* packed;  // from `pack`
  const float* bias;    // [outputs], or null
  const float* added;   // [views, height, width, outputs], or null
  float* y;             // [views, height, width, outputs]
  int views, height, width, inputs, outputs;
  int size, stride, padding;  // of a plain convolution, in cells; the other is 3, 1, 1

  int rows() const { return (height + tile - 1) / tile; }     // of tiles
  int columns() const { return (width + tile - 1) / tile; }
  int tiles() const { return views * rows() * columns(); }
  int made(int along) const { return (along + 2 * padding - size) / stride + 1; }
  int cells() const { return views * made(height) * made(width); }
  int taps() const { return size * size * inputs; }
};

struct Normalize {
  const float* x;           // [views, cells, channels]
  const float* weight;      // [channels]
  const float* bias;        // [channels]
  const float* modulation;  // [views, 2 * channels]: scale, then shift; or null
  float* y;                 // as x
  int64_t cells;
  int channels, groups;
  float epsilon;
  bool activate;  // whether SiLU follows
};

// Every cell looks at every cell and at every word, in one picture.
struct Attend {
  const float* cells;  // [count, 3, heads, width]: query, key, value
  const float* words;  // [word_count, 2, heads, width]: key, value
  const float* mask;   // [word_count], added to what cells have to do with words
  float* y;            // [count, heads, width]
  int count, word_count, heads, width;
};

constexpr int most_views = 8;  // that look at each other

// Every cell of a picture looks at the cells of several pictures: first of those that stand so
// many turns on, itself at none, then of others.
struct Across {
  const float* query;                 // [count, heads, width]
  const float* seen[most_views + 1];  // each [count, 2, heads, width]: key, value
  const float* turn;      // [turns, 2, heads, width], added to the first ones' keys and values
  const float* affinity;  // [heads, count, turns, count], added to what cells have to do with them
  float* y;               // [count, heads, width]
  int count, turns, pictures, heads, width;
};

// The velocity of a whole picture, from that of its average over 2 x 2 pixels and what the outer
// level adds; see `Denoiser._low`.
struct Whole {
  const float* low;    // [side, side, channels], the average's velocity
  const float* small;  // the same, the averaged picture
  const float* added;  // [side, side, 4 * channels], folded
  float* y;            // [2 * side, 2 * side, channels]
  int side, channels;
  float log_snr;
};

struct Kernels {
  const char* name;
  int lanes;
  int panel;  // outputs that are multiplied at once; `packed` has their number rounded up
  // weight [outputs, inputs, 3, 3] to packed [36, panels, inputs, panel].
  void (*pack)(const float* weight, int outputs, int inputs, float* packed);
  // Tiles first to last - 1; room holds twice 36 planes, of block_tiles rows of inputs, then of
  // outputs rounded up, each with its skew.
  void (*convolve)(const Convolve& job, int first, int last, float* room);
  // weight [outputs, inputs, size, size] to packed [panels, size, size, inputs, panel].
  void (*pack_plain)(const float* weight, int outputs, int inputs, int size, float* packed);
  // Cells first to last - 1; room holds block_cells * (taps + outputs rounded up).
  void (*convolve_plain)(const Convolve& job, int first, int last, float* room);
  // One view; room holds 2 * channels.
  void (*normalize)(const Normalize& job, int view, float* room);
  void (*activate)(float* x, int64_t count);  // SiLU, in place
  size_t (*attend_room)(const Attend& job);
  void (*attend)(const Attend& job, float* room);
  size_t (*across_room)(const Across& job);
  void (*across)(const Across& job, float* room);
  // x [rows, columns] to y [columns, rows].
  void (*turn)(const float* x, int rows, int columns, float* y);
  // One beside the other: x [side, side, own], y [side, side, own + wide], and wide of half as
  // many cells a side, each for four.
  void (*join)(const float* x, const float* wide, int side, int own, int more, float* y);
  // x [2 * side, 2 * side, channels] to y [side, side, apart], as torch's pixel_unshuffle; what
  // is more than 4 * channels is zero.
  void (*fold)(const float* x, int side, int channels, int apart, float* y);
  // x [side, side, 4 * channels] to y [2 * side, 2 * side, channels], the way back.
  void (*unfold)(const float* x, int side, int channels, float* y);
  // Averages over 2 x 2 pixels, [side, side, channels], and the same at a variance of one.
  void (*halve)(const float* x, int side, int channels, float log_snr, float* small,
                float* scaled);
  void (*whole)(const Whole& job);
};

}  // namespace network
