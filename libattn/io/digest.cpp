#include "libattn/io/digest.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <vector>

#include "libattn/io/atomic_file.h"

namespace attn::io {
namespace {

std::string hex_of(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : canonical.digest) {
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

}  // namespace

struct Digest::State {
  XXH3_state_t* xxh = XXH3_createState();
  State() {
    if (xxh == nullptr) throw std::bad_alloc();
    XXH3_128bits_reset(xxh);
  }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Digest::Digest() : state_(std::make_unique<State>()) {}
Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;

void Digest::update(const void* data, std::size_t bytes) {
  if (bytes > 0) XXH3_128bits_update(state_->xxh, data, bytes);
}

std::string Digest::hex() const {
  return hex_of(XXH3_128bits_digest(state_->xxh));
}

std::string digest(std::string_view bytes) {
  return hex_of(XXH3_128bits(bytes.data(), bytes.size()));
}

std::string file_digest(const std::filesystem::path& path, std::uint64_t most) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) throw system_error("read", path, errno);
  Digest digest;
  std::vector<char> piece(std::size_t{1} << 20);
  while (most > 0) {
    const ssize_t got = ::read(file, piece.data(), std::min<std::uint64_t>(piece.size(), most));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int reason = errno;
      ::close(file);
      throw system_error("read", path, reason);
    }
    if (got == 0) break;
    digest.update(piece.data(), static_cast<std::size_t>(got));
    most -= static_cast<std::uint64_t>(got);
  }
  ::close(file);
  return digest.hex();
}

}  // namespace attn::io
