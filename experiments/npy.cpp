#include "experiments/npy.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <concepts>
#include <cstring>
#include <limits>
#include <optional>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"

namespace jacquard::experiments {
namespace {

static_assert(std::endian::native == std::endian::little,
              "arrays are written as they are in memory");

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMaxRank = 64;  // NumPy 2's own limit

struct Header {
  std::string dtype;
  bool fortran_order = false;
  std::vector<std::int64_t> sizes;
  std::size_t start = 0;  // of the elements, in the file
};

// Reads the Python dictionary of a header: {'descr': '<f4', 'fortran_order': False,
// 'shape': (2, 3), }, its keys in any order. Literals only; nothing is evaluated.
class HeaderText {
 public:
  HeaderText(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  Header read() {
    expect('{');
    while (!accept('}')) {
      read_field();
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (place_ < text_.size()) refuse("nothing but spaces may follow the dictionary");
    if (!dtype_ || !fortran_order_ || !sizes_)
      refuse("'descr', 'fortran_order' and 'shape' are all needed");
    return {*dtype_, *fortran_order_, *sizes_};
  }

 private:
  [[noreturn]] void refuse(std::string_view why) const {
    throw SpecError(cat("npy ", file_in_quotes(name_), ": the header '", shortened(text_, 200), "'",
                        " cannot be read at its byte ", place_, "; ", why));
  }

  void read_field() {
    const std::string key = read_string();
    expect(':');
    if (key == "descr" && !dtype_) {
      dtype_ = read_dtype();
    } else if (key == "fortran_order" && !fortran_order_) {
      fortran_order_ = read_bool();
    } else if (key == "shape" && !sizes_) {
      sizes_ = read_sizes();
    } else {
      refuse("each of 'descr', 'fortran_order' and 'shape' is allowed, once");
    }
  }

  std::string read_dtype() {
    if (peek() == '[')
      refuse("structured arrays are not supported; store each field as an array of its own");
    return read_string();
  }

  bool read_bool() {
    skip_space();
    for (const bool value : {false, true}) {
      const std::string_view word = value ? "True" : "False";
      if (!text_.substr(place_).starts_with(word)) continue;
      place_ += word.size();
      return value;
    }
    refuse("True or False is needed");
  }

  std::string read_string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') refuse("a string is needed");
    const std::size_t end = text_.find(quote, ++place_);
    if (end == std::string_view::npos) refuse("the string has no end");
    std::string value(text_.substr(place_, end - place_));
    place_ = end + 1;
    return value;
  }

  std::vector<std::int64_t> read_sizes() {
    std::vector<std::int64_t> sizes;
    expect('(');
    while (!accept(')')) {
      if (sizes.size() == kMaxRank) refuse("at most 64 sizes are allowed");
      sizes.push_back(read_size());
      if (accept(',')) continue;
      // Without a comma (5) is a number to Python, no tuple.
      if (sizes.size() == 1) refuse("a ',' is needed");
      expect(')');
      break;
    }
    return sizes;
  }

  std::int64_t read_size() {
    skip_space();
    std::int64_t size = 0;
    const char* const begin = text_.data() + place_;
    const auto [end, failure] = std::from_chars(begin, text_.data() + text_.size(), size);
    if (failure != std::errc() || size < 0) refuse("a size from 0 to 2^63 - 1 is needed");
    place_ += static_cast<std::size_t>(end - begin);
    return size;
  }

  void skip_space() {
    while (place_ < text_.size() &&
           std::string_view(" \t\r\n").find(text_[place_]) != std::string_view::npos)
      ++place_;
  }
  char peek() {
    skip_space();
    return place_ < text_.size() ? text_[place_] : '\0';
  }
  bool accept(char c) {
    if (peek() != c) return false;
    ++place_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) refuse(cat("a '", c, "' is needed"));
  }

  std::string_view text_;
  std::string_view name_;
  std::size_t place_ = 0;
  std::optional<std::string> dtype_;
  std::optional<bool> fortran_order_;
  std::optional<std::vector<std::int64_t>> sizes_;
};

std::uint64_t little_endian(std::string_view bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    number = number << 8 | static_cast<unsigned char>(bytes[i]);
  return number;
}

Header read_header(std::string_view file, std::string_view name) {
  constexpr std::size_t kVersionEnd = 8;
  if (!file.starts_with(kMagic.substr(0, std::min(kMagic.size(), file.size()))))
    throw SpecError(cat("npy ", file_in_quotes(name), ": the file begins with ",
                        in_quotes(file.substr(0, kMagic.size())),
                        "; a .npy file begins with '\\x93NUMPY'"));
  if (file.size() < kVersionEnd)
    throw SpecError(cat("npy ", file_in_quotes(name), ": the file has ", file.size(),
                        " bytes; its magic number and version alone have ", kVersionEnd));
  const int major = static_cast<unsigned char>(file[6]);
  const int minor = static_cast<unsigned char>(file[7]);
  if (major < 1 || major > 3 || minor != 0)
    throw SpecError(cat("npy ", file_in_quotes(name), ": version ", major, ".", minor,
                        " is not known; 1.0, 2.0 and 3.0 are"));
  const std::size_t text_start = kVersionEnd + (major == 1 ? 2 : 4);
  if (file.size() < text_start)
    throw SpecError(cat("npy ", file_in_quotes(name), ": the file has ", file.size(),
                        " bytes; its header begins at byte ", text_start));
  const std::uint64_t length = little_endian(file.substr(kVersionEnd, text_start - kVersionEnd));
  if (length > file.size() - text_start)
    throw SpecError(cat("npy ", file_in_quotes(name), ": a header of ", length,
                        " bytes is declared, the file holds ", file.size() - text_start,
                        "; it is truncated or damaged"));
  Header header =
      HeaderText(file.substr(text_start, static_cast<std::size_t>(length)), name).read();
  header.start = text_start + static_cast<std::size_t>(length);
  return header;
}

// Whether T has the integer itself: what is left of it without its trailing zeros must fit.
template <class T, class E>
bool is_exact(E value) {
  const auto wide = static_cast<std::uint64_t>(value);
  const std::uint64_t magnitude = value < E(0) ? std::uint64_t{0} - wide : wide;
  return static_cast<int>(std::bit_width(magnitude)) - std::countr_zero(magnitude) <=
         std::numeric_limits<T>::digits;
}

// Appends the elements of `bytes`, each of type E, in the order of the file.
template <class T, class E>
void convert(std::string_view bytes, bool swapped, std::string_view name, std::vector<T>& out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::array<char, sizeof(E)> element;
    std::memcpy(element.data(), bytes.data() + i * sizeof(E), sizeof(E));
    if (swapped) std::ranges::reverse(element);
    const auto value = std::bit_cast<E>(element);
    if constexpr (std::integral<E>)
      if (!is_exact<T>(value))
        throw SpecError(cat("npy ", file_in_quotes(name), ": element ", i, " is the integer ",
                            value, ", which ", std::numeric_limits<T>::digits,
                            " binary digits cannot hold; store floating-point numbers if rounding",
                            " is meant"));
    out[i] = static_cast<T>(value);
  }
}

template <class T>
void convert_bools(std::string_view bytes, bool, std::string_view, std::vector<T>& out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = bytes[i] != 0 ? T(1) : T(0);
}

template <class T>
struct ElementKind {
  std::string_view code;
  std::size_t size;
  void (*convert)(std::string_view bytes, bool swapped, std::string_view name, std::vector<T>& out);
};

template <class T>
constexpr ElementKind<T> kElementKinds[] = {
    {"f4", 4, convert<T, float>},         {"f8", 8, convert<T, double>},
    {"b1", 1, convert_bools<T>},          {"i1", 1, convert<T, std::int8_t>},
    {"i2", 2, convert<T, std::int16_t>},  {"i4", 4, convert<T, std::int32_t>},
    {"i8", 8, convert<T, std::int64_t>},  {"u1", 1, convert<T, std::uint8_t>},
    {"u2", 2, convert<T, std::uint16_t>}, {"u4", 4, convert<T, std::uint32_t>},
    {"u8", 8, convert<T, std::uint64_t>}};

template <class T>
const ElementKind<T>& element_kind(const std::string& dtype, std::string_view name) {
  if (dtype.find('O') != std::string::npos)
    throw SpecError(cat("npy ", file_in_quotes(name), ": the element type ", in_quotes(dtype),
                        " is that of Python objects, which are programs and never read; store ",
                        "an array of numbers"));
  for (const ElementKind<T>& kind : kElementKinds<T>)
    if (dtype.size() == 3 && dtype.substr(1) == kind.code &&
        (dtype[0] == '<' || dtype[0] == '>' || (dtype[0] == '|' && kind.size == 1)))
      return kind;
  throw SpecError(cat("npy ", file_in_quotes(name), ": the element type ", in_quotes(dtype),
                      " is not supported; f4, f8, b1, i1, i2, i4, i8, u1, u2, u4, u8 are"));
}

// Throws SpecError unless the bytes present are exactly those that the header declares.
void check_size(const Header& header, std::size_t element_bytes, std::size_t present,
                std::string_view name) {
  std::uint64_t declared = element_bytes;
  bool overflow = false;
  for (const std::int64_t size : header.sizes)
    overflow |= __builtin_mul_overflow(declared, static_cast<std::uint64_t>(size), &declared);
  if (std::ranges::count(header.sizes, 0) > 0) {
    declared = 0;
    overflow = false;
  }
  if (!overflow && declared == present) return;
  std::string sizes;
  for (const std::int64_t size : header.sizes) sizes += cat(size, " x ");
  throw SpecError(
      cat("npy ", file_in_quotes(name), ": the header declares ", sizes, element_bytes,
          overflow ? std::string(" bytes, more than 2^64") : cat(" = ", declared, " bytes"),
          ", the file holds ", present,
          overflow || declared > present ? "; it is truncated or damaged"
                                         : "; the rest belongs to nothing"));
}

// From Fortran's order (the first index runs fastest) to C's.
template <class T>
std::vector<T> transposed(const std::vector<T>& from, const Shape& shape) {
  const auto rank = static_cast<std::size_t>(shape.rank());
  std::vector<std::size_t> step(rank, 1);
  for (std::size_t k = 1; k < rank; ++k)
    step[k] = step[k - 1] * static_cast<std::size_t>(shape.sizes()[k - 1]);
  std::vector<std::size_t> index(rank, 0);
  std::vector<T> to(from.size());
  std::size_t place = 0;
  for (T& value : to) {
    value = from[place];
    for (std::size_t k = rank; k-- > 0;) {
      place += step[k];
      if (++index[k] < static_cast<std::size_t>(shape.sizes()[k])) break;
      place -= step[k] * index[k];
      index[k] = 0;
    }
  }
  return to;
}

Shape checked_shape(const std::vector<std::int64_t>& sizes, std::string_view name) {
  try {
    return Shape(sizes);
  } catch (const ShapeError& error) {
    throw SpecError(cat("npy ", file_in_quotes(name), ": ", error.what()));
  }
}

}  // namespace

template <class T>
NamedArray<T> parse_npy(std::string_view file, std::string_view name) {
  const Header header = read_header(file, name);
  const ElementKind<T>& kind = element_kind<T>(header.dtype, name);
  const std::string_view bytes = file.substr(header.start);
  check_size(header, kind.size, bytes.size(), name);
  NamedArray<T> array{"", Tensor<T>(checked_shape(header.sizes, name)), header.dtype};
  kind.convert(bytes, header.dtype[0] == '>', name, array.values.data);
  if (header.fortran_order) array.values.data = transposed(array.values.data, array.values.shape);
  return array;
}

template <class T>
NamedArray<T> read_npy(const std::filesystem::path& path) {
  return parse_npy<T>(read_file(path), path.native());
}

template <class T>
std::string npy_bytes(const Tensor<T>& values) {
  // Version 1.0: the elements begin at a multiple of 64 bytes, after spaces and a line break.
  constexpr std::size_t kTextStart = 10;
  constexpr std::size_t kAlignment = 64;
  std::string sizes;
  for (const std::int64_t size : values.shape) sizes += cat(sizes.empty() ? "" : " ", size, ",");
  if (values.shape.rank() > 1) sizes.pop_back();  // only (5,) keeps its comma
  std::string text =
      cat("{'descr': '<f", sizeof(T), "', 'fortran_order': False, 'shape': (", sizes, "), }");
  text.resize(
      (kTextStart + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment - kTextStart - 1,
      ' ');
  text += '\n';
  std::string file = cat(kMagic, '\1', '\0');
  file += static_cast<char>(text.size() & 0xff);
  file += static_cast<char>(text.size() >> 8);
  file += text;
  file.append(reinterpret_cast<const char*>(values.data.data()), values.data.size() * sizeof(T));
  return file;
}

template <class T>
void write_npy(const std::filesystem::path& path, const Tensor<T>& values) {
  write_file_atomically(path, npy_bytes(values));
}

template NamedArray<float> parse_npy<float>(std::string_view, std::string_view);
template NamedArray<double> parse_npy<double>(std::string_view, std::string_view);
template NamedArray<float> read_npy<float>(const std::filesystem::path&);
template NamedArray<double> read_npy<double>(const std::filesystem::path&);
template std::string npy_bytes<float>(const Tensor<float>&);
template std::string npy_bytes<double>(const Tensor<double>&);
template void write_npy<float>(const std::filesystem::path&, const Tensor<float>&);
template void write_npy<double>(const std::filesystem::path&, const Tensor<double>&);

}  // namespace jacquard::experiments
