// A small pool of threads in which the caller takes part.
#pragma once

#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

class Pool {
 public:
  // Calls task(0) ... task(count - 1), each once, on up to `threads` threads. Tasks must not
  // depend on their order. The first exception that a task throws is thrown here, after the
  // others ended.
  template <typename Task>
  static void run(int threads, int count, const Task& task) {
    if (threads > count) threads = count;
    Pool* pool = threads > 1 ? instance() : nullptr;
    // A second caller at the same time, or a task itself, works alone.
    std::unique_lock<std::mutex> turn;
    if (pool) turn = std::unique_lock<std::mutex>(pool->turn_, std::try_to_lock);
    if (!turn) {
      for (int i = 0; i < count; ++i) task(i);
      return;
    }
    auto call = [](const void* data, int i) { (*static_cast<const Task*>(data))(i); };
    pool->share(threads, count, call, &task);
  }

 private:
  using Call = void (*)(const void*, int);

  // One pool for each process, never destroyed: its threads may outlive main. After a fork the
  // child has no such threads, and starts its own.
  static Pool* instance() {
    static std::mutex guard;
    static Pool* pool = nullptr;
    static pid_t owner = 0;
    std::lock_guard<std::mutex> lock(guard);
    if (pool == nullptr || owner != getpid()) {
      pool = new Pool;
      owner = getpid();
    }
    return pool;
  }

  void share(int threads, int count, Call call, const void* data) {
    while ((int)workers_.size() < threads - 1) {
      int index = (int)workers_.size();
      workers_.emplace_back([this, index] { serve(index); });
    }
    {
      std::lock_guard<std::mutex> lock(mutex_);
      call_ = call, data_ = data, count_ = count;
      helpers_ = threads - 1;
      busy_ = threads - 1;
      next_.store(0, std::memory_order_relaxed);
      error_ = nullptr;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    work();
    std::unique_lock<std::mutex> lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

  void work() {
    try {
      for (int i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < count_;)
        call_(data_, i);
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!error_) error_ = std::current_exception();
      next_.store(count_, std::memory_order_relaxed);
    }
  }

  [[noreturn]] void serve(int index) {
    uint64_t seen = 0;
    for (;;) {
      // The steps of one call follow each other at once, so it pays to look a while before
      // sleeping.
      for (int i = 0; i < 4000 && generation_.load(std::memory_order_acquire) == seen; ++i)
        pause();
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
      seen = generation_.load(std::memory_order_relaxed);
      if (index >= helpers_) continue;
      lock.unlock();
      work();
      lock.lock();
      if (--busy_ == 0) done_.notify_one();
    }
  }

  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  std::mutex turn_, mutex_;
  std::condition_variable wake_, done_;
  std::vector<std::thread> workers_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<int> next_{0};
  Call call_ = nullptr;
  const void* data_ = nullptr;
  int count_ = 0, helpers_ = 0, busy_ = 0;
  std::exception_ptr error_;
};
