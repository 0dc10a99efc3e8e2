// Attention of a picture's cells to each other and to words, see network_job.hpp.
#pragma once

namespace KERNEL_ISA {

using network::Attend;

// Where the parts of one head lie in the room, and their sizes in numbers.
struct Heads {
  int64_t queries, keys, width;  // the first two and the last rounded up for `product`
  explicit Heads(const Attend& job)
      : queries((job.count + product_rows - 1) / product_rows * product_rows),
        keys(rounded_up(job.count + job.word_count)),
        width(rounded_up(job.width)) {}
};

inline size_t attend_room(const Attend& job) {
  Heads of(job);
  int64_t inner = job.width;
  return (size_t)(of.queries * (inner + of.keys + of.width) + of.keys * (inner + of.width));
}

// One key and its value among the panels of all: key [keys / panel, width, panel], value
// [width / panel, keys, panel].
inline void place_key(const Heads& of, const Attend& job, int64_t k, const float* from_key,
                      const float* from_value, float scale, float* key, float* value) {
  for (int i = 0; i < job.width; ++i) {
    key[(k / panel * job.width + i) * panel + k % panel] = from_key[i] * scale;
    value[(i / panel * of.keys + k) * panel + i % panel] = from_value[i];
  }
}

// exp(x - max) of a row of scores, divided by their sum; those past the last key count nothing.
inline void softmax(const Attend& job, int64_t keys, float* row) {
  int known = job.count + job.word_count;
  for (int k = job.count; k < known; ++k) row[k] += job.mask[k - job.count];
  for (int64_t k = known; k < keys; ++k) row[k] = -1e30f;
  Float most = load(row), total = {};
  for (int64_t k = lanes; k < keys; k += lanes) most = max(most, load(row + k));
  float highest = most[0], sum = 0.0f;
  for (int lane = 1; lane < lanes; ++lane) highest = most[lane] > highest ? most[lane] : highest;
  for (int64_t k = 0; k < keys; k += lanes) {
    Float weight = exp2((load(row + k) - highest) * 1.4426950408889634f);
    total += weight;
    store(row + k, weight);
  }
  for (int lane = 0; lane < lanes; ++lane) sum += total[lane];
  Float share = all(1.0f / sum);
  for (int64_t k = 0; k < keys; k += lanes) store(row + k, load(row + k) * share);
}

inline void attend(const Attend& job, float* room) {
  Heads of(job);
  int64_t apart = (int64_t)job.heads * job.width, inner = job.width;
  float scale = 1.0f / __builtin_sqrtf((float)job.width);
  float *query = room, *key = query + of.queries * inner, *value = key + of.keys * inner;
  float *scores = value + of.keys * of.width, *mixed = scores + of.queries * of.keys;
  __builtin_memset(key, 0, sizeof(float) * (size_t)(of.keys * (inner + of.width)));
  for (int64_t head = 0; head < job.heads; ++head) {
    for (int64_t k = 0; k < job.count; ++k) {
      const float* from = job.cells + k * 3 * apart + head * inner;
      __builtin_memcpy(query + k * inner, from, sizeof(float) * (size_t)inner);
      place_key(of, job, k, from + apart, from + 2 * apart, scale, key, value);
    }
    for (int64_t k = 0; k < job.word_count; ++k) {
      const float* from = job.words + k * 2 * apart + head * inner;
      place_key(of, job, job.count + k, from, from + apart, scale, key, value);
    }
    for (int64_t k = 0; k < of.keys; k += panel)
      for (int64_t row = 0; row < of.queries; row += product_rows)
        product(query + row * inner, key + k * inner, scores + row * of.keys + k, inner, of.keys);
    for (int64_t row = 0; row < job.count; ++row) softmax(job, of.keys, scores + row * of.keys);
    for (int64_t k = 0; k < of.width; k += panel)
      for (int64_t row = 0; row < of.queries; row += product_rows)
        product(scores + row * of.keys, value + k * of.keys, mixed + row * of.width + k, of.keys,
                of.width);
    for (int64_t row = 0; row < job.count; ++row)
      __builtin_memcpy(job.y + row * apart + head * inner, mixed + row * of.width,
                       sizeof(float) * (size_t)inner);
  }
}

}  // namespace KERNEL_ISA
