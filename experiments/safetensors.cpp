#include "experiments/safetensors.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "experiments/file.hpp"

namespace jacquard::experiments {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are written as in memory");

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr std::size_t kAlignment = 8;
constexpr std::string_view kMetadata = "__metadata__";

// What is wrong with a file; the public functions add its name.
struct Malformed {
  std::string what;
};

struct Entry {
  std::string name;
  std::optional<std::string> dtype;
  std::optional<std::vector<std::uint64_t>> shape;
  std::optional<std::vector<std::uint64_t>> offsets;
};

// Takes the header apart as nlohmann's parser reads it. Events instead of a document, since a
// document keeps only the last of two equal names, and nesting is known here to end at depth 3.
class HeaderEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;

  bool null() override { return refuse_value("null"); }
  bool boolean(bool value) override { return refuse_value(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return refuse_value(cat(value)); }
  bool number_float(number_float_t, const string_t& text) override { return refuse_value(text); }
  bool binary(binary_t&) override { return refuse_value("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (!list_) return refuse_value(cat(value));
    list_->push_back(value);
    return true;
  }

  bool string(string_t& value) override {
    if (in_metadata_) {
      metadata[key_] = value;
    } else if (depth_ == 2 && key_ == "dtype") {
      entries.back().dtype = value;
    } else {
      return refuse_value(in_quotes(value));
    }
    return true;
  }

  bool key(string_t& name) override {
    key_ = name;
    if (depth_ == 1 && !names_.insert(name).second)
      throw Malformed{cat("the name ", in_quotes(name), " stands there twice")};
    if (depth_ == 1) fields_.clear();
    if (depth_ == 2 && !fields_.insert(name).second)
      throw Malformed{cat("the field ", in_quotes(name), " of ", where(), " stands there twice")};
    if (depth_ == 2 && !in_metadata_ && name != "dtype" && name != "shape" &&
        name != "data_offsets")
      throw Malformed{cat("the field ", in_quotes(name), " of ", where(),
                          " is not known; dtype, shape and data_offsets are")};
    return true;
  }

  bool start_object(std::size_t) override {
    if (depth_ == 2 || list_) return refuse_value("an object");
    if (++depth_ == 1) return true;
    in_metadata_ = key_ == kMetadata;
    if (!in_metadata_) entries.push_back({key_, {}, {}, {}});
    return true;
  }
  bool end_object() override {
    --depth_;
    in_metadata_ = false;
    return true;
  }

  bool start_array(std::size_t) override {
    if (depth_ != 2 || in_metadata_ || list_ || key_ == "dtype") return refuse_value("a list");
    auto& target = key_ == "shape" ? entries.back().shape : entries.back().offsets;
    list_ = &target.emplace();
    return true;
  }
  bool end_array() override {
    list_ = nullptr;
    return true;
  }

  bool parse_error(std::size_t place, const std::string&,
                   const nlohmann::json::exception&) override {
    throw Malformed{cat("the header is no JSON at its byte ", place)};
  }

 private:
  std::string where() const {
    return in_metadata_ ? std::string("the metadata") : in_quotes(entries.back().name);
  }
  bool refuse_value(const std::string& value) const {
    if (depth_ == 0) throw Malformed{cat("the header is ", value, "; an object is needed")};
    if (depth_ == 1) throw Malformed{cat(in_quotes(key_), " is ", value, "; an object is needed")};
    throw Malformed{cat("the field ", in_quotes(key_), " of ", where(), " holds ", value,
                        in_metadata_ || key_ == "dtype" ? "; a string is needed"
                                                        : "; a list of numbers >= 0 is needed")};
  }

  int depth_ = 0;
  bool in_metadata_ = false;
  std::string key_;
  std::set<std::string> names_;
  std::set<std::string> fields_;
  std::vector<std::uint64_t>* list_ = nullptr;
};

// An entry whose fields are all there and agree with each other.
struct Place {
  std::string name;
  bool is_double;
  Shape shape;
  std::uint64_t begin;
  std::uint64_t end;
};

Shape checked_shape(const Entry& entry) {
  std::vector<std::int64_t> sizes;
  for (const std::uint64_t size : *entry.shape) {
    if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      throw Malformed{cat("tensor ", in_quotes(entry.name), " has a size of ", size)};
    sizes.push_back(static_cast<std::int64_t>(size));
  }
  try {
    return Shape(std::move(sizes));
  } catch (const ShapeError& error) {
    throw Malformed{cat("tensor ", in_quotes(entry.name), ": ", error.what())};
  }
}

Place checked_place(const Entry& entry) {
  if (!entry.dtype || !entry.shape || !entry.offsets || entry.offsets->size() != 2)
    throw Malformed{cat("tensor ", in_quotes(entry.name),
                        " is not described; a dtype, a shape and two data_offsets are needed")};
  if (*entry.dtype != "F32" && *entry.dtype != "F64")
    throw Malformed{cat("tensor ", in_quotes(entry.name), " has the type ", in_quotes(*entry.dtype),
                        "; F32 and F64 are supported")};
  const bool is_double = *entry.dtype == "F64";
  const Shape shape = checked_shape(entry);
  const std::uint64_t begin = (*entry.offsets)[0];
  const std::uint64_t end = (*entry.offsets)[1];
  // At most 2^40 elements, so that this does not overflow.
  const std::uint64_t bytes = static_cast<std::uint64_t>(shape.size()) * (is_double ? 8 : 4);
  if (end < begin || end - begin != bytes)
    throw Malformed{cat("tensor ", in_quotes(entry.name), " of shape ", shape, " and type ",
                        *entry.dtype, " has ", bytes, " bytes, its data_offsets are ", begin,
                        " and ", end)};
  return {entry.name, is_double, shape, begin, end};
}

// The tensors in the order of their bytes, which must follow each other without gaps to the end.
std::vector<Place> checked_places(const std::vector<Entry>& entries, std::uint64_t present) {
  std::vector<Place> places;
  for (const Entry& entry : entries) places.push_back(checked_place(entry));
  std::ranges::stable_sort(places, [](const Place& a, const Place& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t end = 0;
  for (const Place& place : places) {
    if (place.begin != end)
      throw Malformed{cat("tensor ", in_quotes(place.name), " begins at byte ", place.begin,
                          ", the one before it ends at ", end, "; tensors follow each other")};
    end = place.end;
  }
  if (end != present)
    throw Malformed{cat("the tensors have ", end, " bytes, the file holds ", present,
                        end > present ? "; it is truncated" : "; the rest belongs to nothing")};
  return places;
}

template <class T>
Tensor<T> elements(const Place& place, std::string_view data) {
  Tensor<T> values(place.shape);
  const std::size_t bytes = values.data.size() * sizeof(T);
  if (bytes > 0) std::memcpy(values.data.data(), data.data() + place.begin, bytes);
  return values;
}

std::string_view header_of(std::string_view file) {
  if (file.size() < kLengthBytes)
    throw Malformed{cat("the file has ", file.size(), " bytes; the length of its header alone has ",
                        kLengthBytes)};
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  const std::size_t present = file.size() - kLengthBytes;
  if (length > kMaxHeaderBytes)
    throw Malformed{cat("a header of ", length, " bytes is declared; at most ", kMaxHeaderBytes,
                        " are allowed")};
  if (length > present)
    throw Malformed{cat("a header of ", length, " bytes is declared, the file holds ", present,
                        "; it is truncated or damaged")};
  const std::string_view header = file.substr(kLengthBytes, static_cast<std::size_t>(length));
  if (!header.starts_with('{')) throw Malformed{"the header does not begin with '{'"};
  // nlohmann's parser takes a zero byte for the end and would not look at what follows.
  if (const std::size_t zero = header.find('\0'); zero != std::string_view::npos)
    throw Malformed{cat("the header is no JSON at its byte ", zero + 1)};
  return header;
}

SafeTensors parse(std::string_view file) {
  const std::string_view header = header_of(file);
  const std::string_view data = file.substr(kLengthBytes + header.size());
  HeaderEvents events;
  nlohmann::json::sax_parse(header.begin(), header.end(), &events);
  SafeTensors content;
  content.metadata = std::move(events.metadata);
  for (const Place& place : checked_places(events.entries, data.size())) {
    SavedTensor& saved = content.tensors.emplace_back();
    saved.name = place.name;
    if (place.is_double)
      saved.values = elements<double>(place, data);
    else
      saved.values = elements<float>(place, data);
  }
  return content;
}

// The tensors in the order of writing.
std::vector<const SavedTensor*> in_order(const SafeTensors& content) {
  std::set<std::string_view> names = {kMetadata};
  std::vector<const SavedTensor*> order;
  for (const SavedTensor& saved : content.tensors) {
    if (!names.insert(saved.name).second)
      throw Error(cat("safetensors: the name ", in_quotes(saved.name),
                      " is taken; every tensor needs", " one of its own"));
    order.push_back(&saved);
  }
  std::stable_partition(order.begin(), order.end(),
                        [](const SavedTensor* saved) { return saved->values.index() == 1; });
  return order;
}

std::string_view bytes_of(const AnyTensor& values) {
  return std::visit(
      [](const auto& tensor) {
        return std::string_view(reinterpret_cast<const char*>(tensor.data.data()),
                                tensor.data.size() * sizeof(tensor.data[0]));
      },
      values);
}

std::string header_text(const SafeTensors& content, const std::vector<const SavedTensor*>& order) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!content.metadata.empty()) header[std::string(kMetadata)] = content.metadata;
  std::uint64_t place = 0;
  for (const SavedTensor* saved : order) {
    const std::uint64_t end = place + bytes_of(saved->values).size();
    const Shape& shape =
        std::visit([](const auto& t) -> const Shape& { return t.shape; }, saved->values);
    header.push_back({saved->name,
                      {{"dtype", saved->values.index() == 1 ? "F64" : "F32"},
                       {"shape", shape.sizes()},
                       {"data_offsets", {place, end}}}});
    place = end;
  }
  try {
    std::string text = header.dump();
    text.resize((text.size() + kAlignment - 1) / kAlignment * kAlignment, ' ');
    return text;
  } catch (const nlohmann::json::exception&) {
    throw Error("safetensors: a name or a text of the metadata is no UTF-8");
  }
}

}  // namespace

template <class T>
Tensor<T> tensor(const SafeTensors& file, std::string_view name) {
  std::string known;
  for (const SavedTensor& saved : file.tensors) {
    if (saved.name == name)
      return std::visit([](const auto& values) { return cast<T>(values); }, saved.values);
    known += cat(known.empty() ? "" : ", ", saved.name);
  }
  throw Error(cat("safetensors: there is no tensor ", in_quotes(name), "; there are: ", known));
}

template <class Failure>
SafeTensors parse_safetensors(std::string_view file, std::string_view name) {
  try {
    return parse(file);
  } catch (const Malformed& malformed) {
    throw Failure(cat("safetensors ", file_in_quotes(name), ": ", malformed.what));
  }
}

template <class Failure>
SafeTensors read_safetensors(const std::filesystem::path& path) {
  return parse_safetensors<Failure>(read_file<Failure>(path), path.native());
}

std::string safetensors_bytes(const SafeTensors& content) {
  const std::vector<const SavedTensor*> order = in_order(content);
  const std::string header = header_text(content, order);
  const std::uint64_t length = header.size();
  std::string file(kLengthBytes, '\0');
  std::memcpy(file.data(), &length, kLengthBytes);
  file += header;
  for (const SavedTensor* saved : order) file += bytes_of(saved->values);
  return file;
}

void write_safetensors(const std::filesystem::path& path, const SafeTensors& content) {
  write_file_atomically(path, safetensors_bytes(content));
}

template Tensor<float> tensor<float>(const SafeTensors&, std::string_view);
template Tensor<double> tensor<double>(const SafeTensors&, std::string_view);
template SafeTensors read_safetensors<SpecError>(const std::filesystem::path&);
template SafeTensors read_safetensors<Error>(const std::filesystem::path&);
template SafeTensors parse_safetensors<SpecError>(std::string_view, std::string_view);
template SafeTensors parse_safetensors<Error>(std::string_view, std::string_view);

}  // namespace jacquard::experiments
