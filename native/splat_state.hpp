// What one forward pass leaves for its backward pass, and the memory it lives in.
#pragma once

#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "splat_job.hpp"

namespace splat {

// Memory that only grows, holds no values across `room`, and starts at a cache line.
template <typename T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept : data_(other.data_), capacity_(other.capacity_) {
    other.data_ = nullptr;
    other.capacity_ = 0;
  }
  Buffer(const Buffer&) = delete;
  ~Buffer() { std::free(data_); }

  T* room(size_t count) {
    if (count > capacity_ || data_ == nullptr) {
      std::free(data_);
      capacity_ = 0;
      size_t bytes = ((count + count / 4) * sizeof(T) + 64) / 64 * 64;
      data_ = static_cast<T*>(std::aligned_alloc(64, bytes));
      if (data_ == nullptr) throw std::bad_alloc();
      capacity_ = bytes / sizeof(T);
    }
    return data_;
  }

  size_t bytes() const { return capacity_ * sizeof(T); }

 private:
  T* data_ = nullptr;
  size_t capacity_ = 0;
};

// Pair lists grow inside the kernels, through this.
inline void grow_pairs(Pairs* pairs) {
  uint32_t capacity = pairs->capacity ? 2 * pairs->capacity : 1024;
  void* data = std::realloc(pairs->data, sizeof(Pair) * (size_t)capacity);
  if (data == nullptr || capacity < pairs->capacity) throw std::bad_alloc();
  pairs->data = static_cast<Pair*>(data);
  pairs->capacity = capacity;
}

struct ViewMemory {
  Buffer<Record> records;
  Buffer<uint32_t> sorted, keys, visible, base, offsets, used;
  Buffer<Span> spans;
  Buffer<uint64_t> sort_a, sort_b;
  Buffer<Entry> entries;
  Buffer<float> left, far, slots, spill;
  Buffer<int32_t> stop;
  std::vector<Pairs> pairs;

  ViewMemory() = default;
  ViewMemory(ViewMemory&&) = default;
  ~ViewMemory() {
    for (Pairs& list : pairs) std::free(list.data);
  }

  size_t bytes() const {
    size_t sum = records.bytes() + sorted.bytes() + keys.bytes() + spans.bytes() +
                 offsets.bytes() + used.bytes() + sort_a.bytes() + sort_b.bytes() +
                 entries.bytes() + left.bytes() + far.bytes() + slots.bytes() + stop.bytes();
    for (const Pairs& list : pairs) sum += sizeof(Pair) * (size_t)list.capacity;
    return sum;
  }
};

struct Workspace {
  std::vector<ViewMemory> views;

  size_t bytes() const {
    size_t sum = 0;
    for (const ViewMemory& view : views) sum += view.bytes();
    return sum;
  }
};

// Workspaces between uses: fresh memory would cost a page fault for every four kilobytes.
class Shelf {
 public:
  static std::unique_ptr<Workspace> take() {
    std::lock_guard<std::mutex> lock(guard());
    if (idle().empty()) return std::make_unique<Workspace>();
    auto workspace = std::move(idle().back());
    idle().pop_back();
    return workspace;
  }

  static void put(std::unique_ptr<Workspace> workspace) {
    constexpr size_t most = 2, most_bytes = size_t(1) << 29;
    if (workspace->bytes() > most_bytes) return;
    std::lock_guard<std::mutex> lock(guard());
    if (idle().size() < most) idle().push_back(std::move(workspace));
  }

 private:
  static std::mutex& guard() {
    static auto* mutex = new std::mutex;
    return *mutex;
  }
  static std::vector<std::unique_ptr<Workspace>>& idle() {
    static auto* list = new std::vector<std::unique_ptr<Workspace>>;
    return *list;
  }
};

struct State {
  std::unique_ptr<Workspace> workspace = Shelf::take();
  std::vector<View> views;
  Job job{};
  const Kernels* kernels = nullptr;

  ~State() {
    if (workspace) Shelf::put(std::move(workspace));
  }
};

}  // namespace splat
