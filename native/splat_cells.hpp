// Which 4 x 4-pixel cells each splat can reach, and the forward projection of a chunk.
#pragma once

namespace KERNEL_ISA {

constexpr float slack =
    2e-3f;  // pixels, so that rounding cannot lose a cell that is just touched

static INLINE void add_pair(const Job& job, Pairs& pairs, uint32_t tile, uint32_t cells) {
  if (pairs.size == pairs.capacity) job.grow(&pairs);
  pairs.data[pairs.size++] = {tile, cells};
}

// What decides a splat's cells: center, half height, dx/dy of the middle line, the dy at which
// the ellipse reaches furthest right, and its shape as in Record.
struct Outline {
  float x, y, height, lean, extreme, square, q, inverse_p;
};

// First and last column of cells that the ellipse can reach, for some rows of cells.
constexpr int rows_at_once = lanes > 8 ? lanes / 2 : 4;
struct Reach {
  alignas(64) int32_t first[rows_at_once > lanes ? rows_at_once : lanes], last[lanes];
};

// In each band of four pixel rows the leftmost and rightmost points of the ellipse are found
// exactly: where its own extreme lies, or at the end of the band nearest to that. One half of
// the lanes looks to the right and the other to the left.
static INLINE Float reach_side(const Outline& o, Float top, Float side) {
  Float low = max(top, all(-o.height)), high = min(top + 3.0f, all(o.height));
  Float y = clamp(o.extreme * side, low, high), down = o.q * y;
  Float half = sqrt(max(o.square - down * down, all(0.0f))) * o.inverse_p + slack;
  // A band beyond the ellipse is crossed nowhere: right of the left edge of nothing.
  return select(low <= high, (o.x - 0.5f) + o.lean * y + side * half, side * -1e9f);
}

static INLINE void reach_columns(const Job& job, const Outline& o, int first_row, Reach& out) {
  float top = 4 * first_row + (0.5f - o.y);
  Float last_pixel = all((float)(job.width - 1)), zero = all(0.0f);
#if KERNEL_LANES == 4
  Float tops = top + 4.0f * count_up();
  Float right = reach_side(o, tops, all(1.0f)), left = reach_side(o, tops, all(-1.0f));
  store(out.last, truncate(max(min(right, last_pixel), all(-4.0f))) >> 2);
  store(out.first, truncate(round_up(min(max(left, zero), all(1e6f)))) >> 2);
#else
  Float lane = count_up(), half = all((float)(lanes / 2));
  Float side = select(lane < half, all(1.0f), all(-1.0f));
  Float x = reach_side(o, top + 4.0f * select(lane < half, lane, lane - half), side);
  // Left ends land in the upper half, so the arrays are read half a register apart.
  store(out.last, truncate(max(min(x, last_pixel), all(-4.0f))) >> 2);
  store(out.first, truncate(round_up(min(max(x, zero), all(1e6f)))) >> 2);
#endif
}

static INLINE uint32_t cells_of_tile(const int32_t* first, const int32_t* last, int column) {
  uint32_t cells = 0;
  for (int row = 0; row < 4; ++row) {
    int low = first[row] - column, high = last[row] - column;
    low = low < 0 ? 0 : low > 4 ? 4 : low;
    high = high < -1 ? -1 : high > 3 ? 3 : high;
    cells |= ((0xfu << low) & (0xfu >> (3 - high))) << (4 * row);
  }
  return cells;
}

static INLINE void find_cells(const Job& job, const Outline& o, Pairs& pairs) {
  float top = o.y - o.height - 0.5f, bottom = o.y + o.height - 0.5f;
  if (bottom < 0) return;
  int tile_top = top < 0 ? 0 : (int)top / tile_size;
  int tile_bottom =
      (bottom < (float)(job.height - 1) ? (int)bottom : job.height - 1) / tile_size;
  constexpr int left_ends = lanes == 4 ? 0 : lanes / 2;
  Reach reach;
  for (int y = tile_top, row = rows_at_once; y <= tile_bottom; ++y, row += 4) {
    if (row == rows_at_once) {
      reach_columns(job, o, 4 * y, reach);
      row = 0;
    }
    const int32_t *first = reach.first + left_ends + row, *last = reach.last + row;
    int low = first[0], high = last[0];
    for (int k = 1; k < 4; ++k) {
      low = first[k] < low ? first[k] : low;
      high = last[k] > high ? last[k] : high;
    }
    for (int x = low >> 2; x <= high >> 2; ++x) {
      uint32_t cells = cells_of_tile(first, last, 4 * x);
      if (cells) add_pair(job, pairs, y * job.tiles_x + x, cells);
    }
  }
}

static bool all_finite(const float* values, int64_t count) {
  Float bad = {};
  int64_t i = 0;
  for (; i + lanes <= count; i += lanes) bad += load(values + i) * 0.0f;
  float rest = 0;
  for (; i < count; ++i) rest += values[i] * 0.0f;
  for (int lane = 0; lane < lanes; ++lane) rest += bad[lane];
  return rest == 0;
}

static bool is_finite(const Job& job, int begin, int size) {
  bool finite = all_finite(job.means + 3 * begin, 3 * size) &&
                all_finite(job.quats + 4 * begin, 4 * size) &&
                all_finite(job.scales + 3 * begin, 3 * size) &&
                all_finite(job.opacities + begin, size);
  int stride = 3 * job.coefficients;
  finite = finite && all_finite(job.sh + (int64_t)stride * begin, (int64_t)stride * size);
  for (int v = 0; v < job.views && finite; ++v)
    if (job.view[v].offset) finite = all_finite(job.view[v].offset + 2 * begin, 2 * size);
  return finite;
}

// Writes the records of a register of splats and lists the visible ones.
static INLINE void keep(const Job& job, View& view, const Chunk& chunk, int i,
                        uint32_t& visible, Pairs& pairs) {
  int index = chunk.begin + i, count = chunk.size - i < lanes ? chunk.size - i : lanes;
  Screen s = to_screen(view, chunk, i);
  shift_centers(view, index, count, s);
  Float opacity = load(chunk.opacity[0] + i);
  Float level = log2(max(opacity, all(1e-4f)));
  Int drawn = is_drawn(job, s, level) & (opacity >= alpha_min);
  uint32_t mask = bits(drawn) & (count < 32 ? (1u << count) - 1 : ~0u);
  Float radius = select(drawn, radius_of(s), all(0.0f));
  for (int lane = 0; lane < count; ++lane) view.radii[index + lane] = radius[lane];
  for (int lane = 0; lane < count; ++lane) view.spans[index + lane] = {0, 0};
  if (mask == 0) return;
  Float color[3], p = sqrt(s.variance[1] / s.determinant) * whiten;
  see_color(job, view, chunk, i, color);
  Float lean = s.covariance / s.variance[1], inverse_y = 1.0f / sqrt(s.variance[1]),
        q = whiten * inverse_y;
  Float square = level + log2_255, root = sqrt(max(square, all(0.0f)));
  Float height = root * s.variance[1] * (inverse_y * (1.0f / whiten)) + slack;
  Float extreme = s.covariance / sqrt(s.variance[0]) * root * (1.0f / whiten);
  Float columns[16] = {s.center[0], s.center[1], p,        -p * lean, q,    level,
                       color[0],    color[1],    color[2], s.z,       lean, extreme,
                       height,      square,      1.0f / p, q};
  alignas(64) float out[16][lanes];
  for (int k = 0; k < 16; ++k) store(out[k], columns[k]);
  for (; mask; mask &= mask - 1) {
    int lane = __builtin_ctz(mask);
    uint32_t id = index + lane, first = pairs.size;
    float* record = (float*)&view.records[id];
    for (int k = 0; k < 10; ++k) record[k] = out[k][lane];
    find_cells(job,
               {out[0][lane], out[1][lane], out[12][lane], out[10][lane], out[11][lane],
                out[13][lane], out[4][lane], out[14][lane]},
               pairs);
    view.spans[id] = {first, pairs.size - first};
    view.sorted[chunk.begin + visible] = id;
    __builtin_memcpy(&view.keys[chunk.begin + visible], &out[9][lane], 4);
    ++visible;
  }
}

static bool project(const Job& job, int number) {
  Chunk chunk;
  int begin = number * chunk_size;
  load_chunk(job, begin, chunk);
  if (!is_finite(job, begin, chunk.size)) return false;
  for (int v = 0; v < job.views; ++v) {
    View& view = job.view[v];
    Pairs& pairs = view.pairs[number];
    find_depths(view, chunk, 0, (chunk.size + lanes - 1) / lanes * lanes);
    uint32_t visible = 0;
    pairs.size = 0;
    for (int i = 0; i < chunk.size; i += lanes) keep(job, view, chunk, i, visible, pairs);
    view.visible[number] = visible;
  }
  return true;
}

}  // namespace KERNEL_ISA
