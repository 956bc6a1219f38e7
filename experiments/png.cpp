// to_png() alone: libpng reports errors by longjmp, so that its code is kept apart from everything
// that has destructors.
#include <png.h>

#include <csetjmp>

#include "autodiff/error.hpp"
#include "experiments/picture.hpp"

namespace jacquard::experiments {
namespace {

constexpr int kCompressionLevel = 6;
constexpr int kMaxSide = 1000000;  // libpng's own limit

struct Sink {
  std::string bytes;
  char error[256] = {};
};

void append(png_structp png, png_bytep data, std::size_t size) {
  auto* sink = static_cast<Sink*>(png_get_io_ptr(png));
  bool stored = true;
  try {
    sink->bytes.append(reinterpret_cast<const char*>(data), size);
  } catch (const std::exception&) {
    stored = false;  // an exception must not pass through C code, nor longjmp leave a handler
  }
  if (!stored) png_error(png, "out of memory");
}

void flush(png_structp) {}

[[noreturn]] void fail(png_structp png, png_const_charp message) {
  auto* sink = static_cast<Sink*>(png_get_error_ptr(png));
  std::size_t i = 0;
  for (; message[i] != 0 && i + 1 < sizeof sink->error; ++i) sink->error[i] = message[i];
  sink->error[i] = 0;
  png_longjmp(png, 1);
}

void ignore_warning(png_structp, png_const_charp) {}

// False when libpng failed; the reason is then in sink.error. Holds nothing with a destructor.
bool encode(const Picture& picture, Sink& sink) {
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &sink, fail, ignore_warning);
  png_infop info = png == nullptr ? nullptr : png_create_info_struct(png);
  if (info == nullptr || setjmp(png_jmpbuf(png)) != 0) {
    png_destroy_write_struct(&png, nullptr);
    return false;
  }
  png_set_write_fn(png, &sink, append, flush);
  png_set_compression_level(png, kCompressionLevel);
  png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
  png_set_IHDR(png, info, static_cast<png_uint_32>(picture.width),
               static_cast<png_uint_32>(picture.height), 8,
               picture.channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  const auto row_bytes = static_cast<std::size_t>(picture.width * picture.channels);
  for (int y = 0; y < picture.height; ++y)
    png_write_row(png, &picture.pixels[static_cast<std::size_t>(y) * row_bytes]);
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return true;
}

}  // namespace

std::string to_png(const Picture& picture) {
  const bool sizes_fit = picture.height > 0 && picture.width > 0 && picture.height <= kMaxSide &&
                         picture.width <= kMaxSide &&
                         (picture.channels == 1 || picture.channels == 3) &&
                         picture.pixels.size() == static_cast<std::size_t>(picture.height) *
                                                      static_cast<std::size_t>(picture.width) *
                                                      static_cast<std::size_t>(picture.channels);
  if (!sizes_fit)
    throw InternalError(cat("png: a picture of ", picture.height, " x ", picture.width, " with ",
                            picture.channels, " channels and ", picture.pixels.size(),
                            " bytes; sides of 1 to ", kMaxSide,
                            ", 1 or 3 channels and as many bytes are needed"));
  Sink sink;
  if (!encode(picture, sink))
    throw Error(cat("png: ", sink.error[0] != 0 ? sink.error : "out of memory"));
  return std::move(sink.bytes);
}

}  // namespace jacquard::experiments
