// Which 4 x 4-pixel cells each splat can reach, and the forward projection of a chunk.
#pragma once

namespace KERNEL_ISA {

constexpr float slack = 2e-3f;  // pixels, so that rounding cannot lose a cell that is just touched

static INLINE void add_pair(const Job& job, Pairs& pairs, uint32_t tile, uint32_t cells) {
  if (pairs.size == pairs.capacity) job.grow(&pairs);
  pairs.data[pairs.size++] = {tile, cells};
}

// First and last column of cells that the ellipse can reach, for a register of rows of cells.
struct Reach {
  alignas(64) int32_t first[lanes], last[lanes];
};

// In each band of four pixel rows the leftmost and rightmost points of the ellipse are found
// exactly: where its own extreme lies, or at the end of the band nearest to that.
static INLINE void reach_columns(const Job& job, const Record& g, int first_row, Reach& out) {
  float square = g.level + log2_255, height = sqrt(all(square))[0] / g.q + slack;
  float lean = -g.pk / g.p;  // dx/dy of the ellipse's middle line
  float extreme = sqrt(all(square / g.variance_x))[0] * (lean * whiten / (g.q * g.q));
  Int row;
  for (int lane = 0; lane < lanes; ++lane) row[lane] = first_row + lane;
  Float top = to_float(row * 4) + (0.5f - g.y);
  Float low = max(top, all(-height)), high = min(top + 3.0f, all(height));
  Float y1 = clamp(all(extreme), low, high), y0 = clamp(all(-extreme), low, high);
  Float half1 = sqrt(max(square - g.q * g.q * y1 * y1, all(0.0f))) * (1.0f / g.p) + slack;
  Float half0 = sqrt(max(square - g.q * g.q * y0 * y0, all(0.0f))) * (1.0f / g.p) + slack;
  Float right = min(g.x + lean * y1 + half1 - 0.5f, all((float)(job.width - 1)));
  Float left = max(g.x + lean * y0 - half0 - 0.5f, all(0.0f));
  Int reached = (low <= high) & (left <= right);
  store(out.first, select(reached, truncate(round_up(left)) >> 2, all(INT32_MAX)));
  store(out.last, select(reached, truncate(right) >> 2, all(-1)));
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

static void find_cells(const Job& job, const Record& g, Pairs& pairs) {
  float height = sqrt(all(g.level + log2_255))[0] / g.q + slack;
  float top = g.y - height - 0.5f, bottom = g.y + height - 0.5f;
  int tile_top = top < 0 ? 0 : (int)top / tile_size;
  int tile_bottom = bottom < (float)(job.height - 1) ? (int)bottom : job.height - 1;
  tile_bottom = bottom < 0 ? -1 : tile_bottom / tile_size;
  Reach reach;
  for (int y = tile_top, row = 4; y <= tile_bottom; ++y, row += 4) {
    if (y == tile_top || row == lanes) {
      reach_columns(job, g, 4 * y, reach);
      row = 0;
    }
    const int32_t *first = reach.first + row, *last = reach.last + row;
    int low = first[0], high = last[0];
    for (int k = 1; k < 4; ++k) {
      low = first[k] < low ? first[k] : low;
      high = last[k] > high ? last[k] : high;
    }
    if (low > high) continue;
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
  bool finite = all_finite(job.means + 3 * begin, 3 * size) && all_finite(job.quats + 4 * begin, 4 * size) &&
                all_finite(job.scales + 3 * begin, 3 * size) && all_finite(job.opacities + begin, size);
  int stride = 3 * job.coefficients;
  finite = finite && all_finite(job.sh + (int64_t)stride * begin, (int64_t)stride * size);
  for (int v = 0; v < job.views && finite; ++v)
    if (job.view[v].offset) finite = all_finite(job.view[v].offset + 2 * begin, 2 * size);
  return finite;
}

// Writes the records of a register of splats and lists the visible ones.
static INLINE void keep(const Job& job, View& view, const Chunk& chunk, int i, uint32_t& visible, Pairs& pairs) {
  int index = chunk.begin + i, count = chunk.size - i < lanes ? chunk.size - i : lanes;
  Screen s = to_screen(view, chunk, i);
  shift_centers(view, index, count, s);
  Float opacity = load(chunk.opacity + i);
  Float level = log2(max(opacity, all(1e-4f)));
  Int drawn = is_drawn(job, s, level) & (opacity >= alpha_min);
  uint32_t mask = bits(drawn) & (count < 32 ? (1u << count) - 1 : ~0u);
  Float radius = select(drawn, radius_of(s), all(0.0f));
  for (int lane = 0; lane < count; ++lane) view.radii[index + lane] = radius[lane];
  for (int lane = 0; lane < count; ++lane) view.pair_count[index + lane] = 0;
  if (mask == 0) return;
  Float color[3], p = sqrt(s.variance[1] / s.determinant) * whiten;
  see_color(job, view, chunk, i, color);
  alignas(64) float out[12][lanes];
  Float pk = -p * s.covariance / s.variance[1], q = whiten / sqrt(s.variance[1]);
  Float columns[11] = {s.center[0], s.center[1], p,        pk,  q,          level,
                       color[0],    color[1],    color[2], s.z, s.variance[0]};
  for (int k = 0; k < 11; ++k) store(out[k], columns[k]);
  for (; mask; mask &= mask - 1) {
    int lane = __builtin_ctz(mask);
    uint32_t id = index + lane, first = pairs.size;
    float record[12];
    for (int k = 0; k < 11; ++k) record[k] = out[k][lane];
    record[11] = 0;
    __builtin_memcpy(&view.records[id], record, sizeof record);
    find_cells(job, view.records[id], pairs);
    view.first[id] = first;
    view.pair_count[id] = pairs.size - first;
    view.sorted[chunk.begin + visible] = id;
    __builtin_memcpy(&view.keys[chunk.begin + visible], &record[9], 4);
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
