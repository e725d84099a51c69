// XXH3-128, a fast non-cryptographic hash: "is this the data I was trained on", never "is this file
// trusted".
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

namespace attn::io {

/// Hashes a stream of bytes; `hex()` gives the same 32 hexadecimal digits as `xxhsum -H128`.
class Digest {
 public:
  Digest();
  ~Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;

  void update(const void* data, std::size_t bytes);
  void update(std::string_view bytes) { update(bytes.data(), bytes.size()); }
  std::string hex() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// XXH3-128 of a string, 32 hexadecimal digits.
std::string digest(std::string_view bytes);

/// XXH3-128 of a file's contents, or of its first `most` bytes, read in pieces. Throws Error when
/// it cannot be read.
std::string file_digest(const std::filesystem::path& path,
                        std::uint64_t most = std::numeric_limits<std::uint64_t>::max());

}  // namespace attn::io
