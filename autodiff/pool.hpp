// ThreadPool: the one pool of threads under every kernel and product of the engine.
//
// Fork and join: run() spreads numbered tasks over the threads and returns when all are done. Which
// thread runs which task is left to chance, so a task's result may depend on its number alone; then
// the bits are the same for any number of threads. Threads wait for work by spinning for some tens
// of microseconds and then sleep, so that an idle program uses no processor.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace jacquard {

class ThreadPool {
 public:
  static constexpr int kMaxThreads = 1024;

  // The calling thread counts: ThreadPool(1) starts none. Throws Error for a number outside
  // 1 .. kMaxThreads, or when the system refuses a thread.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls task(i) once for each i in 0 .. tasks-1; the caller takes part. Every task is run even if
  // one throws; then the exception of the lowest number is rethrown here. Nothing is allocated.
  // Called from inside a task, or while another thread is in run(), it does the work on the calling
  // thread alone. Throws InternalError for more than 2^32 - 1 tasks.
  template <class Task>
  void run(std::int64_t tasks, Task&& task) {
    using Plain = std::remove_reference_t<Task>;
    run_erased(tasks, const_cast<void*>(static_cast<const void*>(std::addressof(task))),
               [](void* object, std::int64_t i) { (*static_cast<Plain*>(object))(i); });
  }

 private:
  using Call = void (*)(void* object, std::int64_t task);

  void run_erased(std::int64_t tasks, void* object, Call call);
  void publish(std::uint32_t tasks, void* object, Call call);
  std::uint32_t take_tasks();
  void wait_for_others(std::uint32_t tasks);
  void call_one(void* object, Call call, std::int64_t task);
  void rethrow_first_error();
  void work();
  void wait_for_work();
  bool work_or_stop() const;
  void stop();

  // The tasks left of the current run in the low half, the number of the run in the high half. A
  // task is claimed by compare-and-swap of both, so a thread that wakes late cannot touch a later
  // run by mistake. Kept apart from what else is written, for it is what the threads spin on.
  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  alignas(64) std::atomic<std::uint32_t> finished_{
      0};                                           // tasks done by threads other than the caller
  alignas(64) std::atomic<std::uint32_t> wake_{0};  // counts runs; sleeping threads wait on it

  // The current run. Atomic because a late thread may read them while the next run is being
  // written; what it read is thrown away then, since its claim fails.
  alignas(64) std::atomic<void*> object_{nullptr};
  std::atomic<Call> call_{nullptr};
  std::atomic<std::uint32_t> tasks_{0};

  std::atomic<bool> stopping_{false};
  std::atomic_flag busy_;
  std::mutex error_mutex_;
  std::exception_ptr error_;
  std::int64_t error_task_ = 0;
  std::vector<std::thread> workers_;
};

}  // namespace jacquard
