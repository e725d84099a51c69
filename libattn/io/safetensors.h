// safetensors: 8 bytes of header length (little-endian), a JSON header, raw little-endian tensors.
// No LibTorch here. Format: https://github.com/huggingface/safetensors#format
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace attn::io {

enum class Dtype { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

/// Bytes of one element.
std::size_t dtype_size(Dtype dtype);
/// The format's own name: "F64", ..., "BOOL".
std::string_view dtype_name(Dtype dtype);

/// A tensor to be written. `bytes` (row-major, little-endian) stay the caller's and must hold shape
/// * dtype bytes.
struct TensorBytes {
  std::string name;
  Dtype dtype = Dtype::f32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

/// Writes a file atomically, with a checksum of it all beside the metadata, as `xxh3_128`. The same
/// tensors and metadata give the same bytes, whatever their order: tensors lie by dtype as the
/// reference implementation sorts them (widest first, so each is aligned), then by name; the header
/// is padded with blanks to a multiple of 8. Throws Error on system failures; std::logic_error when
/// the caller's tensors contradict themselves (bytes do not fit the shape, a name twice, a name or
/// text that is not UTF-8).
void write_safetensors(const std::filesystem::path& path, std::span<const TensorBytes> tensors,
                       const std::map<std::string, std::string>& metadata);

/// A file opened for reading. The header is read and checked whole by open(); tensors are read on
/// demand from the same open file, so replacing the file in the meantime does no harm.
class Safetensors {
 public:
  struct Entry {
    std::string name;
    Dtype dtype = Dtype::f32;
    std::vector<int64_t> shape;
    uint64_t begin = 0;  ///< byte offset in the file
    uint64_t bytes = 0;
  };

  /// Throws Error (one sentence, naming the file and the tensor) unless the file is whole and
  /// consistent: header length within the file and 100 MB; valid JSON without duplicate keys; known
  /// dtypes; shape * dtype == bytes; tensors side by side without hole or overlap from the header
  /// to the file's end; metadata all strings. Not the tensors' bytes: see verify().
  static Safetensors open(const std::filesystem::path& path);
  ~Safetensors();
  Safetensors(Safetensors&& other) noexcept;
  Safetensors& operator=(Safetensors&& other) noexcept;

  const std::filesystem::path& path() const { return path_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// All tensors in the order of the file's bytes.
  const std::vector<Entry>& entries() const { return entries_; }
  bool contains(std::string_view name) const;
  /// Throws Error with the nearest name when there is none of this name.
  const Entry& entry(std::string_view name) const;
  /// A metadata value; throws Error when it is missing.
  const std::string& metadata(const std::string& key) const;

  /// Reads the whole file and throws Error unless it agrees with its checksum. A file without one,
  /// of another program, passes unread.
  void verify() const;

  /// Reads a tensor's bytes into `to`, which must have exactly entry.bytes bytes (std::logic_error
  /// otherwise).
  void read(const Entry& entry, std::span<std::byte> to) const;
  std::vector<std::byte> read(std::string_view name) const;

 private:
  Safetensors() = default;
  std::filesystem::path path_;
  int file_ = -1;
  std::map<std::string, std::string> metadata_;
  std::string seal_;  // the file's own checksum, empty where it has none
  std::vector<Entry> entries_;
  std::map<std::string, std::size_t, std::less<>> index_;
};

}  // namespace attn::io
