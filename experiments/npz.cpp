// The archive half of npy.hpp: .npz through libzip.
#include <zip.h>

#include <algorithm>
#include <memory>
#include <set>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"
#include "experiments/npy.hpp"

namespace jacquard::experiments {
namespace {

constexpr std::string_view kSuffix = ".npy";

// Deflate makes at most 1032 bytes of one (a run of 258 costs 2 bits).
constexpr std::uint64_t kMaxRatio = 1032;

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using Archive = std::unique_ptr<zip_t, Discard>;
using Entry = std::unique_ptr<zip_file_t, Discard>;
using Source = std::unique_ptr<zip_source_t, Discard>;

// libzip's account of its last error.
class ZipError {
 public:
  ZipError() { zip_error_init(&error_); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
  ~ZipError() { zip_error_fini(&error_); }
  zip_error_t* get() { return &error_; }
  std::string text() { return zip_error_strerror(&error_); }

 private:
  zip_error_t error_;
};

Source make_source(const void* bytes, std::size_t size) {
  ZipError error;
  Source source(zip_source_buffer_create(bytes, size, 0, error.get()));
  if (!source)
    throw Error(cat("npz: libzip cannot hold an archive of ", size, " bytes: ", error.text()));
  return source;
}

// Takes no bytes of its own: `source` must stay alive.
Archive open_archive(const Source& source, int flags, std::string_view name) {
  ZipError error;
  Archive archive(zip_open_from_source(source.get(), flags, error.get()));
  if (!archive && zip_error_code_zip(error.get()) == ZIP_ER_EXISTS)
    throw SpecError(cat("npz ", file_in_quotes(name), ": two entries have the same name"));
  if (!archive)
    throw SpecError(cat("npz ", file_in_quotes(name), ": this is no whole zip archive: ",
                        error.text(), "; a file of numpy.savez is needed"));
  zip_source_keep(source.get());  // the archive has one claim on it, `source` the other
  return archive;
}

class Reader {
 public:
  Reader(std::string_view file, std::string_view name)
      : name_(name),
        file_bytes_(checked_size(file, name)),
        source_(make_source(file.data(), file.size())),
        archive_(open_archive(source_, ZIP_RDONLY | ZIP_CHECKCONS, name)) {}

  std::uint64_t count() const {
    return static_cast<std::uint64_t>(zip_get_num_entries(archive_.get(), 0));
  }

  template <class T>
  NamedArray<T> read(std::uint64_t index) {
    zip_stat_t entry;
    if (zip_stat_index(archive_.get(), index, 0, &entry) != 0 || !(entry.valid & ZIP_STAT_NAME))
      throw SpecError(
          cat("npz ", file_in_quotes(name_), ": entry ", index, " is damaged: ", reason()));
    const std::string_view entry_name = entry.name;
    if (!entry_name.ends_with(kSuffix) || entry_name.size() == kSuffix.size())
      refuse(entry_name, "is no array; every entry must be named as an array and end in '.npy'");
    check(entry);
    const std::string bytes = unpack(index, entry);
    NamedArray<T> array = parse_npy<T>(bytes, cat(name_, "/", entry_name));
    array.name = entry_name.substr(0, entry_name.size() - kSuffix.size());
    return array;
  }

 private:
  static std::uint64_t checked_size(std::string_view file, std::string_view name) {
    if (file.empty())  // to libzip an archive without entries
      throw SpecError(cat("npz ", file_in_quotes(name),
                          ": the file is empty; a file of numpy.savez is ", "needed"));
    return file.size();
  }
  [[noreturn]] void refuse(std::string_view entry, std::string_view why) const {
    throw SpecError(cat("npz ", file_in_quotes(name_), ": entry ", in_quotes(entry), " ", why));
  }
  std::string reason() const { return zip_error_strerror(zip_get_error(archive_.get())); }

  // What the entry's header states must be possible: so a small archive cannot ask for much memory,
  // neither by a wrong size nor by entries that share the same bytes.
  void check(const zip_stat_t& entry) {
    constexpr zip_uint64_t kNeeded =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((entry.valid & kNeeded) != kNeeded) refuse(entry.name, "states no size");
    if (entry.encryption_method != ZIP_EM_NONE) refuse(entry.name, "is encrypted");
    if (entry.comp_method != ZIP_CM_STORE && entry.comp_method != ZIP_CM_DEFLATE)
      refuse(entry.name, cat("is packed by method ", entry.comp_method,
                             "; stored (0) and deflated (8) entries are supported"));
    packed_bytes_ += std::min(entry.comp_size, file_bytes_ + 1);
    if (packed_bytes_ > file_bytes_)
      refuse(entry.name, cat("makes the entries longer than the file of ", file_bytes_, " bytes"));
    const bool stored = entry.comp_method == ZIP_CM_STORE;
    if (entry.size > entry.comp_size * (stored ? 1 : kMaxRatio))
      refuse(entry.name, cat("claims to unpack from ", entry.comp_size, " to ", entry.size,
                             " bytes, which is impossible"));
    if (entry.size > kMaxFileBytes)
      refuse(entry.name,
             cat("unpacks to ", entry.size, " bytes; at most ", kMaxFileBytes, " are allowed"));
  }

  // libzip checks the entry's CRC-32 when its end is read.
  std::string unpack(std::uint64_t index, const zip_stat_t& stat) {
    constexpr std::uint64_t kStep = std::uint64_t{1} << 20;
    const Entry entry(zip_fopen_index(archive_.get(), index, 0));
    if (!entry) refuse(stat.name, cat("cannot be read: ", reason()));
    std::string bytes;
    while (bytes.size() <= stat.size) {  // one byte more than stated, to see that it ends there
      const std::size_t before = bytes.size();
      bytes.resize(static_cast<std::size_t>(
          before + std::min<std::uint64_t>(kStep, stat.size + 1 - before)));
      const zip_int64_t got = zip_fread(entry.get(), bytes.data() + before, bytes.size() - before);
      if (got < 0)
        refuse(stat.name, cat("is damaged: ", zip_error_strerror(zip_file_get_error(entry.get()))));
      bytes.resize(before + static_cast<std::size_t>(got));
      if (got == 0) break;
    }
    if (bytes.size() != stat.size)
      refuse(stat.name,
             cat("is damaged: ", stat.size, " bytes are declared, ",
                 bytes.size() < stat.size ? "only " : "at least ", bytes.size(), " are there"));
    return bytes;
  }

  std::string_view name_;
  std::uint64_t file_bytes_;
  Source source_;
  Archive archive_;
  std::uint64_t packed_bytes_ = 0;
};

[[noreturn]] void fail_writing(const Archive& archive) {
  throw Error(cat("npz: libzip cannot write the archive: ",
                  zip_error_strerror(zip_get_error(archive.get()))));
}

void add_entry(const Archive& archive, const std::string& name, const std::string& bytes,
               Packing packing) {
  zip_source_t* const source = zip_source_buffer(archive.get(), bytes.data(), bytes.size(), 0);
  if (!source) fail_writing(archive);
  const zip_int64_t added =
      zip_file_add(archive.get(), (name + std::string(kSuffix)).c_str(), source, ZIP_FL_ENC_UTF_8);
  if (added < 0) {
    zip_source_free(source);
    fail_writing(archive);
  }
  const auto index = static_cast<zip_uint64_t>(added);
  // 1 January 1980, 0:00, the first time that a zip archive can state, and what NumPy writes.
  constexpr zip_uint16_t kFirstDay = 1 << 5 | 1;
  const zip_int32_t method = packing == Packing::kStored ? ZIP_CM_STORE : ZIP_CM_DEFLATE;
  if (zip_set_file_compression(archive.get(), index, method, 0) != 0 ||
      zip_file_set_dostime(archive.get(), index, 0, kFirstDay, 0) != 0)
    fail_writing(archive);
}

std::string written_bytes(const Source& source) {
  zip_stat_t stat;
  std::string bytes;
  bool whole = zip_source_stat(source.get(), &stat) == 0 && zip_source_open(source.get()) == 0;
  if (whole) {
    bytes.resize(static_cast<std::size_t>(stat.size));
    whole = zip_source_read(source.get(), bytes.data(), stat.size) ==
            static_cast<zip_int64_t>(stat.size);
    zip_source_close(source.get());
  }
  if (!whole)
    throw Error(cat("npz: libzip cannot give back the archive: ",
                    zip_error_strerror(zip_source_error(source.get()))));
  return bytes;
}

}  // namespace

template <class T>
NamedArrays<T> parse_npz(std::string_view file, std::string_view name) {
  Reader reader(file, name);
  NamedArrays<T> arrays;
  for (std::uint64_t i = 0; i < reader.count(); ++i) arrays.push_back(reader.read<T>(i));
  return arrays;
}

template <class T>
NamedArrays<T> read_npz(const std::filesystem::path& path) {
  return parse_npz<T>(read_file(path), path.native());
}

template <class T>
std::string npz_bytes(const NamedArrays<T>& arrays, Packing packing) {
  // libzip leaves no file where there is no entry; NumPy's is the end record alone.
  if (arrays.empty()) return "PK\5\6" + std::string(18, '\0');
  std::vector<std::string> files;  // libzip reads them at zip_close
  for (const NamedArray<T>& array : arrays) files.push_back(npy_bytes(array.values));
  const Source source = make_source(nullptr, 0);
  Archive archive = open_archive(source, ZIP_TRUNCATE, "");
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (arrays[i].name.empty()) throw Error(cat("npz: array ", i, " has no name; give it one"));
    if (!names.insert(arrays[i].name).second)
      throw Error(cat("npz: two arrays are named ", in_quotes(arrays[i].name)));
    add_entry(archive, arrays[i].name, files[i], packing);
  }
  if (zip_close(archive.get()) != 0) fail_writing(archive);
  (void)archive.release();  // zip_close has freed it
  return written_bytes(source);
}

template <class T>
void write_npz(const std::filesystem::path& path, const NamedArrays<T>& arrays, Packing packing) {
  write_file_atomically(path, npz_bytes(arrays, packing));
}

template NamedArrays<float> parse_npz<float>(std::string_view, std::string_view);
template NamedArrays<double> parse_npz<double>(std::string_view, std::string_view);
template NamedArrays<float> read_npz<float>(const std::filesystem::path&);
template NamedArrays<double> read_npz<double>(const std::filesystem::path&);
template std::string npz_bytes<float>(const NamedArrays<float>&, Packing);
template std::string npz_bytes<double>(const NamedArrays<double>&, Packing);
template void write_npz<float>(const std::filesystem::path&, const NamedArrays<float>&, Packing);
template void write_npz<double>(const std::filesystem::path&, const NamedArrays<double>&, Packing);

}  // namespace jacquard::experiments
