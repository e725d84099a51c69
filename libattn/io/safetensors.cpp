#include "libattn/io/safetensors.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/digest.h"
#include "libattn/io/json.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"

namespace attn::io {
namespace {

using Json = nlohmann::json;
static_assert(std::endian::native == std::endian::little,
              "tensors are read and written as they lie in memory");

constexpr uint64_t kMaxHeader = 100'000'000;  // the reference implementation's limit
constexpr std::size_t kLengthBytes = 8;
constexpr const char* kSeal = "xxh3_128";  // among the metadata: the checksum of everything else

struct DtypeRow {
  Dtype dtype;
  std::string_view name;
  std::size_t size;
  int rank;  // the reference implementation's order of dtypes; files hold the highest first
};
constexpr std::array<DtypeRow, 10> kDtypes = {{{Dtype::f64, "F64", 8, 8},
                                               {Dtype::f32, "F32", 4, 7},
                                               {Dtype::f16, "F16", 2, 4},
                                               {Dtype::bf16, "BF16", 2, 5},
                                               {Dtype::i64, "I64", 8, 9},
                                               {Dtype::i32, "I32", 4, 6},
                                               {Dtype::i16, "I16", 2, 3},
                                               {Dtype::i8, "I8", 1, 2},
                                               {Dtype::u8, "U8", 1, 1},
                                               {Dtype::boolean, "BOOL", 1, 0}}};

const DtypeRow& row_of(Dtype dtype) {
  return kDtypes.at(static_cast<std::size_t>(dtype));
}

/// Bytes of a tensor, or false on overflow or a negative size.
bool byte_count(const std::vector<int64_t>& shape, std::size_t element, uint64_t& bytes) {
  if (std::any_of(shape.begin(), shape.end(), [](int64_t size) { return size < 0; })) return false;
  // The product of the other sizes must exist even then: libraries compute it for the strides.
  bytes = element;
  for (const int64_t size : shape)
    if (size > 0 && __builtin_mul_overflow(bytes, static_cast<uint64_t>(size), &bytes))
      return false;
  if (bytes > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return false;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) bytes = 0;
  return true;
}

/// XXH3-128 of the metadata, the table of tensors in their order in the file (name, dtype, number
/// of dimensions, sizes) and their bytes; numbers as 8 bytes little-endian, texts after their
/// length.
class Seal {
 public:
  void metadata(const std::map<std::string, std::string>& values) {
    for (const auto& [key, value] : values) {
      text(key);
      text(value);
    }
  }
  void tensor(std::string_view name, Dtype dtype, const std::vector<int64_t>& shape) {
    text(name);
    text(dtype_name(dtype));
    number(shape.size());
    for (const int64_t size : shape) number(static_cast<uint64_t>(size));
  }
  void bytes(std::span<const std::byte> data) { digest_.update(data.data(), data.size()); }
  std::string hex() const { return digest_.hex(); }

 private:
  void number(uint64_t value) { digest_.update(&value, sizeof value); }
  void text(std::string_view value) {
    number(value.size());
    digest_.update(value);
  }
  Digest digest_;
};

/// Reads exactly to.size() bytes at `offset`; Error when the file ends before.
void read_at(int file, const std::filesystem::path& path, uint64_t offset,
             std::span<std::byte> to) {
  while (!to.empty()) {
    const ssize_t got = ::pread(file, to.data(), to.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw system_error("read", path, errno);
    if (got == 0)
      throw Error(path.string() + ": the file became shorter while it was read; write it again");
    offset += static_cast<uint64_t>(got);
    to = to.subspan(static_cast<std::size_t>(got));
  }
}

Safetensors::Entry parse_entry(const std::string& name, const Json& value,
                               const std::string& where) {
  if (!value.is_object())
    throw Error(where + ": expected an object with dtype, shape and data_offsets");
  for (const auto& item : value.items())
    if (item.key() != "dtype" && item.key() != "shape" && item.key() != "data_offsets")
      throw Error(where + ": unknown key " + quote_text(item.key()));
  Safetensors::Entry entry;
  entry.name = name;
  const auto dtype = get<std::string>(value, "dtype", where);
  const auto* row = std::find_if(kDtypes.begin(), kDtypes.end(),
                                 [&](const DtypeRow& known) { return known.name == dtype; });
  if (row == kDtypes.end()) {
    std::vector<std::string> names;
    names.reserve(kDtypes.size());
    for (const DtypeRow& known : kDtypes) names.emplace_back(known.name);
    throw Error(where + ": dtype " + quote_text(dtype) + " is not supported; expected one of " +
                list_names(names));
  }
  entry.dtype = row->dtype;
  entry.shape = get<std::vector<int64_t>>(value, "shape", where);
  const auto offsets = get<std::vector<int64_t>>(value, "data_offsets", where);
  if (offsets.size() != 2 || offsets[0] < 0 || offsets[1] < offsets[0])
    throw Error(where + ": data_offsets " + shape_text(offsets) + " are not a begin and an end");
  entry.begin = static_cast<uint64_t>(offsets[0]);
  entry.bytes = static_cast<uint64_t>(offsets[1] - offsets[0]);
  uint64_t expected = 0;
  if (!byte_count(entry.shape, row->size, expected))
    throw Error(where + ": shape " + shape_text(entry.shape) + " is impossible");
  if (expected != entry.bytes)
    throw Error(where + ": " + dtype + " " + shape_text(entry.shape) + " needs " +
                std::to_string(expected) + " bytes, data_offsets give " +
                std::to_string(entry.bytes));
  return entry;
}

/// Orders entries by place and demands that they tile [0, data_bytes) exactly.
void check_layout(std::vector<Safetensors::Entry>& entries, uint64_t data_bytes,
                  const std::string& file) {
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.bytes, a.name) < std::tie(b.begin, b.bytes, b.name);
  });
  uint64_t end = 0;
  for (const Safetensors::Entry& entry : entries) {
    const std::string where = file + ": tensor " + quote_text(entry.name, 80);
    if (entry.begin < end) throw Error(where + " overlaps the one before it; the file is damaged");
    if (entry.begin > end)
      throw Error(where + " leaves a hole of " + std::to_string(entry.begin - end) +
                  " bytes before it; the file is damaged");
    end = entry.begin + entry.bytes;
    if (end > data_bytes)
      throw Error(where + " ends " + std::to_string(end - data_bytes) +
                  " bytes beyond the file's end; the file is truncated");
  }
  if (end != data_bytes)
    throw Error(file + ": " + std::to_string(data_bytes - end) +
                " bytes follow the last tensor; the file is damaged");
}

std::string read_header(int file, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(file, &status) != 0) throw system_error("read", path, errno);
  if (!S_ISREG(status.st_mode))
    throw system_error("read", path, S_ISDIR(status.st_mode) ? EISDIR : EINVAL);
  const auto size = static_cast<uint64_t>(status.st_size);
  const std::string name = path.string();
  if (size < kLengthBytes)
    throw Error(name + ": not a safetensors file: " + std::to_string(size) +
                " bytes are too few for its header");
  std::array<std::byte, kLengthBytes> raw{};
  read_at(file, path, 0, raw);
  uint64_t length = 0;
  std::memcpy(&length, raw.data(), sizeof length);
  if (length > kMaxHeader)
    throw Error(name + ": not a safetensors file: its first 8 bytes give a header of " +
                std::to_string(length) + " bytes");
  if (length > size - kLengthBytes)
    throw Error(name + ": truncated: its header needs " + std::to_string(length) +
                " bytes, the file holds " + std::to_string(size - kLengthBytes));
  std::string header(length, '\0');
  read_at(file, path, kLengthBytes, std::as_writable_bytes(std::span(header)));
  if (header.empty() || header.front() != '{')
    throw Error(name + ": not a safetensors file: its header does not start with '{'");
  return header;
}

}  // namespace

std::size_t dtype_size(Dtype dtype) {
  return row_of(dtype).size;
}
std::string_view dtype_name(Dtype dtype) {
  return row_of(dtype).name;
}

Safetensors Safetensors::open(const std::filesystem::path& path) {
  Safetensors file;
  file.path_ = path;
  file.file_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file.file_ < 0) throw system_error("read", path, errno);
  const std::string header_text = read_header(file.file_, path);
  const uint64_t data_begin = kLengthBytes + header_text.size();
  struct stat status {};
  if (::fstat(file.file_, &status) != 0) throw system_error("read", path, errno);

  const std::string name = path.string();
  const Json header = parse_json(header_text, name + ": header");
  for (const auto& item : header.items()) {
    if (item.key() == "__metadata__") {
      if (!item.value().is_object()) throw Error(name + ": __metadata__ is not an object");
      for (const auto& pair : item.value().items()) {
        if (!pair.value().is_string())
          throw Error(name + ": metadata " + quote_text(pair.key()) + " are not text");
        file.metadata_[pair.key()] = pair.value().get<std::string>();
      }
      continue;
    }
    file.entries_.push_back(
        parse_entry(item.key(), item.value(), name + ": tensor " + quote_text(item.key(), 80)));
  }
  if (const auto seal = file.metadata_.extract(kSeal); !seal.empty()) file.seal_ = seal.mapped();
  check_layout(file.entries_, static_cast<uint64_t>(status.st_size) - data_begin, name);
  for (std::size_t i = 0; i < file.entries_.size(); ++i) {
    file.entries_[i].begin += data_begin;
    file.index_[file.entries_[i].name] = i;
  }
  return file;
}

Safetensors::~Safetensors() {
  if (file_ >= 0) ::close(file_);
}

Safetensors::Safetensors(Safetensors&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      metadata_(std::move(other.metadata_)),
      seal_(std::move(other.seal_)),
      entries_(std::move(other.entries_)),
      index_(std::move(other.index_)) {}

Safetensors& Safetensors::operator=(Safetensors&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  std::swap(metadata_, other.metadata_);
  std::swap(seal_, other.seal_);
  std::swap(entries_, other.entries_);
  std::swap(index_, other.index_);
  return *this;
}

bool Safetensors::contains(std::string_view name) const {
  return index_.find(name) != index_.end();
}

const Safetensors::Entry& Safetensors::entry(std::string_view name) const {
  const auto found = index_.find(name);
  if (found != index_.end()) return entries_[found->second];
  std::vector<std::string> names;
  for (const Entry& known : entries_) names.push_back(known.name);
  throw Error(path_.string() + ": there is no tensor " + quote_text(name, 80) +
              did_you_mean(name, names));
}

const std::string& Safetensors::metadata(const std::string& key) const {
  const auto found = metadata_.find(key);
  if (found == metadata_.end())
    throw Error(path_.string() + ": its metadata lack the key " + quote_text(key));
  return found->second;
}

void Safetensors::verify() const {
  if (seal_.empty()) return;
  // As they lie in the file, empty ones that share a place as the writer orders them.
  std::vector<const Entry*> order;
  for (const Entry& entry : entries_) order.push_back(&entry);
  std::sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) {
    return std::make_tuple(a->begin, -row_of(a->dtype).rank, std::string_view(a->name)) <
           std::make_tuple(b->begin, -row_of(b->dtype).rank, std::string_view(b->name));
  });
  Seal seal;
  seal.metadata(metadata_);
  for (const Entry* entry : order) seal.tensor(entry->name, entry->dtype, entry->shape);
  std::vector<std::byte> piece(std::size_t{1} << 20);
  for (const Entry& entry : entries_) {
    for (uint64_t done = 0; done < entry.bytes;) {
      const auto part =
          std::span(piece).first(std::min<uint64_t>(piece.size(), entry.bytes - done));
      read_at(file_, path_, entry.begin + done, part);
      seal.bytes(part);
      done += part.size();
    }
  }
  if (seal.hex() != seal_)
    throw Error(path_.string() +
                ": the file is damaged (its contents do not match its checksum); write or copy it "
                "again");
}

void Safetensors::read(const Entry& entry, std::span<std::byte> to) const {
  if (to.size() != entry.bytes)
    throw std::logic_error("Safetensors::read: the buffer is not of the tensor's size");
  read_at(file_, path_, entry.begin, to);
}

std::vector<std::byte> Safetensors::read(std::string_view name) const {
  const Entry& wanted = entry(name);
  std::vector<std::byte> bytes(wanted.bytes);
  read(wanted, bytes);
  return bytes;
}

void write_safetensors(const std::filesystem::path& path, std::span<const TensorBytes> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const TensorBytes*> order;
  for (const TensorBytes& tensor : tensors) {
    uint64_t expected = 0;
    if (!byte_count(tensor.shape, dtype_size(tensor.dtype), expected) ||
        expected != tensor.bytes.size())
      throw std::logic_error("write_safetensors: the bytes of " + tensor.name +
                             " do not fit its shape");
    if (find_invalid_utf8(tensor.name) != std::string::npos || tensor.name == "__metadata__")
      throw std::logic_error("write_safetensors: impossible name " + quote_text(tensor.name));
    order.push_back(&tensor);
  }
  std::sort(order.begin(), order.end(), [](const TensorBytes* a, const TensorBytes* b) {
    return std::make_pair(-row_of(a->dtype).rank, std::string_view(a->name)) <
           std::make_pair(-row_of(b->dtype).rank, std::string_view(b->name));
  });
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  Seal seal;
  seal.metadata(metadata);
  for (const TensorBytes* tensor : order) seal.tensor(tensor->name, tensor->dtype, tensor->shape);
  for (const TensorBytes* tensor : order) seal.bytes(tensor->bytes);
  for (const auto& [key, value] : metadata) {
    if (find_invalid_utf8(key) != std::string::npos || key == kSeal ||
        find_invalid_utf8(value) != std::string::npos)
      throw std::logic_error("write_safetensors: the metadata " + quote_text(key) +
                             " are not UTF-8, or in the checksum's place");
    header["__metadata__"][key] = value;
  }
  header["__metadata__"][kSeal] = seal.hex();
  uint64_t offset = 0;
  std::set<std::string_view> seen;
  for (const TensorBytes* tensor : order) {
    if (!seen.insert(tensor->name).second)
      throw std::logic_error("write_safetensors: two tensors are named " + tensor->name);
    header[tensor->name] = {{"dtype", dtype_name(tensor->dtype)},
                            {"shape", tensor->shape},
                            {"data_offsets", {offset, offset + tensor->bytes.size()}}};
    offset += tensor->bytes.size();
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > kMaxHeader)
    throw std::logic_error("write_safetensors: the header is larger than the format allows");
  const uint64_t length = text.size();

  AtomicFile file(path);
  file.append({reinterpret_cast<const char*>(&length), sizeof length});
  file.append(text);
  for (const TensorBytes* tensor : order)
    file.append({reinterpret_cast<const char*>(tensor->bytes.data()), tensor->bytes.size()});
  file.commit();
}

}  // namespace attn::io
