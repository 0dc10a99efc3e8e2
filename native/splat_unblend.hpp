// The way back through one tile: from the gradient of its pixels to one slot for each of its
// splats.
#pragma once

namespace KERNEL_ISA {

// Sums of a splat's gradient over pixels. With e the whitened offset from its center and s the
// gradient with respect to log(alpha): s, s e1, s e2, s e1 e1, s e1 e2, s e2 e2; then color and
// depth.
enum { S, S1, S2, S11, S12, S22, RED, GREEN, BLUE, DEPTH, SUMS };

struct alignas(64) Back {
  Float left[registers];    // transmittance in front of the splats handled so far
  Float behind[registers];  // what those splats and the background give, times their gradients
  Float r[registers], g[registers], b[registers], z[registers];  // gradients of the outputs
  Int stop[registers];
};

#if KERNEL_LANES == 16
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
// Adds up 16 registers (of which the last ones repeat) into one: lane k holds the sum of
// register k.
static INLINE Float fold1(Float a, Float b) {
  return PICK(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29) +
         PICK(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
}
static INLINE Float fold2(Float a, Float b) {
  return PICK(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29) +
         PICK(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
}
static INLINE Float fold3(Float a, Float b) {
  return PICK(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23) +
         PICK(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
}
static INLINE Float fold4(Float a, Float b) {
  return PICK(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27) +
         PICK(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}
static INLINE void fold(const Float* a, float* slot) {
  Float first = fold2(fold1(a[0], a[1]), fold1(a[2], a[3]));
  Float second = fold2(fold1(a[4], a[5]), fold1(a[6], a[7]));
  Float pair = fold1(a[8], a[9]);
  Float third = fold2(pair, pair);
  store(slot, fold4(fold3(first, second), fold3(third, third)));
}
#elif KERNEL_LANES == 8
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
static INLINE Float fold1(Float a, Float b) {
  return PICK(a, b, 0, 8, 1, 9, 4, 12, 5, 13) + PICK(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
}
static INLINE Float fold2(Float a, Float b) {
  return PICK(a, b, 0, 1, 8, 9, 4, 5, 12, 13) + PICK(a, b, 2, 3, 10, 11, 6, 7, 14, 15);
}
static INLINE Float fold3(Float a, Float b) {
  return PICK(a, b, 0, 1, 2, 3, 8, 9, 10, 11) + PICK(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
}
static INLINE void fold(const Float* a, float* slot) {
  Float first = fold2(fold1(a[0], a[1]), fold1(a[2], a[3]));
  Float second = fold2(fold1(a[4], a[5]), fold1(a[6], a[7]));
  Float pair = fold1(a[8], a[9]);
  Float third = fold2(pair, pair);
  store(slot, fold3(first, second));
  store(slot + 8, fold3(third, third));
}
#else
#define PICK(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
static INLINE Float fold1(Float a, Float b) {
  return PICK(a, b, 0, 4, 1, 5) + PICK(a, b, 2, 6, 3, 7);
}
static INLINE Float fold2(Float a, Float b) {
  return PICK(a, b, 0, 1, 4, 5) + PICK(a, b, 2, 3, 6, 7);
}
static INLINE void fold(const Float* a, float* slot) {
  store(slot, fold2(fold1(a[0], a[1]), fold1(a[2], a[3])));
  store(slot + 4, fold2(fold1(a[4], a[5]), fold1(a[6], a[7])));
  Float pair = fold1(a[8], a[9]);
  store(slot + 8, fold2(pair, pair));
  store(slot + 12, all(0.0f));
}
#endif
#undef PICK

// Takes one splat off one register of pixels and adds what it owes to `sums`. Pictures are
// rarely differentiated through their depth, and then its terms can be left out.
template <bool with_depth>
static INLINE void lift(Back& back, int i, const Stamp& stamp, const Record& g, int32_t entry,
                        Float* sums) {
  Float first = stamp.first(i), second = stamp.second(i);
  Float power = (stamp.level - first * first) - second * second;
  Float full = exp2(power);
  full = select(power >= -log2_255, full, all(0.0f));
  full = select(back.stop[i] > entry, full, all(0.0f));
  Float alpha = min(full, all(alpha_max));
  Float raise = reciprocal(1.0f - alpha);
  Float left = back.left[i] * raise;
  Float weight = alpha * left;
  Float own = back.r[i] * g.r + (back.g[i] * g.g + back.b[i] * g.b);
  if (with_depth) own += back.z[i] * g.z;
  Float change = left * own - back.behind[i] * raise;  // gradient with respect to alpha
  back.behind[i] += weight * own;
  back.left[i] = left;
  Float s = select(full <= alpha_max, full * change, all(0.0f));
  Float s1 = s * first, s2 = s * second;
  sums[S] += s;
  sums[S1] += s1;
  sums[S2] += s2;
  sums[S11] += s1 * first;
  sums[S12] += s1 * second;
  sums[S22] += s2 * second;
  sums[RED] += weight * back.r[i];
  sums[GREEN] += weight * back.g[i];
  sums[BLUE] += weight * back.b[i];
  if (with_depth) sums[DEPTH] += weight * back.z[i];
}

// Gradients of the tile's pixels, and of the background where it is wanted.
static void read_tile(const Job& job, const Place& place, int number, Back& back) {
  const View& view = *place.view;
  int64_t start = (int64_t)number * tile_pixels;
  for (int i = 0; i < registers; ++i) {
    back.left[i] = load(view.left + start + i * lanes);
    __builtin_memcpy(&back.stop[i], view.stop + start + i * lanes, sizeof(Int));
    back.behind[i] = back.r[i] = back.g[i] = back.b[i] = back.z[i] = all(0.0f);
  }
  float *left = (float*)back.left, *behind = (float*)back.behind;
  float *rgb[3] = {(float*)back.r, (float*)back.g, (float*)back.b}, *z = (float*)back.z;
  float spill[3] = {0, 0, 0};
  for (int i = 0; i < place.height; ++i) {
    for (int j = 0; j < place.width; ++j) {
      int64_t pixel = place.pixel(i, j);
      int to = Place::slot(i, j);
      float clear = left[to], alpha = 1.0f - clear, through = 0;
      const float* background = view.background + (job.picture_background ? 3 * pixel : 0);
      for (int k = 0; k < 3 && view.color_grad; ++k) {
        float grad = view.color_grad[3 * pixel + k];
        rgb[k][to] = grad;
        through += background[k] * grad;
        spill[k] += clear * grad;
        if (job.picture_background && view.background_grad)
          view.background_grad[3 * pixel + k] = clear * grad;
      }
      if (view.alpha_grad) through -= view.alpha_grad[pixel];
      if (view.depth_grad && alpha > 0) {  // expected depth = sum(weight * z) / alpha
        z[to] = view.depth_grad[pixel] / alpha;
        through += z[to] * view.far[start + to];
      }
      behind[to] = clear * through;
    }
  }
  for (int k = 0; k < 3; ++k) view.spill[3 * number + k] = spill[k];
}

template <bool with_depth>
static void lift_all(const View& view, const Place& place, const Entry* entries, int32_t used,
                     Back& back) {
  for (int32_t entry = used - 1; entry >= 0; --entry) {
    const Record& g = view.records[entries[entry].splat];
    if (entry >= 8) {
      __builtin_prefetch(&view.records[entries[entry - 8].splat]);
      __builtin_prefetch(view.slots + (int64_t)slot_size * entries[entry - 8].slot, 1);
    }
    Stamp stamp(g, (float)place.x, (float)place.y);
    Float sums[SUMS];
    for (int k = 0; k < SUMS; ++k) sums[k] = all(0.0f);
    for (uint32_t cells = entries[entry].cells; cells; cells &= cells - 1) {
      int cell = __builtin_ctz(cells);
      for (int i = cell * parts; i < (cell + 1) * parts; ++i)
        lift<with_depth>(back, i, stamp, g, entry, sums);
    }
    fold(sums, view.slots + (int64_t)slot_size * entries[entry].slot);
  }
}

static void unblend(const Job& job, int v, int number) {
  View& view = job.view[v];
  Place place(job, view, number);
  Back back;
  read_tile(job, place, number, back);
  uint32_t begin = view.offsets[number], count = view.offsets[number + 1] - begin,
           used = view.used[number];
  const Entry* entries = view.entries + begin;
  for (uint32_t entry = used; entry < count; ++entry)
    __builtin_memset(view.slots + (int64_t)slot_size * entries[entry].slot, 0,
                     slot_size * sizeof(float));
  if (view.depth_grad)
    lift_all<true>(view, place, entries, used, back);
  else
    lift_all<false>(view, place, entries, used, back);
}

}  // namespace KERNEL_ISA
