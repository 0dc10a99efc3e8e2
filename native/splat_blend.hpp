// Blending one tile front to back.
//
// A tile is 16 cells of 4 x 4 pixels; pixels are kept cell by cell, so that one cell fills one
// register of 16 lanes, or two of 8, or four of 4.
#pragma once

namespace KERNEL_ISA {

constexpr int parts = 16 / lanes;      // registers in a cell
constexpr int registers = 16 * parts;  // registers in a tile
constexpr int32_t never = 0x7fffffff;

// Pixel centers, from the corner of the tile. A constant: code that runs when the module is
// loaded would run on machines that lack this instruction set.
struct Centers {
  float x[tile_pixels], y[tile_pixels];

  constexpr Centers() : x(), y() {
    for (int i = 0; i < tile_pixels; ++i) {
      x[i] = i / 16 % 4 * 4 + i % 4 + 0.5f;
      y[i] = i / 64 * 4 + i % 16 / 4 + 0.5f;
    }
  }
};

alignas(64) static constexpr Centers centers;
static INLINE Float center_x(int i) { return load(centers.x + i * lanes); }
static INLINE Float center_y(int i) { return load(centers.y + i * lanes); }

// The part of the picture that a tile covers, and where its pixels are kept.
struct Place {
  int x, y, width, height;  // of the part inside the picture
  const View* view;
  int64_t stride;

  Place(const Job& job, const View& v, int tile) : view(&v), stride(job.width) {
    x = tile % job.tiles_x * tile_size;
    y = tile / job.tiles_x * tile_size;
    width = job.width - x < tile_size ? job.width - x : tile_size;
    height = job.height - y < tile_size ? job.height - y : tile_size;
  }

  INLINE int64_t pixel(int i, int j) const {
    return (y + i) * stride + x + j;
  }  // in the picture
  static INLINE int slot(int i, int j) { return (i / 4 * 4 + j / 4) * 16 + i % 4 * 4 + j % 4; }
  INLINE bool whole() const { return width == tile_size && height == tile_size; }
};

struct alignas(64) Tile {
  Float left[registers];  // transmittance; zero where the pixel is finished
  Float rest[registers];  // what it was when the pixel was finished
  Float r[registers], g[registers], b[registers], z[registers];
  Int stop[registers];
};

// A splat as seen from the corner of a tile; see Record.
struct Stamp {
  Float p, pk, q, across, down, level;

  INLINE Stamp(const Record& g, float x, float y)
      : p(all(g.p)),
        pk(all(g.pk)),
        q(all(g.q)),
        across(all(g.p * (x - g.x) + g.pk * (y - g.y))),
        down(all(g.q * (y - g.y))),
        level(all(g.level)) {}

  INLINE Float first(int i) const { return p * center_x(i) + (pk * center_y(i) + across); }
  INLINE Float second(int i) const { return q * center_y(i) + down; }
};

// Lanes that are still open but would have too little transmittance left.
static INLINE bool any_finished(Float left, Float next) {
#if KERNEL_LANES == 16 && defined(__AVX512F__)
  __mmask16 open = _mm512_cmp_ps_mask((__m512)left, _mm512_setzero_ps(), _CMP_GT_OQ);
  return _mm512_mask_cmp_ps_mask(open, (__m512)next, (__m512)all(stop_at), _CMP_LE_OQ) != 0;
#else
  return any((left > 0.0f) & (next <= stop_at));
#endif
}

// Closes the lanes that have just finished: the layer at hand, which would leave too little, is
// not drawn. False once the whole cell is closed.
static INLINE bool finish(Tile& tile, int i, int32_t entry, Float& next, Float& weight) {
  Int finished = (tile.left[i] > 0.0f) & (next <= stop_at);
  tile.stop[i] = select(finished, all(entry), tile.stop[i]);
  tile.rest[i] = select(finished, tile.left[i], tile.rest[i]);
  next = select(finished, all(0.0f), next);
  weight = select(finished, all(0.0f), weight);
  Float open = next;
  int begin = i / parts * parts;
  for (int k = begin; k < begin + parts; ++k)
    if (k != i) open = max(open, tile.left[k]);
  return any(open > 0.0f);
}

static uint32_t start_tile(const Place& place, Tile& tile) {
  bool whole = place.whole();
  for (int i = 0; i < registers; ++i) {
    tile.r[i] = tile.g[i] = tile.b[i] = tile.z[i] = tile.rest[i] = all(0.0f);
    tile.left[i] = all(1.0f);
    tile.stop[i] = all(never);
    if (whole) continue;
    Int inside = (center_x(i) < (float)place.width) & (center_y(i) < (float)place.height);
    tile.left[i] = select(inside, tile.left[i], all(0.0f));
    tile.stop[i] = inside & never;
  }
  uint32_t open = 0;
  for (int i = 0; i < registers; ++i)
    if (any(tile.left[i] > 0.0f)) open |= 1u << (i / parts);
  return open;
}

static void write_tile(const Job& job, const Place& place, Tile& tile) {
  const View& view = *place.view;
  int64_t first =
      ((int64_t)(place.y / tile_size) * job.tiles_x + place.x / tile_size) * tile_pixels;
  for (int i = 0; i < registers; ++i) {
    Float left = max(tile.left[i], tile.rest[i]), alpha = 1.0f - left;
    Float depth = tile.z[i] / select(alpha > 0.0f, alpha, all(1.0f));
    tile.left[i] = left;
    tile.z[i] = depth;
    store(view.left + first + i * lanes, left);
    store(view.far + first + i * lanes, depth);
    store(view.stop + first + i * lanes, tile.stop[i]);
  }
  const float *r = (const float*)tile.r, *g = (const float*)tile.g, *b = (const float*)tile.b;
  const float *left = (const float*)tile.left, *z = (const float*)tile.z;
  for (int i = 0; i < place.height; ++i) {
    for (int j = 0; j < place.width; ++j) {
      int64_t pixel = place.pixel(i, j);
      int from = Place::slot(i, j);
      const float* background = view.background + (job.picture_background ? 3 * pixel : 0);
      view.color[3 * pixel] = r[from] + left[from] * background[0];
      view.color[3 * pixel + 1] = g[from] + left[from] * background[1];
      view.color[3 * pixel + 2] = b[from] + left[from] * background[2];
      view.alpha[pixel] = 1.0f - left[from];
      view.depth[pixel] = z[from];
    }
  }
}

// Lays one splat over one register of pixels; false if that closed the last of its cell.
static INLINE bool lay(Tile& tile, int i, const Stamp& stamp, const Record& g, int32_t entry) {
  Float first = stamp.first(i), second = stamp.second(i);
  Float power = (stamp.level - first * first) - second * second;
  Float alpha = min(select(power >= -log2_255, exp2(power), all(0.0f)), all(alpha_max));
  Float left = tile.left[i];
  Float weight = left * alpha, next = left - left * alpha;
  bool open = true;
  if (__builtin_expect(any_finished(left, next), 0))
    open = finish(tile, i, entry, next, weight);
  tile.left[i] = next;
  tile.r[i] += weight * g.r;
  tile.g[i] += weight * g.g;
  tile.b[i] += weight * g.b;
  tile.z[i] += weight * g.z;
  return open;
}

static void blend(const Job& job, int v, int number) {
  View& view = job.view[v];
  Place place(job, view, number);
  Tile tile;
  uint32_t open = start_tile(place, tile);
  uint32_t begin = view.offsets[number], count = view.offsets[number + 1] - begin, entry = 0;
  Entry* entries = view.entries + begin;
  for (; entry < count && open; ++entry) {
    const Record& g = view.records[entries[entry].splat];
    if (entry + 8 < count) __builtin_prefetch(&view.records[entries[entry + 8].splat]);
    uint32_t cells = entries[entry].cells & open;
    // The way back need not look again at cells that are already opaque.
    if (open != all_cells) entries[entry].cells = cells;
    Stamp stamp(g, (float)place.x, (float)place.y);
    for (; cells; cells &= cells - 1) {
      int cell = __builtin_ctz(cells);
      for (int i = cell * parts; i < (cell + 1) * parts; ++i)
        if (!lay(tile, i, stamp, g, entry)) open &= ~(1u << cell);
    }
  }
  view.used[number] = entry;
  write_tile(job, place, tile);
}

}  // namespace KERNEL_ISA
