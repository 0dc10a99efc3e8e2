// Between projection and blending: the visible splats by depth, and from them each tile's list.
#pragma once

#include <algorithm>
#include <stdexcept>

#include "splat_state.hpp"

namespace splat {

// Copies the chunks' visible splats together; element = depth key (high) and index (low).
inline size_t collect(const Job& job, const View& view, uint64_t* out, uint32_t& low,
                      uint32_t& high) {
  size_t size = 0;
  low = ~0u, high = 0;
  for (int begin = 0; begin < job.count; begin += chunk_size) {
    uint32_t visible = view.visible[begin / chunk_size];
    for (uint32_t i = begin; i < begin + visible; ++i) {
      low = std::min(low, view.keys[i]);
      high = std::max(high, view.keys[i]);
      out[size++] = (uint64_t)view.keys[i] << 32 | view.sorted[i];
    }
  }
  return size;
}

// Stable radix sort by depth: only the bits in which depths differ, in as few equal digits as
// fit.
inline size_t sort_visible(const Job& job, View& view, ViewMemory& memory) {
  uint64_t *from = memory.sort_a.room(job.count), *to = memory.sort_b.room(job.count);
  uint32_t low, high;
  size_t size = collect(job, view, from, low, high);
  if (size == 0) return 0;
  int width = 32 - __builtin_clz((high - low) | 1), passes = (width + 11) / 12;
  int digit = (width + passes - 1) / passes;
  uint32_t starts[1 << 12];
  for (int pass = 0; pass < passes; ++pass) {
    int shift = pass * digit;
    uint32_t mask = (1u << digit) - 1;
    std::fill(starts, starts + mask + 1, 0);
    for (size_t i = 0; i < size; ++i)
      ++starts[((uint32_t)(from[i] >> 32) - low) >> shift & mask];
    uint32_t sum = 0;
    for (uint32_t k = 0; k <= mask; ++k) sum += std::exchange(starts[k], sum);
    for (size_t i = 0; i < size; ++i)
      to[starts[((uint32_t)(from[i] >> 32) - low) >> shift & mask]++] = from[i];
    std::swap(from, to);
  }
  for (size_t i = 0; i < size; ++i) view.sorted[i] = (uint32_t)from[i];
  return size;
}

// Numbers the slots: pairs chunk by chunk, so that a splat's slots lie together.
inline size_t number_slots(const Job& job, View& view) {
  size_t sum = 0;
  for (int chunk = 0; chunk * chunk_size < job.count; ++chunk) {
    view.base[chunk] = (uint32_t)sum;
    sum += view.pairs[chunk].size;
  }
  if (sum > INT32_MAX)
    throw std::length_error("the splats overlap too many tiles of the picture");
  return sum;
}

// A counting sort of pairs by tile that keeps the order of depth.
inline void list_tiles(const Job& job, View& view, size_t visible) {
  int tiles = job.tiles_x * job.tiles_y;
  std::fill(view.offsets, view.offsets + tiles + 1, 0);
  for (int chunk = 0; chunk * chunk_size < job.count; ++chunk) {
    const Pairs& pairs = view.pairs[chunk];
    for (uint32_t i = 0; i < pairs.size; ++i) ++view.offsets[pairs.data[i].tile + 1];
  }
  for (int tile = 0; tile < tiles; ++tile) {
    view.offsets[tile + 1] += view.offsets[tile];
    view.used[tile] = view.offsets[tile];
  }
  for (size_t i = 0; i < visible; ++i) {
    if (i + 16 < visible) __builtin_prefetch(&view.spans[view.sorted[i + 16]]);
    if (i + 8 < visible) {
      uint32_t ahead = view.sorted[i + 8];
      __builtin_prefetch(view.pairs[ahead / chunk_size].data + view.spans[ahead].first);
    }
    uint32_t id = view.sorted[i], chunk = id / chunk_size;
    Span span = view.spans[id];
    const Pair* pair = view.pairs[chunk].data + span.first;
    uint32_t slot = view.base[chunk] + span.first;
    for (uint32_t end = slot + span.count; slot < end; ++slot, ++pair)
      view.entries[view.used[pair->tile]++] = {id, slot, pair->cells};
  }
}

inline void order_view(const Job& job, View& view, ViewMemory& memory) {
  view.entries = memory.entries.room(number_slots(job, view));
  list_tiles(job, view, sort_visible(job, view, memory));
}

}  // namespace splat
