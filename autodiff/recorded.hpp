// Recorded<T>: a number that writes down what is done with it.
//
// The one scalar function that an elementwise op is, called with such numbers, gives the
// instructions that a vector of numbers goes through. vector_code.hpp makes machine code of them:
// the same operations in the same order as in what compilers make of the function for plain
// numbers, and so the same bits.
#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/lanes.hpp"

namespace jacquard {

// What each lane of a vector undergoes: one instruction of a processor with AVX2 and FMA, but for
// the changes of width.
enum class Lane : std::uint8_t {
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kSquareRoot,
  kFused,    // a b + c, rounded once
  kAtLeast,  // a > b ? a : b, so that a NaN in b stays
  kAtMost,   // a < b ? a : b
  kLess,     // comparisons give all bits or none, and hold for no NaN but for kNotEqual
  kLessOrEqual,
  kEqual,
  kNotEqual,
  kChoose,  // a ? b : c
  kAnd,     // from here on words, as which numbers and what comparisons give may be taken
  kOr,
  kXor,
  kAddWords,
  kSubtractWords,
  kShiftLeft,
  kShiftRight,
  kWiden,   // the same number in double
  kNarrow,  // rounded to float
};

// The instructions of a function, each of which gives one value.
struct Recording {
  struct Instruction {
    Lane operation;
    bool wide;  // the result has 64 bits
    std::uint8_t count;
    std::array<std::int16_t, 3> operands{};  // numbers of values; ~i is constant number i
    std::uint8_t shift = 0;
  };
  struct Constant {
    std::uint64_t bits;
    bool wide;

    bool operator==(const Constant&) const = default;
  };

  int inputs = 0;                              // have the first numbers
  std::vector<Instruction> instructions = {};  // give the following ones
  std::vector<Constant> constants = {};
  std::int16_t result = 0;
  bool complete = true;  // not if something in it is no instruction of vectors

  std::int16_t add(const Instruction& instruction);
  std::int16_t constant(const Constant& wanted);
  // Instructions whose values nobody needs.
  void drop_unused();
};

// What a comparison of recorded numbers gives.
struct RecordedTruth {
  Recording* recording;
  std::int16_t value;
  bool wide;
};

// T: float, double, and the words of as many bits.
template <class T>
class Recorded {
 public:
  static constexpr bool kWide = sizeof(T) == 8;
  static constexpr bool kWord = std::is_integral_v<T>;

  // A double becomes a float only by name: of plain numbers, the operation would be one of doubles.
  template <class Number>
  static constexpr bool kExact = std::same_as<Number, T> || std::integral<Number>;
  template <class Number>
  explicit(!kExact<Number>) Recorded(Number constant) : constant_(static_cast<T>(constant)) {}
  Recorded(Recording& in, std::int16_t value) : recording_(&in), value_(value) {}

  std::int16_t operand(Recording& in) const {
    if (recording_ != nullptr) return value_;
    if constexpr (kWide)
      return in.constant({std::bit_cast<std::uint64_t>(constant_), true});
    else
      return in.constant({std::bit_cast<std::uint32_t>(constant_), false});
  }
  // The same bits as another type.
  template <class To>
  Recorded<To> as() const {
    return recording_ != nullptr ? Recorded<To>(*recording_, value_)
                                 : Recorded<To>(std::bit_cast<To>(constant_));
  }

  // The number in another width.
  template <class To>
  Recorded<To> converted(Lane operation) const {
    Recording& r = recording_of(*this);
    return {r, r.add({operation, Recorded<To>::kWide, 1, {value_}})};
  }

  friend Recorded operator+(const Recorded& a, const Recorded& b) {
    return made(kWord ? Lane::kAddWords : Lane::kAdd, a, b);
  }
  friend Recorded operator-(const Recorded& a, const Recorded& b) {
    return made(kWord ? Lane::kSubtractWords : Lane::kSubtract, a, b);
  }
  friend Recorded operator*(const Recorded& a, const Recorded& b) requires(!kWord) {
    return made(Lane::kMultiply, a, b);
  }
  friend Recorded operator/(const Recorded& a, const Recorded& b) requires(!kWord) {
    return made(Lane::kDivide, a, b);
  }
  friend Recorded operator-(const Recorded& a) requires(!kWord) {
    if (a.recording_ == nullptr) return Recorded(-a.constant_);
    return made(Lane::kXor, a, Recorded(T(-0.0)));
  }
  friend Recorded operator&(const Recorded& a, const Recorded& b) requires kWord {
    return made(Lane::kAnd, a, b);
  }
  friend Recorded operator|(const Recorded& a, const Recorded& b) requires kWord {
    return made(Lane::kOr, a, b);
  }
  friend Recorded operator<<(const Recorded& a, int bits) requires kWord {
    return shifted(Lane::kShiftLeft, a, bits);
  }
  friend Recorded operator>>(const Recorded& a, int bits) requires kWord {
    return shifted(Lane::kShiftRight, a, bits);
  }

  friend RecordedTruth operator<(const Recorded& a, const Recorded& b) {
    return truth(Lane::kLess, a, b);
  }
  friend RecordedTruth operator>(const Recorded& a, const Recorded& b) {
    return truth(Lane::kLess, b, a);
  }
  friend RecordedTruth operator<=(const Recorded& a, const Recorded& b) {
    return truth(Lane::kLessOrEqual, a, b);
  }
  friend RecordedTruth operator==(const Recorded& a, const Recorded& b) {
    return truth(Lane::kEqual, a, b);
  }
  friend RecordedTruth operator!=(const Recorded& a, const Recorded& b) {
    return truth(Lane::kNotEqual, a, b);
  }

  // The functions of lanes.hpp, and of std.
  friend Recorded choose(const RecordedTruth& which, const Recorded& yes, const Recorded& no) {
    Recording& r = *which.recording;
    if (which.wide != kWide) throw InternalError("recorded: a choice by numbers of another width");
    return {r, r.add({Lane::kChoose, kWide, 3, {which.value, yes.operand(r), no.operand(r)}})};
  }
  friend Recorded fused(const Recorded& a, const Recorded& b, const Recorded& c) {
    return made(Lane::kFused, a, b, c);
  }
  friend Recorded at_least(const Recorded& lowest, const Recorded& x) {
    return made(Lane::kAtLeast, lowest, x);
  }
  friend Recorded at_most(const Recorded& highest, const Recorded& x) {
    return made(Lane::kAtMost, highest, x);
  }
  friend Recorded sqrt(const Recorded& x) { return made(Lane::kSquareRoot, x); }
  // Functions of the C library are no instructions: a recording with one of them is not complete.
  friend Recorded sin(const Recorded& x) { return called(x); }
  friend Recorded cos(const Recorded& x) { return called(x); }
  friend Recorded pow(const Recorded& x, const Recorded& y) { return called(x, y); }

 private:
  template <class... Operands>
  static Recording& recording_of(const Recorded& first, const Operands&... others) {
    if (first.recording_ != nullptr) return *first.recording_;
    if constexpr (sizeof...(others) > 0) return recording_of(others...);
    throw InternalError("recorded: an operation on constants alone");
  }
  template <class... Operands>
  static Recorded made(Lane operation, const Operands&... operands) {
    Recording& r = recording_of(operands...);
    return {r, r.add({operation, kWide, sizeof...(operands), {operands.operand(r)...}})};
  }
  static Recorded shifted(Lane operation, const Recorded& a, int bits) {
    Recording& r = recording_of(a);
    return {r, r.add({operation, kWide, 1, {a.operand(r)}, static_cast<std::uint8_t>(bits)})};
  }
  static RecordedTruth truth(Lane operation, const Recorded& a, const Recorded& b) {
    Recording& r = recording_of(a, b);
    return {&r, r.add({operation, kWide, 2, {a.operand(r), b.operand(r)}}), kWide};
  }
  template <class... Operands>
  static Recorded called(const Operands&... operands) {
    Recording& r = recording_of(operands...);
    r.complete = false;
    return {r, std::int16_t{0}};
  }

  Recording* recording_ = nullptr;  // nullptr: a constant
  std::int16_t value_ = 0;
  T constant_ = 0;
};

RecordedTruth operator&&(const RecordedTruth& a, const RecordedTruth& b);
RecordedTruth operator||(const RecordedTruth& a, const RecordedTruth& b);

inline Recorded<std::uint32_t> bits_of(const Recorded<float>& x) { return x.as<std::uint32_t>(); }
inline Recorded<std::uint64_t> bits_of(const Recorded<double>& x) { return x.as<std::uint64_t>(); }
inline Recorded<float> number_of(const Recorded<std::uint32_t>& x) { return x.as<float>(); }
inline Recorded<double> number_of(const Recorded<std::uint64_t>& x) { return x.as<double>(); }
inline Recorded<double> widened(const Recorded<float>& x) {
  return x.converted<double>(Lane::kWiden);
}
inline Recorded<float> narrowed(const Recorded<double>& x) {
  return x.converted<float>(Lane::kNarrow);
}

template <class T>
Recorded<T> abs(const Recorded<T>& x) {
  constexpr auto kAll = ~decltype(bits_of(T()))(0);
  return number_of(bits_of(x) & (kAll >> 1));
}

// What a function of `kArity` numbers does.
template <class Function, int kArity, class T>
Recording recorded() {
  Recording recording;
  recording.inputs = kArity;
  const auto number = [&](int i) { return Recorded<T>(recording, static_cast<std::int16_t>(i)); };
  const Recorded<T> result = [&] {
    if constexpr (kArity == 1)
      return Function{}(number(0));
    else if constexpr (kArity == 2)
      return Function{}(number(0), number(1));
    else
      return Function{}(number(0), number(1), number(2));
  }();
  recording.result = result.operand(recording);
  if (recording.result < 0) throw InternalError("recorded: a function that is constant");
  recording.drop_unused();
  return recording;
}

}  // namespace jacquard
