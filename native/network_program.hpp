// A frozen network as a list of steps that a thread goes through for whole rows (pictures).
//
// Rows are shared among the threads, which meet once, at the end. Steps write to places, each of
// so many numbers a row, in memory that every thread keeps. Consecutive steps form a part, which
// goes through a few rows at a time: few where pictures are large and should stay in the cache,
// many where weights are large and should be read for many rows. A row's sums have the same order
// beside whatever other rows, so no bit of a result depends on how they are shared.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "network_job.hpp"
#include "pool.hpp"

namespace network {

constexpr int most_rows = 8;      // that a thread goes through together
constexpr int64_t nowhere = -1;   // instead of a place

// What a step finds when it runs: its rows, where each place begins, and scratch memory.
struct Rows {
  int count;
  const std::vector<float*>& at;
  float* room;
};

using Step = std::function<void(const Rows&)>;

class Program {
 public:
  // A place of `size` numbers a row that the caller brings; the order counts.
  int64_t given(int64_t size) {
    places_.push_back({size, given_++});
    return (int64_t)places_.size() - 1;
  }

  int64_t place(int64_t size) {
    places_.push_back({size, -1});
    return (int64_t)places_.size() - 1;
  }

  // What follows goes through `rows` rows at a time.
  void begin(int rows) { parts_.push_back({std::min(rows, most_rows), {}}); }

  // Rows come in groups of so many, each for one thread. A part whose steps look at a whole group
  // has to go through `most_rows` at a time, which is a multiple.
  void together(int rows) { together_ = rows; }

  // A step that touches those places and needs so much room.
  void add(const std::vector<int64_t>& touched, size_t room, Step step) {
    int part = (int)parts_.size() - 1;
    for (int64_t index : touched) {
      if (index == nowhere) continue;
      Place& place = places_[(size_t)index];
      if (place.first < 0) place.first = steps_, place.first_part = part;
      place.last = steps_, place.last_part = part;
    }
    ++steps_;
    room_ = std::max(room_, room);
    parts_.back().steps.push_back(std::move(step));
  }

  int64_t size(int64_t place) const { return places_[(size_t)place].size; }

  // Whether arrays of these sizes are what `given` was called for, of so many rows.
  bool takes(const std::vector<int64_t>& sizes, int rows) const {
    if (rows % together_) return false;
    size_t index = 0;
    for (const Place& place : places_)
      if (place.given >= 0 && (index >= sizes.size() || sizes[index++] != place.size * rows))
        return false;
    return index == sizes.size();
  }

  void run(const std::vector<float*>& given, int rows, int threads) const {
    int blocks = (rows + most_rows - 1) / most_rows, groups = rows / together_;
    blocks = std::min(groups, (blocks + threads - 1) / threads * threads);
    Pool::run(threads, blocks, [&](int block) {
      work(given, (int)((int64_t)groups * block / blocks) * together_,
           (int)((int64_t)groups * (block + 1) / blocks) * together_);
    });
  }

  // Memory of at least `size` numbers that this thread keeps, at the beginning of a line. Zeros
  // at first: products of half-empty blocks read what nothing has written.
  static float* memory(size_t size) {
    thread_local std::vector<float> kept;
    if (kept.size() < size + line) kept.assign(size + line, 0.0f);
    auto address = reinterpret_cast<uintptr_t>(kept.data());
    constexpr uintptr_t bytes = line * sizeof(float);
    return reinterpret_cast<float*>((address + bytes - 1) / bytes * bytes);
  }

 private:
  struct Place {
    int64_t size;
    int given;  // which of those that the caller brings, or -1
    int first = -1, last = -1, first_part = 0, last_part = 0;  // steps and parts that touch it

    bool within() const { return first_part == last_part; }  // one part, so made anew each time
  };

  struct Part {
    int rows;
    std::vector<Step> steps;
  };

  // Where each place begins in a thread's memory, and how long that has to be.
  struct Layout {
    std::vector<int64_t> begin;
    int64_t total = 0;
  };

  // Places that are in use at the same time lie apart; each as low as it can. One that is used by
  // several parts is in use through the whole of them, as they go through their steps repeatedly.
  Layout laid_out(int rows) const {
    struct Taken {
      int64_t begin, end;
      int first, last;
    };
    std::vector<Taken> taken;
    Layout layout{std::vector<int64_t>(places_.size(), 0)};
    std::vector<int> begins{0};
    for (const Part& part : parts_) begins.push_back(begins.back() + (int)part.steps.size());
    for (size_t index = 0; index < places_.size(); ++index) {
      const Place& place = places_[index];
      if (place.given >= 0 || place.first < 0) continue;
      int first = place.within() ? place.first : begins[(size_t)place.first_part];
      int last = place.within() ? place.last : begins[(size_t)place.last_part + 1] - 1;
      int count = place.within() ? std::min(rows, parts_[(size_t)place.first_part].rows) : rows;
      int64_t size = (place.size * count + line - 1) / line * line, begin = 0;
      for (const Taken& other : taken)  // in the order of their beginnings
        if (other.first <= last && first <= other.last && other.begin < begin + size)
          begin = std::max(begin, other.end);
      auto after = [](int64_t at, const Taken& other) { return at < other.begin; };
      taken.insert(std::upper_bound(taken.begin(), taken.end(), begin, after),
                   {begin, begin + size, first, last});
      layout.begin[index] = begin;
      layout.total = std::max(layout.total, begin + size);
    }
    return layout;
  }

  void work(const std::vector<float*>& given, int first, int last) const {
    Layout layout = laid_out(last - first);
    float* begin = memory((size_t)layout.total + room_);
    std::vector<float*> at(places_.size());
    for (const Part& part : parts_)
      for (int row = first; row < last; row += part.rows) {
        for (size_t index = 0; index < places_.size(); ++index) {
          const Place& place = places_[index];
          int64_t skipped = place.within() ? 0 : row - first;
          at[index] = place.given >= 0 ? given[(size_t)place.given] + row * place.size
                                       : begin + layout.begin[index] + skipped * place.size;
        }
        Rows rows{std::min(part.rows, last - row), at, begin + layout.total};
        for (const Step& step : part.steps) step(rows);
      }
  }

  std::vector<Place> places_;
  std::vector<Part> parts_;
  size_t room_ = 0;
  int given_ = 0, steps_ = 0, together_ = 1;
};

}  // namespace network
