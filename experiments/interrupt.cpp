#include "experiments/interrupt.hpp"

#include <array>
#include <csignal>

namespace jacquard::experiments {
namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGUSR1};
volatile std::sig_atomic_t received = 0;
std::array<struct sigaction, kSignals.size()> former;

void receive(int signal) {
  if (received != 0 && signal != SIGUSR1) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  received = signal;
}

}  // namespace

Interrupt::Interrupt() {
  received = 0;
  struct sigaction action = {};
  action.sa_handler = receive;
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &former[i]);
}

Interrupt::~Interrupt() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &former[i], nullptr);
}

int Interrupt::exit_code() const {
  switch (received) {
    case SIGINT:
      return 130;
    case SIGTERM:
      return 143;
    case SIGUSR1:
      return 75;
    default:
      return 0;
  }
}

}  // namespace jacquard::experiments
