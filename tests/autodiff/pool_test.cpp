#include "autodiff/pool.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <ctime>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "autodiff/error.hpp"

using jacquard::ThreadPool;

TEST_CASE("pool: every task is run exactly once, whatever the number of threads and tasks") {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK(pool.threads() == threads);
    for (const std::int64_t tasks : {0, 1, 2, 3, 7, 64, 1000, 20000}) {
      std::vector<int> calls(static_cast<std::size_t>(tasks), 0);
      pool.run(tasks, [&](std::int64_t task) { ++calls[static_cast<std::size_t>(task)]; });
      CHECK(calls == std::vector<int>(static_cast<std::size_t>(tasks), 1));
    }
  }
}

TEST_CASE("pool: a run sees what the run before it wrote, through thousands of runs") {
  ThreadPool pool(3);
  std::vector<std::int64_t> now(12), next(12);
  std::iota(now.begin(), now.end(), 0);
  for (int step = 0; step < 5000; ++step) {
    pool.run(12, [&](std::int64_t task) {
      next[static_cast<std::size_t>(task)] = now[static_cast<std::size_t>((task + 1) % 12)] + 1;
    });
    std::swap(now, next);
  }
  for (std::size_t i = 0; i < 12; ++i) {
    CHECK(now[i] == static_cast<std::int64_t>((i + 5000) % 12) + 5000);
  }
}

TEST_CASE("pool: threads that fell asleep wake for the next run") {
  ThreadPool pool(2);
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    std::atomic<int> together{0};
    // Each task waits for the other, so that both threads must take part.
    pool.run(2, [&](std::int64_t) {
      ++together;
      while (together.load() < 2) std::this_thread::yield();
    });
    CHECK(together.load() == 2);
  }
}

TEST_CASE("pool: the caller that waits long for another thread's task still gets its end") {
  ThreadPool pool(2);
  std::atomic<int> started{0};
  int value = 0;
  pool.run(2, [&](std::int64_t task) {
    ++started;
    while (started.load() < 2) std::this_thread::yield();
    if (task == 1) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    if (task == 1) value = 42;
  });
  CHECK(value == 42);
}

TEST_CASE("pool: an idle pool uses no processor") {
  ThreadPool pool(3);
  pool.run(3, [](std::int64_t) {});
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const double used = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  CHECK(used < 0.05);  // one spinning thread would use 0.1 s
}

TEST_CASE("pool: the exception of the lowest task is rethrown after all tasks were run") {
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    for (int repeat = 0; repeat < 20; ++repeat) {
      std::atomic<int> run{0};
      const auto failing = [&](std::int64_t task) {
        ++run;
        if (task % 10 == 7) throw std::runtime_error(std::to_string(task));
      };
      CHECK_THROWS_WITH_AS(pool.run(100, failing), "7", std::runtime_error);
      CHECK(run.load() == 100);
    }
    int after = 0;
    pool.run(1, [&](std::int64_t) { ++after; });
    CHECK(after == 1);
  }
}

TEST_CASE("pool: a run inside a task, of the same pool or another, is done by that task") {
  ThreadPool pool(3), other(2);
  std::vector<int> calls(30, 0);
  pool.run(3, [&](std::int64_t outer) {
    const auto self = std::this_thread::get_id();
    ThreadPool& inner_pool = outer == 1 ? other : pool;
    inner_pool.run(10, [&](std::int64_t inner) {
      if (std::this_thread::get_id() == self) ++calls[static_cast<std::size_t>(10 * outer + inner)];
    });
  });
  CHECK(calls == std::vector<int>(30, 1));
}

TEST_CASE("pool: two threads may call run at the same time") {
  ThreadPool pool(2);
  std::vector<std::int64_t> sums(2, 0);
  const auto use = [&](std::size_t who) {
    for (int step = 0; step < 500; ++step) {
      std::vector<std::int64_t> values(16);
      pool.run(16, [&](std::int64_t task) { values[static_cast<std::size_t>(task)] = task; });
      sums[who] += std::accumulate(values.begin(), values.end(), std::int64_t{0});
    }
  };
  std::thread second(use, 1);
  use(0);
  second.join();
  CHECK(sums == std::vector<std::int64_t>{500 * 120, 500 * 120});
}

TEST_CASE("pool: impossible numbers of threads and tasks are refused") {
  CHECK_THROWS_WITH_AS(ThreadPool(0), "pool: 0 threads; 1 to 1024 are allowed", jacquard::Error);
  CHECK_THROWS_WITH_AS(ThreadPool(-3), "pool: -3 threads; 1 to 1024 are allowed", jacquard::Error);
  CHECK_THROWS_WITH_AS(ThreadPool(1025), "pool: 1025 threads; 1 to 1024 are allowed",
                       jacquard::Error);
  ThreadPool pool(2);
  CHECK_THROWS_WITH_AS(pool.run(std::int64_t{1} << 32, [](std::int64_t) {}),
                       "pool: 4294967296 tasks; at most 4294967295 are allowed",
                       jacquard::InternalError);
}
