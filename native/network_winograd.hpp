// Convolution by Winograd's transforms, see network_job.hpp.
#pragma once

namespace KERNEL_ISA {

using network::patch;
using network::places;
using network::skew;
using network::tile;

// The one-dimensional transforms at the points 0, 1, -1, 2, -2 and infinity.
INLINE void transform_input(const Float (&d)[patch], Float (&v)[patch]) {
  Float even = d[4] - 4.0f * d[2], odd = d[3] - 4.0f * d[1];
  Float even2 = d[4] - d[2], odd2 = 2.0f * (d[3] - d[1]);
  v[0] = 4.0f * d[0] - 5.0f * d[2] + d[4];
  v[1] = even + odd;
  v[2] = even - odd;
  v[3] = even2 + odd2;
  v[4] = even2 - odd2;
  v[5] = 4.0f * d[1] - 5.0f * d[3] + d[5];
}

INLINE void transform_output(const Float (&m)[patch], Float (&y)[tile]) {
  Float sum = m[1] + m[2], difference = m[1] - m[2];
  Float sum2 = m[3] + m[4], difference2 = m[3] - m[4];
  y[0] = m[0] + sum + sum2;
  y[1] = difference + 2.0f * difference2;
  y[2] = sum + 4.0f * sum2;
  y[3] = difference + 8.0f * difference2 + m[5];
}

inline void transform_weight(const float (&g)[3], float (&u)[patch]) {
  float outer = g[0] + g[2], outer2 = g[0] + 4.0f * g[2];
  u[0] = g[0] / 4.0f;
  u[1] = -(outer + g[1]) / 6.0f;
  u[2] = -(outer - g[1]) / 6.0f;
  u[3] = (outer2 + 2.0f * g[1]) / 24.0f;
  u[4] = (outer2 - 2.0f * g[1]) / 24.0f;
  u[5] = g[2];
}

inline void pack(const float* weight, int outputs, int inputs, float* packed) {
  int width = rounded_up(outputs);
  for (int k = 0; k < width; ++k)
    for (int c = 0; c < inputs; ++c) {
      float half[3][patch], whole[patch];
      for (int row = 0; row < 3; ++row) {
        float g[3] = {0, 0, 0};
        if (k < outputs)
          for (int column = 0; column < 3; ++column)
            g[column] = weight[(((int64_t)k * inputs + c) * 3 + row) * 3 + column];
        transform_weight(g, half[row]);
      }
      for (int column = 0; column < patch; ++column) {
        float g[3] = {half[0][column], half[1][column], half[2][column]};
        transform_weight(g, whole);
        for (int row = 0; row < patch; ++row) {
          int64_t place = row * patch + column;
          packed[((place * (width / panel) + k / panel) * inputs + c) * panel + k % panel] =
              whole[row];
        }
      }
    }
}

struct Corner {
  int64_t view;
  int row, column;  // of a tile's first cell
};

INLINE Corner corner_of(const Convolve& job, int index) {
  int each = job.rows() * job.columns(), within = index % each;
  return {index / each, within / job.columns() * tile, within % job.columns() * tile};
}

// V [places, block_tiles, inputs], planes apart by their skew, from the cells around a tile; what lies outside is zero.
inline void gather(const Convolve& job, const Corner& at, float* v) {
  const float* from[patch][patch];
  for (int i = 0; i < patch; ++i)
    for (int j = 0; j < patch; ++j) {
      int row = at.row + i - 1, column = at.column + j - 1;
      bool inside = row >= 0 && row < job.height && column >= 0 && column < job.width;
      from[i][j] = inside ? job.x + ((at.view * job.height + row) * job.width + column) *
                                        job.inputs
                          : nullptr;
    }
  int64_t apart = (int64_t)block_tiles * job.inputs + skew;
  for (int c = 0; c < job.inputs; c += lanes) {
    Float half[patch][patch];
    for (int j = 0; j < patch; ++j) {
      Float d[patch], u[patch];
      for (int i = 0; i < patch; ++i) d[i] = from[i][j] ? load(from[i][j] + c) : Float{};
      transform_input(d, u);
      for (int i = 0; i < patch; ++i) half[i][j] = u[i];
    }
    for (int i = 0; i < patch; ++i) {
      Float u[patch];
      transform_input(half[i], u);
      for (int j = 0; j < patch; ++j) store(v + (i * patch + j) * apart + c, u[j]);
    }
  }
}

// A tile's cells from M [places, block_tiles, outputs rounded up].
inline void scatter(const Convolve& job, const Corner& at, const float* m) {
  int64_t apart = (int64_t)block_tiles * rounded_up(job.outputs) + skew;
  int rows = job.height - at.row < tile ? job.height - at.row : tile;
  int columns = job.width - at.column < tile ? job.width - at.column : tile;
  for (int k = 0; k < job.outputs; k += lanes) {
    int count = job.outputs - k < lanes ? job.outputs - k : lanes;
    Float bias = {};
    if (job.bias) __builtin_memcpy(&bias, job.bias + k, count * sizeof(float));
    Float half[tile][patch];
    for (int j = 0; j < patch; ++j) {
      Float u[patch], y[tile];
      for (int i = 0; i < patch; ++i) u[i] = load(m + (i * patch + j) * apart + k);
      transform_output(u, y);
      for (int i = 0; i < tile; ++i) half[i][j] = y[i];
    }
    for (int i = 0; i < rows; ++i) {
      Float y[tile];
      transform_output(half[i], y);
      int64_t cell = (at.view * job.height + at.row + i) * job.width + at.column;
      for (int j = 0; j < columns; ++j) {
        int64_t place = (cell + j) * job.outputs + k;
        Float sum = y[j] + bias;
        if (count == lanes) {
          if (job.added) sum += load(job.added + place);
          store(job.y + place, sum);
          continue;
        }
        for (int lane = 0; lane < count; ++lane)
          job.y[place + lane] = sum[lane] + (job.added ? job.added[place + lane] : 0.0f);
      }
    }
  }
}

inline void convolve(const Convolve& job, int first, int last, float* room) {
  int64_t inputs = job.inputs, width = rounded_up(job.outputs);
  int64_t v_apart = block_tiles * inputs + skew, m_apart = block_tiles * width + skew;
  float *v = room, *m = room + places * v_apart;
  for (int t = first; t < last; ++t)
    gather(job, corner_of(job, t), v + (t - first) * inputs);
  for (int place = 0; place < places; ++place)
    for (int64_t k = 0; k < width; k += panel)
      products(v + place * v_apart, job.packed + (place * width + k) * inputs,
               m + place * m_apart + k, last - first, inputs, width);
  for (int t = first; t < last; ++t)
    scatter(job, corner_of(job, t), m + (t - first) * width);
}

}  // namespace KERNEL_ISA
