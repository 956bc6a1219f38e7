#include "autodiff/arithmetic_code.hpp"

#include <xbyak/xbyak.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>

#include "autodiff/error.hpp"
#include "autodiff/simd.hpp"

namespace jacquard {
namespace {

constexpr int kRegisters = 14;  // of 16: one is for a mask, one for the signs
constexpr int kMaskRegister = 14, kSignRegister = 15;
constexpr std::uint32_t kVectorBytes = 32;

bool is_unary(Arithmetic operation) {
  return operation == Arithmetic::kNegate || operation == Arithmetic::kSquare ||
         operation == Arithmetic::kSqrt;
}

// The register of every value. One that is never needed again gives its register to the result.
struct Registers {
  std::vector<int> of;
  bool numbers_stay;  // numbers are loaded before the loop, else in every turn
};

class Allocation {
 public:
  explicit Allocation(const ArithmeticChain& chain)
      : chain_(chain), loads_(chain.loads.size()), last_use_(loads_ + chain.steps.size(), 0) {
    for (std::size_t i = 0; i < chain.steps.size(); ++i) {
      last_use_[loads_ + i] = i;
      last_use_[chain.steps[i].a] = i;
      if (!is_unary(chain.steps[i].operation)) last_use_[chain.steps[i].b] = i;
    }
  }

  std::optional<Registers> run() {
    for (const bool numbers_stay : {true, false})
      if (allocate(numbers_stay)) return Registers{std::move(of_), numbers_stay};
    return std::nullopt;
  }

 private:
  bool allocate(bool numbers_stay) {
    of_.assign(last_use_.size(), -1);
    free_.clear();
    for (int r = kRegisters; r-- > 0;) free_.push_back(r);
    for (std::size_t v = 0; v < loads_ && numbers_stay; ++v)
      if (chain_.loads[v] && !take(v)) return false;
    const auto stays = [&](std::size_t v) { return numbers_stay && v < loads_ && chain_.loads[v]; };
    for (std::size_t i = 0; i < chain_.steps.size(); ++i) {
      const ArithmeticChain::Step& step = chain_.steps[i];
      const std::array<std::size_t, 2> operands{step.a, step.b};
      const std::size_t count = is_unary(step.operation) || step.a == step.b ? 1 : 2;
      for (std::size_t k = 0; k < count; ++k)
        if (of_[operands[k]] < 0 && !take(operands[k])) return false;
      for (std::size_t k = 0; k < count; ++k)
        if (last_use_[operands[k]] == i && !stays(operands[k])) free_.push_back(of_[operands[k]]);
      if (!take(loads_ + i)) return false;
      if (last_use_[loads_ + i] == i) free_.push_back(of_[loads_ + i]);  // stored only
    }
    return true;
  }

  bool take(std::size_t value) {
    if (free_.empty()) return false;
    of_[value] = free_.back();
    free_.pop_back();
    return true;
  }

  const ArithmeticChain& chain_;
  std::size_t loads_;
  std::vector<std::size_t> last_use_;  // by value: a step
  std::vector<int> of_, free_;
};

// 32 bytes of ones, then 32 of zeros: from 32 - n bytes on it is the mask of the first n bytes.
constexpr std::array<std::uint8_t, 64> kMaskBytes = [] {
  std::array<std::uint8_t, 64> bytes{};
  for (std::size_t i = 0; i < 32; ++i) bytes[i] = 0xff;
  return bytes;
}();

template <class T>
class Assembler : public Xbyak::CodeGenerator {
 public:
  Assembler(const ArithmeticChain& chain, Registers registers)
      : Xbyak::CodeGenerator(Xbyak::DEFAULT_MAX_CODE_SIZE, Xbyak::AutoGrow),
        chain_(chain),
        registers_(std::move(registers)),
        places_(chain.loads.size() + chain.stored.size()) {
    // Sanitizers look for a signature in front of a function.
    for (std::size_t i = 0; i < kFront / 8; ++i) dq(0);
    write();
    readyRE();
  }

  ArithmeticCode<T> code() const {
    return reinterpret_cast<ArithmeticCode<T>>(const_cast<std::uint8_t*>(getCode()) + kFront);
  }

 private:
  static constexpr std::size_t kFront = 16;
  static constexpr bool kFloat = sizeof(T) == 4;

  // System V: the list of places comes in rdi, the count in rsi. The first places have registers,
  // the others are looked up when they are needed.
  static constexpr std::size_t kPointers = 10;
  const std::array<Xbyak::Reg64, kPointers> pointers_{rax, rcx, r8,  r9,  r10,
                                                      r11, rbx, rbp, r12, r13};
  const Xbyak::Reg64 &list_ = rdi, &offset_ = rdx, &end_ = rsi, &rest_ = r15, &other_ = r14;
  // To be given back as they were.
  const std::array<Xbyak::Reg64, 6> callers_{rbx, rbp, r12, r13, r14, r15};

  void write() {
    for (const Xbyak::Reg64& r : callers_) push(r);
    for (std::size_t p = 0; p < std::min(places_, kPointers); ++p)
      mov(pointers_[p], ptr[list_ + 8 * p]);
    if (registers_.numbers_stay)
      for (std::size_t v = 0; v < chain_.loads.size(); ++v)
        if (chain_.loads[v]) load(v, false);
    const Xbyak::Ymm sign(kSignRegister), mask(kMaskRegister);
    if (std::ranges::any_of(chain_.steps,
                            [](const auto& s) { return s.operation == Arithmetic::kNegate; })) {
      vpcmpeqd(sign, sign, sign);
      kFloat ? vpslld(sign, sign, 31) : vpsllq(sign, sign, 63);
    }
    shl(end_, kFloat ? 2 : 3);
    mov(rest_, end_);
    and_(end_, ~(kVectorBytes - 1));
    sub(rest_, end_);
    xor_(offset_, offset_);
    Xbyak::Label loop, tail, done;
    test(end_, end_);
    jz(tail, T_NEAR);
    align(16);
    L(loop);
    write_body(false);
    add(offset_, kVectorBytes);
    cmp(offset_, end_);
    jb(loop, T_NEAR);
    L(tail);
    test(rest_, rest_);
    jz(done, T_NEAR);
    mov(end_, reinterpret_cast<std::uint64_t>(kMaskBytes.data() + kVectorBytes));
    sub(end_, rest_);
    vmovdqu(mask, ptr[end_]);
    write_body(true);
    L(done);
    vzeroupper();
    for (std::size_t r = callers_.size(); r-- > 0;) pop(callers_[r]);
    ret();
  }

  const Xbyak::Reg64& pointer(std::size_t place) {
    if (place < kPointers) return pointers_[place];
    mov(other_, ptr[list_ + 8 * place]);
    return other_;
  }

  // One vector of elements; of the last ones only those under the mask.
  void write_body(bool masked) {
    std::vector<bool> here(chain_.loads.size(), false);
    const auto need = [&](std::size_t v) {
      if (v >= here.size() || here[v] || (chain_.loads[v] && registers_.numbers_stay)) return;
      load(v, masked);
      here[v] = true;
    };
    std::size_t stored = 0;
    for (std::size_t i = 0; i < chain_.steps.size(); ++i) {
      const ArithmeticChain::Step& step = chain_.steps[i];
      need(step.a);
      if (!is_unary(step.operation)) need(step.b);
      const std::size_t value = chain_.loads.size() + i;
      compute(step, value);
      if (stored == chain_.stored.size() || chain_.stored[stored] != value) continue;
      const auto to = ptr[pointer(chain_.loads.size() + stored++) + offset_];
      if (masked)
        vmaskmovps(to, Xbyak::Ymm(kMaskRegister), at(value));
      else
        vmovups(to, at(value));
    }
  }

  Xbyak::Ymm at(std::size_t value) const { return Xbyak::Ymm(registers_.of[value]); }

  void load(std::size_t v, bool masked) {
    const Xbyak::Reg64& from = pointer(v);
    if (chain_.loads[v])
      kFloat ? vbroadcastss(at(v), ptr[from]) : vbroadcastsd(at(v), ptr[from]);
    else if (masked)
      vmaskmovps(at(v), Xbyak::Ymm(kMaskRegister), ptr[from + offset_]);
    else
      vmovups(at(v), ptr[from + offset_]);
  }

  void compute(const ArithmeticChain::Step& step, std::size_t value) {
    const Xbyak::Ymm to = at(value), a = at(step.a), b = at(step.b);
    switch (step.operation) {
      case Arithmetic::kAdd:
        return kFloat ? vaddps(to, a, b) : vaddpd(to, a, b);
      case Arithmetic::kSubtract:
        return kFloat ? vsubps(to, a, b) : vsubpd(to, a, b);
      case Arithmetic::kMultiply:
        return kFloat ? vmulps(to, a, b) : vmulpd(to, a, b);
      case Arithmetic::kDivide:
        return kFloat ? vdivps(to, a, b) : vdivpd(to, a, b);
      case Arithmetic::kSquare:
        return kFloat ? vmulps(to, a, a) : vmulpd(to, a, a);
      case Arithmetic::kSqrt:
        return kFloat ? vsqrtps(to, a) : vsqrtpd(to, a);
      case Arithmetic::kNegate:
        return vxorps(to, a, Xbyak::Ymm(kSignRegister));
      case Arithmetic::kNone:
        break;
    }
    throw InternalError("arithmetic code: a step without an operation");
  }

  const ArithmeticChain& chain_;
  Registers registers_;
  std::size_t places_;
};

// All code that was made, for plans of any thread.
template <class T>
class CodeStore {
 public:
  ArithmeticCode<T> code(const ArithmeticChain& chain) {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(entries_, chain, &Entry::chain);
    if (found != entries_.end()) return found->code;
    auto registers = Allocation(chain).run();
    if (!registers) throw InternalError("arithmetic code: too many values for the registers");
    try {
      auto assembler = std::make_unique<Assembler<T>>(chain, std::move(*registers));
      entries_.push_back({chain, assembler->code(), std::move(assembler)});
      return entries_.back().code;
    } catch (const Xbyak::Error& error) {
      const int what = error;
      if (what == Xbyak::ERR_CANT_ALLOC || what == Xbyak::ERR_CANT_PROTECT) return nullptr;
      throw InternalError(cat("arithmetic code: ", error.what()));
    }
  }

 private:
  struct Entry {
    ArithmeticChain chain;
    ArithmeticCode<T> code;
    std::unique_ptr<Assembler<T>> assembler;
  };
  std::mutex mutex_;
  std::deque<Entry> entries_;  // few, and they stay where they are
};

}  // namespace

bool fits_registers(const ArithmeticChain& chain) { return Allocation(chain).run().has_value(); }

template <class T>
ArithmeticCode<T> arithmetic_code(const ArithmeticChain& chain) {
  if (simd() == Simd::kBaseline) return nullptr;
  if (chain.loads.size() + chain.stored.size() > kMostPlaces)
    throw InternalError("arithmetic code: too many places");
  static CodeStore<T> store;
  return store.code(chain);
}

template ArithmeticCode<float> arithmetic_code<float>(const ArithmeticChain&);
template ArithmeticCode<double> arithmetic_code<double>(const ArithmeticChain&);

}  // namespace jacquard
