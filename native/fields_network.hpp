// The small network behind the grid: products of small matrices with a block of points.
#pragma once

namespace KERNEL_ISA {

template <int rows>
static void multiply_rows(const float* weights, const float* bias, const float* in, int wide,
                          float* out) {
  for (int p = 0; p < block_size; p += 2 * lanes) {
    Float sum[rows][2];
    for (int r = 0; r < rows; ++r) sum[r][0] = sum[r][1] = all(bias ? bias[r] : 0.0f);
    for (int k = 0; k < wide; ++k) {
      Float x = load(in + k * block_size + p), y = load(in + k * block_size + p + lanes);
      for (int r = 0; r < rows; ++r) {
        Float weight = all(weights[r * wide + k]);
        sum[r][0] += weight * x, sum[r][1] += weight * y;
      }
    }
    for (int r = 0; r < rows; ++r) {
      store(out + r * block_size + p, sum[r][0]);
      store(out + r * block_size + p + lanes, sum[r][1]);
    }
  }
}

// out [rows, points] = weights [rows, wide] in [wide, points] + bias [rows], which may be null.
static void multiply(const float* weights, const float* bias, const float* in, int wide,
                     int rows, float* out) {
  int r = 0;
  auto next = [&](int done) {
    r += done, weights += done * wide, out += done * block_size;
    if (bias) bias += done;
  };
  for (; r + 4 <= rows; next(4)) multiply_rows<4>(weights, bias, in, wide, out);
  switch (rows - r) {
    case 3: multiply_rows<3>(weights, bias, in, wide, out); break;
    case 2: multiply_rows<2>(weights, bias, in, wide, out); break;
    case 1: multiply_rows<1>(weights, bias, in, wide, out); break;
  }
}

static void rectify(float* values, const float* gate, int rows) {
  for (int i = 0; i < rows * block_size; i += lanes) {
    Float value = load(values + i);
    store(values + i, select(load(gate + i) > 0.0f, value, all(0.0f)));
  }
}

template <int rows>
static void correlate_rows(const float* a, const float* b, int columns, float* sums) {
  for (int k = 0; k < columns; k += 2) {
    Float sum[rows][2];
    for (int r = 0; r < rows; ++r)
      for (int j = 0; j < 2; ++j) sum[r][j] = load(sums + (r * columns + k + j) * lanes);
    for (int p = 0; p < block_size; p += lanes) {
      Float x = load(b + k * block_size + p), y = load(b + (k + 1) * block_size + p);
      for (int r = 0; r < rows; ++r) {
        Float value = load(a + r * block_size + p);
        sum[r][0] += value * x, sum[r][1] += value * y;
      }
    }
    for (int r = 0; r < rows; ++r)
      for (int j = 0; j < 2; ++j) store(sums + (r * columns + k + j) * lanes, sum[r][j]);
  }
}

// sums [rows, columns] += a [rows, points] b [columns, points] transposed; each sum has a
// register, whose lanes are added up at the very end. `columns` is even.
static void correlate(const float* a, int rows, const float* b, int columns, float* sums) {
  int r = 0;
  for (; r + 4 <= rows; r += 4)
    correlate_rows<4>(a + r * block_size, b, columns, sums + r * columns * lanes);
  a += r * block_size, sums += r * columns * lanes;
  switch (rows - r) {
    case 3: correlate_rows<3>(a, b, columns, sums); break;
    case 2: correlate_rows<2>(a, b, columns, sums); break;
    case 1: correlate_rows<1>(a, b, columns, sums); break;
  }
}

static void add_up(const float* a, int rows, float* sums) {
  for (int r = 0; r < rows; ++r) {
    Float sum = load(sums + r * lanes);
    for (int p = 0; p < block_size; p += lanes) sum += load(a + r * block_size + p);
    store(sums + r * lanes, sum);
  }
}

static void hidden_of(const Network& net, const float* features, float* hidden) {
  multiply(net.first, net.first_bias, features, net.features, net.hidden, hidden);
  rectify(hidden, hidden, net.hidden);
}

static void place_block(const Forward& job, int64_t first, float* units) {
  float scale = 0.5f / job.radius;
  for (int i = 0; i < block_size; ++i) {
    int64_t point = first + i < job.count ? first + i : job.count - 1;
    for (int k = 0; k < 3; ++k) {
      float unit = job.points[3 * point + k] * scale + 0.5f;
      unit = unit > 0.0f ? unit : 0.0f;  // NaN becomes 0: an index must come of it
      units[k * block_size + i] = unit < 1.0f ? unit : 1.0f;
    }
  }
}

static void forward(const Forward& job, int64_t first, int64_t last) {
  alignas(64) float units_room[3 * block_size], features_room[most_width * block_size];
  alignas(64) float hidden[most_width * block_size], out[most_outputs * block_size];
  const Network& net = job.network;
  int features_rows = 2 * job.grid.levels;
  for (int64_t block = first; block < last; ++block) {
    float* units = job.units ? job.units + block * 3 * block_size : units_room;
    float* features =
        job.features ? job.features + block * features_rows * block_size : features_room;
    place_block(job, block * block_size, units);
    encode_block(job.grid, units, features);
    if (job.out == nullptr) continue;
    hidden_of(net, features, hidden);
    multiply(net.second, net.second_bias, hidden, net.hidden, net.outputs, out);
    int64_t left = job.count - block * block_size;
    int points = left < block_size ? (int)left : block_size;
    float* to = job.out + block * block_size * net.outputs;
    for (int i = 0; i < points; ++i)
      for (int k = 0; k < net.outputs; ++k) *to++ = out[k * block_size + i];
  }
}

static float sum_of(const float* lane_sums) {
  float sum = 0;
  for (int lane = 0; lane < lanes; ++lane) sum += lane_sums[lane];
  return sum;
}

static void backward(const Backward& job, int64_t first, int64_t last, float* sums,
                     float* out) {
  alignas(64) float hidden[most_width * block_size], hidden_grad[most_width * block_size];
  alignas(64) float grad[most_outputs * block_size];
  const Network& net = job.network;
  int parts[4] = {net.hidden * net.features, net.hidden, net.outputs * net.hidden,
                  net.outputs};
  int count = parts[0] + parts[1] + parts[2] + parts[3];
  for (int i = 0; i < count * lanes; ++i) sums[i] = 0;
  float* first_bias = sums + parts[0] * lanes;
  float* second = first_bias + parts[1] * lanes;
  float* second_bias = second + parts[2] * lanes;
  for (int64_t block = first; block < last; ++block) {
    const float* features = job.features + block * net.features * block_size;
    const float* from = job.grad + block * block_size * net.outputs;
    int64_t left = job.count - block * block_size;
    int points = left < block_size ? (int)left : block_size;
    for (int i = 0; i < block_size; ++i)
      for (int k = 0; k < net.outputs; ++k)
        grad[k * block_size + i] = i < points ? *from++ : 0.0f;
    hidden_of(net, features, hidden);
    multiply(net.second_turned, nullptr, grad, net.outputs, net.hidden, hidden_grad);
    rectify(hidden_grad, hidden, net.hidden);
    correlate(grad, net.outputs, hidden, net.hidden, second);
    add_up(grad, net.outputs, second_bias);
    correlate(hidden_grad, net.hidden, features, net.features, sums);
    add_up(hidden_grad, net.hidden, first_bias);
    multiply(net.first_turned, nullptr, hidden_grad, net.hidden, net.features,
             job.features_grad + block * net.features * block_size);
  }
  for (int i = 0; i < count; ++i) out[i] = sum_of(sums + i * lanes);
}

}  // namespace KERNEL_ISA
