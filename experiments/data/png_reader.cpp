// libpng reports errors by longjmp: the functions that set a place to jump to are kept apart and
// hold nothing with a destructor.
#include "experiments/data/png_reader.hpp"

#include <png.h>

#include <algorithm>
#include <csetjmp>
#include <cstring>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"

namespace jacquard::experiments {
namespace {

constexpr png_uint_32 kMaxSide = 1000000;  // libpng's own limit
constexpr std::uint64_t kMaxRatio = 1032;  // deflate makes at most as many bytes of one

// Where libpng reads from and what it said.
struct Input {
  std::string_view file;
  std::size_t place = 0;
  char error[256] = {};
};

void take_bytes(png_structp png, png_bytep to, std::size_t size) {
  auto* input = static_cast<Input*>(png_get_io_ptr(png));
  if (size > input->file.size() - input->place) png_error(png, "the file is truncated");
  std::memcpy(to, input->file.data() + input->place, size);
  input->place += size;
}

[[noreturn]] void fail(png_structp png, png_const_charp message) {
  auto* input = static_cast<Input*>(png_get_error_ptr(png));
  std::strncpy(input->error, message, sizeof input->error - 1);
  png_longjmp(png, 1);
}

void ignore_warning(png_structp, png_const_charp) {}

bool start(png_structp png, png_infop info, Input& input) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_user_limits(png, kMaxSide, kMaxSide);
  png_set_benign_errors(png, 0);  // nothing is benign in data
  png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);  // texts, profiles
  png_set_read_fn(png, &input, take_bytes);
  png_read_info(png, info);
  return true;
}

bool read_row(png_structp png, png_bytep row) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_read_row(png, row, nullptr);
  return true;
}

bool read_end(png_structp png) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_read_end(png, nullptr);
  return true;
}

class Reader {
 public:
  Reader(std::string_view file, std::string_view name) : input_{file, 0, {}}, name_(name) {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &input_, fail, ignore_warning);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) {
      png_destroy_read_struct(&png_, nullptr, nullptr);
      throw Error(cat("png ", file_in_quotes(name_), ": libpng does not start"));
    }
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }

  ByteArray read() {
    if (!start(png_, info_, input_)) refuse(input_.error);
    const std::uint64_t height = png_get_image_height(png_, info_);
    const std::uint64_t width = png_get_image_width(png_, info_);
    const std::uint64_t channels = checked_channels();
    const std::uint64_t row_bytes = width * channels;
    if (height * (row_bytes + 1) > input_.file.size() * kMaxRatio)
      refuse(cat("the header declares ", height, " x ", width, " pixels, to which a file of ",
                 input_.file.size(), " bytes cannot unpack; it is truncated or damaged"));
    ByteArray picture{{static_cast<std::int64_t>(height), static_cast<std::int64_t>(width)}, {}};
    if (channels == 3) picture.sizes.push_back(3);
    for (std::uint64_t y = 0; y < height; ++y) {
      picture.bytes.resize(static_cast<std::size_t>((y + 1) * row_bytes));
      auto* const row =
          reinterpret_cast<png_bytep>(&picture.bytes[static_cast<std::size_t>(y * row_bytes)]);
      if (!read_row(png_, row)) refuse(cat(input_.error, " in row ", y, " of ", height));
    }
    if (!read_end(png_)) refuse(input_.error);
    if (const std::size_t rest = input_.file.size() - input_.place; rest > 0)
      refuse(cat(rest, " bytes follow the end of the picture; the file must end there"));
    return picture;
  }

 private:
  std::uint64_t checked_channels() const {
    const int bits = png_get_bit_depth(png_, info_);
    const int colour = png_get_color_type(png_, info_);
    const bool known = colour == PNG_COLOR_TYPE_GRAY || colour == PNG_COLOR_TYPE_RGB;
    if (bits != 8 || !known || png_get_interlace_type(png_, info_) != PNG_INTERLACE_NONE)
      refuse(cat("its colours are of type ", colour, " with ", bits,
                 " bits; pictures of 8 bits, grey (0) or red, green, blue (2), not interlaced, ",
                 "are read"));
    return colour == PNG_COLOR_TYPE_RGB ? 3 : 1;
  }

  [[noreturn]] void refuse(std::string_view why) const {
    throw SpecError(cat("png ", file_in_quotes(name_), ": ", printable(why)));
  }

  Input input_;
  std::string_view name_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

ByteArray parse_png(std::string_view file, std::string_view name) {
  return Reader(file, name).read();
}

}  // namespace jacquard::experiments
