// Attention of a picture's cells to each other, to words and to other pictures, see
// network_job.hpp.
#pragma once

namespace KERNEL_ISA {

using network::Across;
using network::Attend;

// Numbers of queries and keys, and of one head in each; then the same, rounded up for `product`.
struct Heads {
  int64_t count, known, inner;
  int64_t queries, keys, width;
  Heads(int64_t count_, int64_t known_, int64_t inner_)
      : count(count_),
        known(known_),
        inner(inner_),
        queries((count_ + product_rows - 1) / product_rows * product_rows),
        keys(rounded_up(known_)),
        width(rounded_up(inner_)) {}
  explicit Heads(const Attend& job) : Heads(job.count, job.count + job.word_count, job.width) {}
  explicit Heads(const Across& job) : Heads(job.count, job.pictures * job.count, job.width) {}

  size_t room() const { return (size_t)(queries * (inner + keys + width) + keys * (inner + width)); }
};

// Where the parts of one head lie: query [queries, inner]; the keys' panels [keys / panel, inner,
// panel] and the values' [width / panel, keys, panel]; scores [queries, keys]; mixed [queries,
// width].
struct Head {
  const Heads& of;
  float scale;
  float *query, *key, *value, *scores, *mixed;

  Head(const Heads& sizes, float* room)
      : of(sizes),
        scale(1.0f / __builtin_sqrtf((float)sizes.inner)),
        query(room),
        key(query + of.queries * of.inner),
        value(key + of.keys * of.inner),
        scores(value + of.keys * of.width),
        mixed(scores + of.queries * of.keys) {
    __builtin_memset(key, 0, sizeof(float) * (size_t)(of.keys * (of.inner + of.width)));
  }

  void ask(int64_t row, const float* from) const {
    __builtin_memcpy(query + row * of.inner, from, sizeof(float) * (size_t)of.inner);
  }

  // One key and its value; `more` of each is added, unless it is null.
  void place(int64_t k, const float* from_key, const float* from_value, const float* more_key,
             const float* more_value) const {
    for (int64_t i = 0; i < of.inner; ++i) {
      float a = more_key ? from_key[i] + more_key[i] : from_key[i];
      float b = more_value ? from_value[i] + more_value[i] : from_value[i];
      key[(k / panel * of.inner + i) * panel + k % panel] = a * scale;
      value[(i / panel * of.keys + k) * panel + i % panel] = b;
    }
  }

  // What the queries take of the values, to y, whose rows lie `apart`. `add(row, scores)` adds to
  // a row of scores what does not hang on the keys.
  template <typename Add>
  INLINE void mix(float* y, int64_t apart, const Add& add) const {
    for (int64_t k = 0; k < of.keys; k += panel)
      for (int64_t row = 0; row < of.queries; row += product_rows)
        product(query + row * of.inner, key + k * of.inner, scores + row * of.keys + k, of.inner,
                of.keys);
    for (int64_t row = 0; row < of.count; ++row) {
      add(row, scores + row * of.keys);
      softmax(scores + row * of.keys);
    }
    for (int64_t k = 0; k < of.width; k += panel)
      for (int64_t row = 0; row < of.queries; row += product_rows)
        product(scores + row * of.keys, value + k * of.keys, mixed + row * of.width + k, of.keys,
                of.width);
    for (int64_t row = 0; row < of.count; ++row)
      __builtin_memcpy(y + row * apart, mixed + row * of.width,
                       sizeof(float) * (size_t)of.inner);
  }

  // exp(x - max) of a row of scores, divided by their sum; those past the last key count nothing.
  void softmax(float* row) const {
    for (int64_t k = of.known; k < of.keys; ++k) row[k] = -1e30f;
    Float most = load(row), total = {};
    for (int64_t k = lanes; k < of.keys; k += lanes) most = max(most, load(row + k));
    float highest = most[0], sum = 0.0f;
    for (int lane = 1; lane < lanes; ++lane)
      highest = most[lane] > highest ? most[lane] : highest;
    for (int64_t k = 0; k < of.keys; k += lanes) {
      Float weight = exp2((load(row + k) - highest) * 1.4426950408889634f);
      total += weight;
      store(row + k, weight);
    }
    for (int lane = 0; lane < lanes; ++lane) sum += total[lane];
    Float share = all(1.0f / sum);
    for (int64_t k = 0; k < of.keys; k += lanes) store(row + k, load(row + k) * share);
  }
};

inline size_t attend_room(const Attend& job) { return Heads(job).room(); }

inline void attend(const Attend& job, float* room) {
  Heads of(job);
  Head head(of, room);
  int64_t apart = (int64_t)job.heads * job.width;
  for (int64_t begin = 0; begin < apart; begin += job.width) {
    for (int64_t k = 0; k < job.count; ++k) {
      const float* from = job.cells + k * 3 * apart + begin;
      head.ask(k, from);
      head.place(k, from + apart, from + 2 * apart, nullptr, nullptr);
    }
    for (int64_t k = 0; k < job.word_count; ++k) {
      const float* from = job.words + k * 2 * apart + begin;
      head.place(job.count + k, from, from + apart, nullptr, nullptr);
    }
    head.mix(job.y + begin, apart, [&](int64_t, float* scores) {
      for (int k = 0; k < job.word_count; ++k) scores[job.count + k] += job.mask[k];
    });
  }
}

inline size_t across_room(const Across& job) { return Heads(job).room(); }

inline void across(const Across& job, float* room) {
  Heads of(job);
  Head head(of, room);
  int64_t apart = (int64_t)job.heads * job.width, around = (int64_t)job.turns * job.count;
  for (int64_t number = 0; number < job.heads; ++number) {
    int64_t begin = number * job.width;
    for (int64_t k = 0; k < job.count; ++k) head.ask(k, job.query + k * apart + begin);
    for (int64_t picture = 0; picture < job.pictures; ++picture) {
      const float* turn = picture < job.turns ? job.turn + picture * 2 * apart + begin : nullptr;
      for (int64_t k = 0; k < job.count; ++k) {
        const float* from = job.seen[picture] + k * 2 * apart + begin;
        head.place(picture * job.count + k, from, from + apart, turn,
                   turn ? turn + apart : nullptr);
      }
    }
    head.mix(job.y + begin, apart, [&](int64_t row, float* scores) {
      const float* more = job.affinity + (number * job.count + row) * around;
      for (int64_t k = 0; k < around; ++k) scores[k] += more[k];
    });
  }
}

}  // namespace KERNEL_ISA
