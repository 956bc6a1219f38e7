// W1 and W2 in libtorch, with the penalty in its closed form; run.py says what is read and written.
#include <malloc.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t kInputs = 784, kHidden = 1000;
constexpr double kRate = 0.1;

struct Case {
  std::string loss;
  double contraction = 0;
  std::int64_t batch = 0;
  double seconds = 0;
};

class Step {
 public:
  explicit Step(const Case& c)
      : case_(c),
        x_(torch::rand({c.batch, kInputs})),
        w_((0.03 * torch::randn({kInputs, kHidden})).requires_grad_()),
        b_(torch::zeros({kHidden}).requires_grad_()),
        c_(torch::zeros({kInputs}).requires_grad_()) {}

  void run() {
    const std::vector<torch::Tensor> gradients = torch::autograd::grad({cost()}, {w_, b_, c_});
    const torch::NoGradGuard guard;
    w_.sub_(gradients[0], kRate);
    b_.sub_(gradients[1], kRate);
    c_.sub_(gradients[2], kRate);
  }

 private:
  torch::Tensor cost() const {
    const auto batch = static_cast<double>(case_.batch);
    const torch::Tensor h = torch::sigmoid(torch::addmm(b_, x_, w_));
    const torch::Tensor logits = torch::addmm(c_, h, w_.t());
    torch::Tensor value =
        case_.loss == "squared_error"
            ? (torch::sigmoid(logits) - x_).square().sum() / batch
            : torch::binary_cross_entropy_with_logits(logits, x_, {}, {}, torch::Reduction::Sum) /
                  batch;
    if (case_.contraction != 0) {
      const torch::Tensor slope = h * (1 - h);
      value = value + case_.contraction * (slope.square().mean(0) * w_.square().sum(0)).sum();
    }
    return value;
  }

  Case case_;
  torch::Tensor x_, w_, b_, c_;
};

double median_microseconds(const Case& c) {
  using Clock = std::chrono::steady_clock;
  Step step(c);
  for (int i = 0; i < 3; ++i) step.run();
  std::vector<double> times;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  for (const auto start = Clock::now(); times.size() < 5 || since(start) < c.seconds;) {
    const auto begin = Clock::now();
    step.run();
    times.push_back(since(begin));
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2] * 1e6;
}

}  // namespace

int main() {
  // Gradients of megabytes would else be given back to the system and fetched anew in every step.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
  const char* threads = std::getenv("OMP_NUM_THREADS");
  torch::set_num_threads(threads == nullptr ? 1 : std::atoi(threads));
  torch::manual_seed(1);
  for (Case c; std::cin >> c.loss >> c.contraction >> c.batch >> c.seconds;) {
    std::printf("%.3f\n", median_microseconds(c));
    std::fflush(stdout);
  }
  return 0;
}
