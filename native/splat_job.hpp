// What the kernels of the splat renderer and the code that calls them both know. Plain data
// only: the kernels are compiled for several instruction sets and may share no functions.
#pragma once

#include <cstdint>

namespace splat {

constexpr int chunk_size = 256;  // splats that one task projects
constexpr int tile_size = 16;    // pixels a side of what one task blends
constexpr int tile_pixels = tile_size * tile_size;
constexpr int slot_size = 16;  // floats of a gradient slot, of which the first ten are used
constexpr uint32_t all_cells = 0xffff;

// One splat on one view's screen. With d = pixel - (x, y), its alpha is
// 2^(level - (p d.x + pk d.y)^2 - (q d.y)^2).
struct alignas(64) Record {
  float x, y, p, pk, q, level, r, g, b, z;
};

// A splat marks a tile: bit 4 * row + column is set if it can reach that 4 x 4-pixel cell.
struct Pair {
  uint32_t tile, cells;
};

// A splat's pairs: the first, counted from the start of its chunk, and how many.
struct Span {
  uint32_t first, count;
};

struct Pairs {
  Pair* data;
  uint32_t size, capacity;
};

// One splat in a tile's list, which is sorted by depth.
struct Entry {
  uint32_t splat, slot, cells;
};

struct View {
  float rotation[9], shift[3], focal[2], middle[2], eye[3];
  float slope_low[2], slope_high[2];  // where the linearization of the projection is clamped
  double forward[4];                  // camera-space depth of a point, in double precision

  // One value for each splat, or for each chunk of them, or for each tile or its pixels.
  Record* records;
  uint32_t* sorted;   // splats: indices of the visible ones, chunk by chunk, then by depth
  uint32_t* keys;     // splats: their depths, as sortable integers
  Span* spans;        // splats
  uint32_t* visible;  // chunks: number of visible splats
  uint32_t* base;     // chunks: slot of the first pair
  Pairs* pairs;       // chunks
  Entry* entries;
  uint32_t* offsets;  // tiles + 1: first entry
  uint32_t* used;     // tiles: entries until every pixel was opaque
  float* left;        // tiles * 256: transmittance behind everything
  float* far;         // tiles * 256: expected depth
  int32_t* stop;      // tiles * 256: entry at which the pixel became opaque
  float* slots;       // pairs * slot_size
  float* spill;       // tiles * 3: gradient of a one-color background

  // Pictures: outputs of forward; gradients of outputs, may be null, and of inputs in backward.
  const float* background;
  const float* offset;  // splats * 2 or null
  float *color, *alpha, *depth, *radii;
  const float *color_grad, *alpha_grad, *depth_grad;
  float *background_grad, *offset_grad;  // may be null
};

struct Job {
  int count, coefficients, views, width, height, tiles_x, tiles_y;
  bool picture_background;
  const float *means, *quats, *scales, *opacities, *sh;
  float *means_grad, *quats_grad, *scales_grad, *opacities_grad, *sh_grad;
  View* view;
  void (*grow)(Pairs*);  // makes room for at least one more pair
};

// The kernels for one instruction set. Tasks of one kind may run in any order, on any thread.
struct Kernels {
  const char* name;
  int lanes;
  bool (*project)(const Job&, int chunk);           // false if an input is not finite
  void (*blend)(const Job&, int view, int tile);    // pictures
  void (*unblend)(const Job&, int view, int tile);  // gradient slots of all pairs of the tile
  void (*unproject)(const Job&, int chunk);         // gradients of the scene
  double (*multiply_add)(int64_t rounds);           // returns how many operations were done
};

}  // namespace splat
