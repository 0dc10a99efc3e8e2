// What one call of the radiance-field kernels is given; one set of them per instruction set.
//
// Points come in blocks of `block_size`. Inside a block the values of one row (a coordinate, a
// feature, a hidden unit) lie side by side, so that registers hold one value of many points:
// arrays are [blocks, rows, block_size]. A last block that is not full repeats its last point.
#pragma once

#include <cstdint>

namespace fields {

constexpr int block_size = 64;
constexpr int most_levels = 32;
constexpr int most_width = 128;  // features, hidden units
constexpr int most_outputs = 16;

struct Level {
  int32_t resolution;  // cells a side
  uint32_t first;      // row of the table where the level begins
  uint32_t mask;       // rows - 1 of a level that is hashed, 0 for a dense one
};

struct Grid {
  const float* table;  // [rows, 2]
  Level level[most_levels];
  int levels, active;  // features of levels from `active` on are zero
};

// One hidden layer of rectified units; hidden units are a multiple of 4.
struct Network {
  const float *first, *first_bias;    // [hidden, features], [hidden]
  const float *second, *second_bias;  // [outputs, hidden], [outputs]
  const float *first_turned, *second_turned;  // [features, hidden], [hidden, outputs]
  int features, hidden, outputs;
};

struct Forward {
  Grid grid;
  Network network;
  const float* points;  // [count, 3]
  int64_t count;
  float radius;     // the grid fills the cube from -radius to radius
  float* units;     // [blocks, 3, block_size] places in the cube, 0 to 1; may be null
  float* features;  // [blocks, 2 levels, block_size]; may be null
  float* out;       // [count, outputs] of the network; may be null
};

struct Backward {
  Network network;
  const float* features;
  const float* grad;      // [count, outputs]
  int64_t count;
  float* features_grad;   // [blocks, features, block_size]
};

struct Places {  // of features that have gradients
  Grid grid;
  const float* units;
  const float* features_grad;
  int64_t count;
  float* table_grad;  // [rows, 2], added to
  float* units_grad;  // [blocks, 3, block_size]
};

struct March {
  const float *origins, *directions;  // [rays, 3]
  const float *near, *far;            // [rays] distances between which the scene lies
  const float* jitter;                // [rays] 0 to 1: where in its step each sample lies
  const uint8_t* occupied;            // [resolution, resolution, resolution]
  int resolution, slots, words;
  float radius, step;
  int64_t rays;
};

struct Composite {
  const float* density;      // [samples]
  const float* values;       // [samples, width]
  const float* distances;    // [samples]
  const int64_t* starts;     // [rays + 1]
  float step, stop;
  int width;
  float *weights, *left;                 // [samples]
  float *alpha, *distance, *totals;      // [rays], [rays], [rays, width]
  const float *weights_grad, *alpha_grad, *distance_grad, *totals_grad;  // each may be null
  float *density_grad, *values_grad;
};

struct Kernels {
  const char* name;
  int lanes;
  void (*forward)(const Forward&, int64_t first, int64_t last);  // blocks
  // `sums` has room for lanes * parameters floats, `out` for one gradient of all parameters.
  void (*backward)(const Backward&, int64_t first, int64_t last, float* sums, float* out);
  void (*scatter)(const Places&, int level);
  void (*turn_back)(const Places&, int64_t first, int64_t last);  // blocks
  void (*march)(const March&, int64_t first, int64_t last, uint64_t* bits, int32_t* counts);
  void (*composite)(const Composite&, int64_t first, int64_t last);         // rays
  void (*composite_backward)(const Composite&, int64_t first, int64_t last);
};

}  // namespace fields
