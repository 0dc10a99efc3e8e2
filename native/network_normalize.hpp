// Group normalization, modulation and SiLU in one go, see network_job.hpp.
#pragma once

namespace KERNEL_ISA {

using network::Normalize;

// x / (1 + exp(-x)); exp of what is never positive, so that nothing overflows.
INLINE Float silu(Float x) {
  Float small = exp2(abs(x) * -1.4426950408889634f);
  return x * select(x < 0.0f, small, all(1.0f)) / (1.0f + small);
}

// Sums over cells of f(x, channel) for every channel, in `sums`.
template <typename Of>
INLINE void sum_cells(const Normalize& job, const float* x, float* sums, const Of& of) {
  for (int c = 0; c < job.channels; c += lanes) {
    Float total[4] = {};  // Four short sums are both faster and more exact than a long one.
    int64_t cell = 0;
    for (; cell + 4 <= job.cells; cell += 4)
      for (int k = 0; k < 4; ++k) total[k] += of(load(x + (cell + k) * job.channels + c), c);
    for (; cell < job.cells; ++cell) total[0] += of(load(x + cell * job.channels + c), c);
    store(sums + c, (total[0] + total[1]) + (total[2] + total[3]));
  }
}

inline void scale_cells(const Normalize& job, const float* x, const float* scale,
                        const float* shift, float* y) {
  for (int64_t cell = 0; cell < job.cells; ++cell)
    for (int c = 0; c < job.channels; c += lanes) {
      int64_t place = cell * job.channels + c;
      Float value = load(x + place) * load(scale + c) + load(shift + c);
      store(y + place, job.activate ? silu(value) : value);
    }
}

inline void normalize(const Normalize& job, int view, float* room) {
  const float* x = job.x + view * job.cells * job.channels;
  float* y = job.y + view * job.cells * job.channels;
  float *scale = room, *shift = room + job.channels;
  int size = job.channels / job.groups;
  double count = (double)job.cells * size;
  // The mean first and then the spread around it: a square of what is far off has no digits left.
  sum_cells(job, x, shift, [](Float value, int) { return value; });
  for (int g = 0; g < job.groups; ++g) {
    double sum = 0;
    for (int k = 0; k < size; ++k) sum += shift[g * size + k];
    for (int k = 0; k < size; ++k) shift[g * size + k] = (float)(sum / count);
  }
  sum_cells(job, x, scale, [shift](Float value, int c) {
    Float off = value - load(shift + c);
    return off * off;
  });
  for (int g = 0; g < job.groups; ++g) {
    double sum = 0;
    for (int k = 0; k < size; ++k) sum += scale[g * size + k];
    float inverse = (float)(1.0 / __builtin_sqrt(sum / count + job.epsilon));
    for (int k = 0; k < size; ++k) {
      int c = g * size + k;
      float more = 1.0f, moved = 0.0f;
      if (job.modulation) {
        const float* row = job.modulation + 2 * (int64_t)view * job.channels;
        more += row[c], moved = row[job.channels + c];
      }
      scale[c] = inverse * job.weight[c] * more;
      shift[c] = job.bias[c] * more + moved - shift[c] * scale[c];
    }
  }
  scale_cells(job, x, scale, shift, y);
}

inline void activate(float* x, int64_t count) {
  for (int64_t i = 0; i < count; i += lanes) {
    size_t size = sizeof(float) * (size_t)(count - i < lanes ? count - i : lanes);
    Float value = {};
    __builtin_memcpy(&value, x + i, size);
    value = silu(value);
    __builtin_memcpy(x + i, &value, size);
  }
}

}  // namespace KERNEL_ISA
