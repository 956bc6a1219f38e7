#include "autodiff/vector_code.hpp"

#include <xbyak/xbyak.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/simd.hpp"

namespace jacquard {
namespace {

// 32 bytes of ones, then 32 of zeros: from 32 - n bytes on it is the mask of the first n bytes.
constexpr std::array<std::uint8_t, 64> kMaskBytes = [] {
  std::array<std::uint8_t, 64> bytes{};
  for (std::size_t i = 0; i < 32; ++i) bytes[i] = 0xff;
  return bytes;
}();

// Number n has the n lowest bits set.
constexpr std::array<std::uint16_t, 16> kMaskBits = [] {
  std::array<std::uint16_t, 16> masks{};
  for (std::size_t n = 0; n < 16; ++n) masks[n] = static_cast<std::uint16_t>((1u << n) - 1);
  return masks;
}();

// The same instructions for vectors of 32 bytes, and of 64 where there is AVX-512. Only masks
// differ: AVX-512 has registers for them, from which and to which comparisons and choices go.
template <class T>
class Assembler : public Xbyak::CodeGenerator {
 public:
  Assembler(const VectorChain& chain, VectorSchedule schedule, Simd kind)
      : Xbyak::CodeGenerator(Xbyak::DEFAULT_MAX_CODE_SIZE, Xbyak::AutoGrow),
        chain_(chain),
        schedule_(std::move(schedule)),
        long_(kind == Simd::kAvx512),
        places_(chain.loads.size() + chain.stored.size()) {
    // Sanitizers look for a signature in front of a function.
    for (std::size_t i = 0; i < kFront / 8; ++i) dq(0);
    write();
    write_constants();
    readyRE();
  }

  bool is_of(const VectorChain& chain, Simd kind) const {
    return long_ == (kind == Simd::kAvx512) && chain_ == chain;
  }
  VectorCode<T> code() const {
    return reinterpret_cast<VectorCode<T>>(const_cast<std::uint8_t*>(getCode()) + kFront);
  }

 private:
  using Event = VectorSchedule::Event;
  using Place = VectorSchedule::Place;
  using Vector = Xbyak::Ymm;  // or, behind this type, Zmm

  static constexpr std::size_t kFront = 16;
  static constexpr bool kFloat = sizeof(T) == 4;
  static constexpr int kScratch = kVectorRegisters;

  // System V: the list of places comes in rdi, the count in rsi. The first places have registers,
  // the others are looked up when they are needed.
  static constexpr std::size_t kPointers = 10, kOwn = 5;
  const std::array<Xbyak::Reg64, kPointers + 1> pointers_{rax, rcx, r8,  r9,  r10, rbx,
                                                          rbp, r12, r13, r14, r15};
  const Xbyak::Reg64 &list_ = rdi, &offset_ = rdx, &end_ = rsi, &rest_ = r11, &other_ = r15;
  const Xbyak::Opmask &truth_ = k1, &last_ = k2;

  std::uint32_t vector_bytes() const { return long_ ? 64 : 32; }
  Vector vector(int number) const { return long_ ? Vector(Xbyak::Zmm(number)) : Vector(number); }
  Xbyak::Xmm half_vector(int number) const {
    return long_ ? Xbyak::Xmm(Xbyak::Ymm(number)) : Xbyak::Xmm(number);
  }

  void write() {
    const std::size_t used = std::min(places_, pointers_.size());
    for (std::size_t p = kOwn; p < used; ++p) push(pointers_[p]);  // the caller wants them back
    for (std::size_t p = 0; p < std::min(places_, kPointers); ++p)
      mov(pointers_[p], ptr[list_ + 8 * p]);
    for (const Event& event : schedule_.before) write_event(event, false);
    shl(end_, kFloat ? 2 : 3);
    mov(rest_, end_);
    and_(end_, ~(vector_bytes() - 1));
    sub(rest_, end_);
    xor_(offset_, offset_);
    Xbyak::Label loop, tail, done;
    test(end_, end_);
    jz(tail, T_NEAR);
    align(16);
    L(loop);
    for (const Event& event : schedule_.each) write_event(event, false);
    add(offset_, vector_bytes());
    cmp(offset_, end_);
    jb(loop, T_NEAR);
    L(tail);
    test(rest_, rest_);
    jz(done, T_NEAR);
    make_mask();
    for (const Event& event : schedule_.each) write_event(event, true);
    L(done);
    vzeroupper();
    for (std::size_t p = used; p-- > kOwn;) pop(pointers_[p]);
    ret();
  }

  // As vectors, for every operand of an instruction but the first may be in memory.
  void write_constants() {
    align(vector_bytes());
    L(constants_);
    for (const Recording::Constant& constant : schedule_.constants)
      for (std::uint32_t i = 0; i < vector_bytes() / 8; ++i)
        dq(constant.wide ? constant.bits : constant.bits << 32 | constant.bits);
  }

  const Xbyak::Reg64& pointer(std::size_t place) {
    if (place < kPointers) return pointers_[place];
    mov(other_, ptr[list_ + 8 * place]);
    return other_;
  }

  // ---- memory; `masked`: the last elements, fewer than a vector has
  // The mask of the last elements is in last_, or else at the address end_.
  void make_mask() {
    if (long_) {
      shr(rest_, kFloat ? 1 : 2);  // two bytes of kMaskBits for each element
      mov(end_, reinterpret_cast<std::uint64_t>(kMaskBits.data()));
      kmovw(last_, ptr[end_ + rest_]);
    } else {
      mov(end_, reinterpret_cast<std::uint64_t>(kMaskBytes.data() + kMaskBytes.size() / 2));
      sub(end_, rest_);
    }
  }

  void write_event(const Event& event, bool masked) {
    switch (event.kind) {
      case Event::Kind::kLoad:
        return load(event, masked);
      case Event::Kind::kConstant:
        return vmovaps(vector(event.result.low),
                       constant({.constant = static_cast<int>(event.number)}));
      case Event::Kind::kStore:
        return store(event, masked);
      case Event::Kind::kCompute:
        return compute(event);
    }
  }

  void load(const Event& event, bool masked) {
    const Vector to = vector(event.result.low);
    const Xbyak::Reg64& pointer = this->pointer(event.number);
    const Xbyak::Address from = ptr[pointer + offset_];
    if (chain_.loads[event.number])
      return kFloat ? vbroadcastss(to, ptr[pointer]) : vbroadcastsd(to, ptr[pointer]);
    if (!masked) return vmovups(to, from);
    if (long_) return kFloat ? vmovups(to | last_ | T_z, from) : vmovupd(to | last_ | T_z, from);
    const Vector mask = vector(kScratch);
    vmovups(mask, ptr[end_]);
    vmaskmovps(to, mask, from);
  }

  void store(const Event& event, bool masked) {
    const Vector from = vector(event.operands[0].low);
    const Xbyak::Address to = ptr[pointer(chain_.loads.size() + event.number) + offset_];
    if (!masked) return vmovups(to, from);
    if (long_) return kFloat ? vmovups(to | last_, from) : vmovupd(to | last_, from);
    const Vector mask = vector(kScratch);
    vmovups(mask, ptr[end_]);
    vmaskmovps(to, mask, from);
  }

  // ---- instructions
  void compute(const Event& event) {
    if (event.operation == Lane::kWiden) return widen(event.result, event.operands[0].low);
    if (event.operation == Lane::kNarrow) return narrow(event.result.low, event.operands[0]);
    compute_half(event, &Place::low);
    if (event.result.high >= 0) compute_half(event, &Place::high);
  }

  // The upper half first: the lower one may lie where the float does.
  void widen(const Place& to, int from) {
    if (long_)
      vextractf64x4(Xbyak::Ymm(to.high), Xbyak::Zmm(from), 1);
    else
      vextractf128(Xbyak::Xmm(to.high), Xbyak::Ymm(from), 1);
    vcvtps2pd(vector(to.high), half_vector(to.high));
    vcvtps2pd(vector(to.low), half_vector(from));
  }

  void narrow(int to, const Place& from) {
    vcvtpd2ps(half_vector(kScratch), vector(from.high));
    vcvtpd2ps(half_vector(to), vector(from.low));
    if (long_)
      vinsertf64x4(Xbyak::Zmm(to), Xbyak::Zmm(to), Xbyak::Ymm(kScratch), 1);
    else
      vinsertf128(Xbyak::Ymm(to), Xbyak::Ymm(to), Xbyak::Xmm(kScratch), 1);
  }

  Xbyak::Address constant(const Place& place) {
    return ptr[rip + constants_ + static_cast<int>(vector_bytes()) * place.constant];
  }

  // An operand that has to be in a register.
  Vector in_register(const Place& place, int Place::*half) {
    if (place.constant < 0) return vector(place.*half);
    vmovaps(vector(kScratch), constant(place));
    return vector(kScratch);
  }

  // Calls each(operand) with a register or an address.
  template <class Each>
  void with(const Place& place, int Place::*half, const Each& each) {
    if (place.constant < 0)
      each(vector(place.*half));
    else
      each(constant(place));
  }

  void compute_half(const Event& event, int Place::*half) {
    const Vector to = vector(event.result.*half);
    const bool wide = event.wide;
    const auto& [a, b, c] = event.operands;
    if (event.operation == Lane::kFused) return fuse(to, wide, event.operands, half);
    const Vector first = in_register(event.operation == Lane::kChoose ? c : a, half);
    switch (event.operation) {
      case Lane::kSquareRoot:
        return wide ? vsqrtpd(to, first) : vsqrtps(to, first);
      case Lane::kShiftLeft:
        return wide ? vpsllq(to, first, event.shift) : vpslld(to, first, event.shift);
      case Lane::kShiftRight:
        return wide ? vpsrlq(to, first, event.shift) : vpsrld(to, first, event.shift);
      case Lane::kChoose:
        return with(b, half, [&, which = vector(a.*half)](const auto& yes) {
          choose(wide, to, which, yes, first);
        });
      default:
        return with(b, half,
                    [&](const auto& second) { operate(event.operation, wide, to, first, second); });
    }
  }

  void choose(bool wide, const Vector& to, const Vector& which, const Xbyak::Operand& yes,
              const Vector& no) {
    if (!long_) return wide ? vblendvpd(to, no, yes, which) : vblendvps(to, no, yes, which);
    wide ? vpmovq2m(truth_, which) : vpmovd2m(truth_, which);
    wide ? vblendmpd(to | truth_, no, yes) : vblendmps(to | truth_, no, yes);
  }

  void compare(std::uint8_t how, bool wide, const Vector& to, const Vector& a,
               const Xbyak::Operand& b) {
    if (!long_) return wide ? vcmppd(to, a, b, how) : vcmpps(to, a, b, how);
    wide ? vcmppd(truth_, a, b, how) : vcmpps(truth_, a, b, how);
    wide ? vpmovm2q(to, truth_) : vpmovm2d(to, truth_);
  }

  void operate(Lane operation, bool wide, const Vector& to, const Vector& a,
               const Xbyak::Operand& b) {
    // Of the comparisons, none signals; only "not equal" holds for NaN.
    constexpr std::uint8_t kLess = 0x11, kLessOrEqual = 0x12, kEqual = 0x00, kNotEqual = 0x04;
    switch (operation) {
      case Lane::kAdd:
        return wide ? vaddpd(to, a, b) : vaddps(to, a, b);
      case Lane::kSubtract:
        return wide ? vsubpd(to, a, b) : vsubps(to, a, b);
      case Lane::kMultiply:
        return wide ? vmulpd(to, a, b) : vmulps(to, a, b);
      case Lane::kDivide:
        return wide ? vdivpd(to, a, b) : vdivps(to, a, b);
      case Lane::kAtLeast:
        return wide ? vmaxpd(to, a, b) : vmaxps(to, a, b);
      case Lane::kAtMost:
        return wide ? vminpd(to, a, b) : vminps(to, a, b);
      case Lane::kLess:
        return compare(kLess, wide, to, a, b);
      case Lane::kLessOrEqual:
        return compare(kLessOrEqual, wide, to, a, b);
      case Lane::kEqual:
        return compare(kEqual, wide, to, a, b);
      case Lane::kNotEqual:
        return compare(kNotEqual, wide, to, a, b);
      case Lane::kAnd:
        return vandps(to, a, b);
      case Lane::kOr:
        return vorps(to, a, b);
      case Lane::kXor:
        return vxorps(to, a, b);
      case Lane::kAddWords:
        return wide ? vpaddq(to, a, b) : vpaddd(to, a, b);
      case Lane::kSubtractWords:
        return wide ? vpsubq(to, a, b) : vpsubd(to, a, b);
      default:
        throw InternalError("vector code: an unknown instruction");
    }
  }

  // to = a b + c. Such an instruction writes over one of its operands, and one of the others may be
  // in memory.
  void fuse(const Vector& to, bool wide, const std::array<Place, 3>& operands, int Place::*half) {
    Place a = operands[0], b = operands[1], c = operands[2];
    if (a.constant >= 0) std::swap(a, b);
    if (a.constant >= 0) throw InternalError("vector code: a product of constants");
    const auto is_there = [&](const Place& p) { return p.constant < 0 && p.*half == to.getIdx(); };
    const auto move = [&](const Place& p) {
      with(p, half, [&](const auto& from) { vmovaps(to, from); });
    };
    if (!is_there(a) && !is_there(b) && !is_there(c)) {
      Place& moved = c.constant >= 0 ? c : b.constant >= 0 ? b : a;
      move(moved);
      moved.constant = -1;
      moved.*half = to.getIdx();
    }
    const Vector first = vector(a.*half);
    if (is_there(c))
      return with(b, half, [&](const auto& second) {
        wide ? vfmadd231pd(to, first, second) : vfmadd231ps(to, first, second);
      });
    if (!is_there(a)) std::swap(a, b);  // which is there then
    if (b.constant >= 0) {
      const Vector added = in_register(c, half);
      const auto second = constant(b);
      return wide ? vfmadd132pd(to, added, second) : vfmadd132ps(to, added, second);
    }
    const Vector second = vector(b.*half);
    with(c, half, [&](const auto& added) {
      wide ? vfmadd213pd(to, second, added) : vfmadd213ps(to, second, added);
    });
  }

  const VectorChain chain_;
  const VectorSchedule schedule_;
  const bool long_;
  const std::size_t places_;
  Xbyak::Label constants_;
};

// All code that was made, for plans of any thread.
template <class T>
class CodeStore {
 public:
  VectorCode<T> code(const VectorChain& chain, Simd kind) {
    const std::lock_guard lock(mutex_);
    const auto found =
        std::ranges::find_if(made_, [&](const auto& code) { return code->is_of(chain, kind); });
    if (found != made_.end()) return (*found)->code();
    auto schedule = vector_schedule(chain, sizeof(T) == 8, kind == Simd::kAvx512 ? 32 : 16);
    if (!schedule) throw InternalError("vector code: too many values for the registers");
    try {
      made_.push_back(std::make_unique<Assembler<T>>(chain, std::move(*schedule), kind));
      return made_.back()->code();
    } catch (const Xbyak::Error& error) {
      const int what = error;
      if (what == Xbyak::ERR_CANT_ALLOC || what == Xbyak::ERR_CANT_PROTECT) return nullptr;
      throw InternalError(cat("vector code: ", error.what()));
    }
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Assembler<T>>> made_;  // few
};

}  // namespace

template <class T>
bool fits_registers(const VectorChain& chain) {
  return vector_schedule(chain, sizeof(T) == 8).has_value();
}

template <class T>
VectorCode<T> vector_code(const VectorChain& chain) {
  const Simd kind = simd();
  if (kind == Simd::kBaseline) return nullptr;
  if (chain.loads.size() + chain.stored.size() > kMostPlaces)
    throw InternalError("vector code: too many places");
  static CodeStore<T> store;
  return store.code(chain, kind);
}

bool has_vector_code() {
  static const Recording copy{.inputs = 1};
  return vector_code<float>({{false}, {{&copy, {0}}}, {1}}) != nullptr;
}

template bool fits_registers<float>(const VectorChain&);
template bool fits_registers<double>(const VectorChain&);
template VectorCode<float> vector_code<float>(const VectorChain&);
template VectorCode<double> vector_code<double>(const VectorChain&);

}  // namespace jacquard
