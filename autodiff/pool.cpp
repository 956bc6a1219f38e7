#include "autodiff/pool.hpp"

#include <chrono>
#include <limits>
#include <system_error>
#include <utility>

#include "autodiff/error.hpp"

namespace jacquard {
namespace {

// Long enough to bridge the serial work between two runs of a training step, short enough not to
// be seen as load when the program waits for something else.
constexpr std::chrono::microseconds kSpinTime{40};
constexpr int kPausesPerClockReading = 16;

thread_local bool inside_task = false;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

template <class Ready>
bool spin_until(Ready ready) {
  const auto end = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kPausesPerClockReading; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return ready();
}

std::uint32_t tasks_left(std::uint64_t ticket) { return static_cast<std::uint32_t>(ticket); }

}  // namespace

ThreadPool::ThreadPool(int threads) {
  if (threads < 1 || threads > kMaxThreads) {
    throw Error(cat("pool: ", threads, " threads; 1 to ", kMaxThreads, " are allowed"));
  }
  workers_.reserve(static_cast<std::size_t>(threads - 1));
  try {
    for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { work(); });
  } catch (const std::system_error& error) {
    const std::size_t started = workers_.size();
    stop();
    throw Error(cat("pool: cannot start thread ", started + 2, " of ", threads, ": ", error.what(),
                    "; use fewer threads"));
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopping_.store(true);
  wake_.fetch_add(1);
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
}

void ThreadPool::run_erased(std::int64_t tasks, void* object, Call call) {
  if (tasks > std::numeric_limits<std::uint32_t>::max()) {
    throw InternalError(cat("pool: ", tasks, " tasks; at most ",
                            std::numeric_limits<std::uint32_t>::max(), " are allowed"));
  }
  if (tasks <= 0) return;
  const bool alone = workers_.empty() || tasks == 1 || inside_task ||
                     busy_.test_and_set(std::memory_order_acquire);
  if (alone) {
    // No shared state is touched here: another thread's run may be under way.
    std::exception_ptr first;
    for (std::int64_t i = 0; i < tasks; ++i) {
      try {
        call(object, i);
      } catch (...) {
        if (!first) first = std::current_exception();
      }
    }
    if (first) std::rethrow_exception(first);
    return;
  }
  const auto count = static_cast<std::uint32_t>(tasks);
  publish(count, object, call);
  inside_task = true;
  const std::uint32_t own = take_tasks();
  inside_task = false;
  wait_for_others(count - own);
  rethrow_first_error();
}

void ThreadPool::publish(std::uint32_t tasks, void* object, Call call) {
  object_.store(object, std::memory_order_relaxed);
  call_.store(call, std::memory_order_relaxed);
  tasks_.store(tasks, std::memory_order_relaxed);
  finished_.store(0, std::memory_order_relaxed);
  const std::uint64_t run = (ticket_.load(std::memory_order_relaxed) >> 32) + 1;
  ticket_.store(run << 32 | tasks, std::memory_order_release);
  wake_.fetch_add(1);  // after the ticket: who sees the new count sees the work
  wake_.notify_all();  // costs a system call only if a thread sleeps
}

// Returns how many tasks this thread did.
std::uint32_t ThreadPool::take_tasks() {
  std::uint32_t done = 0;
  std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
  while (tasks_left(ticket) != 0) {
    void* object = object_.load(std::memory_order_relaxed);
    const Call call = call_.load(std::memory_order_relaxed);
    const std::uint32_t tasks = tasks_.load(std::memory_order_relaxed);
    if (!ticket_.compare_exchange_weak(ticket, ticket - 1, std::memory_order_acq_rel,
                                       std::memory_order_acquire)) {
      continue;
    }
    call_one(object, call, tasks - tasks_left(ticket));
    ++done;
    ticket = ticket_.load(std::memory_order_acquire);
  }
  return done;
}

void ThreadPool::call_one(void* object, Call call, std::int64_t task) {
  try {
    call(object, task);
  } catch (...) {
    const std::lock_guard lock(error_mutex_);
    if (!error_ || task < error_task_) {
      error_ = std::current_exception();
      error_task_ = task;
    }
  }
}

void ThreadPool::wait_for_others(std::uint32_t tasks) {
  const auto all_done = [&] { return finished_.load(std::memory_order_acquire) == tasks; };
  if (spin_until(all_done)) return;
  for (;;) {
    const std::uint32_t seen = finished_.load(std::memory_order_acquire);
    if (seen == tasks) return;
    finished_.wait(seen, std::memory_order_acquire);
  }
}

void ThreadPool::rethrow_first_error() {
  const std::exception_ptr error = std::exchange(error_, nullptr);
  busy_.clear(std::memory_order_release);
  if (error) std::rethrow_exception(error);
}

void ThreadPool::work() {
  inside_task = true;
  for (;;) {
    wait_for_work();
    if (stopping_.load()) return;
    if (const std::uint32_t done = take_tasks(); done != 0) {
      finished_.fetch_add(done, std::memory_order_acq_rel);
      finished_.notify_one();
    }
  }
}

bool ThreadPool::work_or_stop() const {
  return tasks_left(ticket_.load(std::memory_order_acquire)) != 0 || stopping_.load();
}

void ThreadPool::wait_for_work() {
  if (spin_until([&] { return work_or_stop(); })) return;
  for (;;) {
    const std::uint32_t seen = wake_.load(std::memory_order_acquire);
    if (work_or_stop()) return;
    wake_.wait(seen, std::memory_order_acquire);
  }
}

}  // namespace jacquard
