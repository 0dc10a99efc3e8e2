// Cells that change their places between the layers, and the ends of a network for pictures of
// which only the average over 2 x 2 pixels goes deeper; see network_job.hpp.
#pragma once

namespace KERNEL_ISA {

using network::Whole;

inline void turn(const float* x, int rows, int columns, float* y) {
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column)
      y[(int64_t)column * rows + row] = x[(int64_t)row * columns + column];
}

inline void join(const float* x, const float* wide, int side, int own, int more, float* y) {
  for (int row = 0; row < side; ++row)
    for (int column = 0; column < side; ++column) {
      __builtin_memcpy(y, x, own * sizeof(float));
      __builtin_memcpy(y + own, wide + (row / 2 * (side / 2) + column / 2) * (int64_t)more,
                       more * sizeof(float));
      x += own, y += own + more;
    }
}

// Calls of(place of a pixel's channel in the picture, in the folded one) for all of them; folded
// cells are `apart` numbers from each other.
template <typename Of>
INLINE void each_folded(int side, int channels, int apart, const Of& of) {
  for (int row = 0; row < 2 * side; ++row)
    for (int column = 0; column < 2 * side; ++column) {
      int64_t pixel = ((int64_t)row * 2 * side + column) * channels;
      int64_t cell = ((int64_t)(row / 2) * side + column / 2) * apart;
      int within = row % 2 * 2 + column % 2;
      for (int c = 0; c < channels; ++c) of(pixel + c, cell + 4 * c + within);
    }
}

inline void fold(const float* x, int side, int channels, int apart, float* y) {
  if (apart > 4 * channels) __builtin_memset(y, 0, sizeof(float) * side * side * apart);
  each_folded(side, channels, apart, [=](int64_t pixel, int64_t cell) { y[cell] = x[pixel]; });
}

inline void unfold(const float* x, int side, int channels, float* y) {
  each_folded(side, channels, 4 * channels,
              [=](int64_t pixel, int64_t cell) { y[pixel] = x[cell]; });
}

// Of a variance-preserving schedule, and the size that a picture averaged over 2 x 2 pixels has.
struct Shares {
  float alpha, sigma, size;
  explicit Shares(float log_snr)
      : alpha((float)__builtin_sqrt(1.0 / (1.0 + __builtin_exp(-(double)log_snr)))),
        sigma((float)__builtin_sqrt(1.0 / (1.0 + __builtin_exp((double)log_snr)))),
        size(__builtin_sqrtf(alpha * alpha + sigma * sigma / 4.0f)) {}
};

inline void halve(const float* x, int side, int channels, float log_snr, float* small,
                  float* scaled) {
  Shares of(log_snr);
  int64_t wide = 2 * (int64_t)side * channels;
  for (int row = 0; row < side; ++row)
    for (int column = 0; column < side; ++column)
      for (int c = 0; c < channels; ++c) {
        const float* from = x + 2 * row * wide + 2 * column * channels + c;
        float sum = (from[0] + from[channels]) + (from[wide] + from[wide + channels]);
        *small = sum / 4.0f;
        *scaled++ = *small++ / of.size;
      }
}

inline void whole(const Whole& job) {
  Shares of(job.log_snr);
  float keep = 0.5f / of.size, take = 0.75f * of.alpha * of.sigma / (of.size * of.size);
  int channels = job.channels;
  for (int row = 0; row < 2 * job.side; ++row)
    for (int column = 0; column < 2 * job.side; ++column) {
      int64_t cell = ((int64_t)(row / 2) * job.side + column / 2) * channels;
      float* y = job.y + ((int64_t)row * 2 * job.side + column) * channels;
      const float* added = job.added + 4 * cell + row % 2 * 2 + column % 2;
      for (int c = 0; c < channels; ++c)
        y[c] = job.low[cell + c] * keep - take * job.small[cell + c] + added[4 * c];
    }
}

}  // namespace KERNEL_ISA
