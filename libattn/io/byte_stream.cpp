#include "libattn/io/byte_stream.h"

#include <arrow/buffer.h>
#include <arrow/io/compressed.h>
#include <arrow/io/interfaces.h>
#include <arrow/util/compression.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/io/file_kind.h"
#include "libattn/io/memory.h"
#include "libattn/io/table_detail.h"
#include "libattn/io/text.h"

namespace attn::io {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr std::size_t kHead = std::size_t{1} << 16;
constexpr std::size_t kLongestLine = std::size_t{1} << 28;

/// A file descriptor as Arrow's streams read one. It is read itself, not opened by a name: a pipe
/// of another user cannot be opened.
class Descriptor final : public arrow::io::InputStream {
 public:
  Descriptor(int file, bool owned) : file_(file), owned_(owned) {}
  ~Descriptor() override {
    if (owned_ && file_ >= 0) ::close(file_);
  }
  /// The first bytes stay to be read.
  std::string_view head(std::size_t most) {
    while (head_.size() < most) {
      std::string more(most - head_.size(), '\0');
      const int64_t got = read_some(more.data(), more.size());
      if (got <= 0) break;
      head_.append(more, 0, static_cast<std::size_t>(got));
    }
    return head_;
  }
  int error() const { return error_; }

  arrow::Status Close() override {
    closed_ = true;
    return arrow::Status::OK();
  }
  arrow::Result<int64_t> Tell() const override { return position_; }
  bool closed() const override { return closed_; }
  arrow::Result<int64_t> Read(int64_t most, void* to) override {
    int64_t got = 0;
    if (head_.empty()) {
      got = read_some(to, static_cast<std::size_t>(most));
      if (got < 0) return arrow::Status::IOError(std::strerror(error_));
    } else {
      got = std::min(most, static_cast<int64_t>(head_.size()));
      std::memcpy(to, head_.data(), static_cast<std::size_t>(got));
      head_.erase(0, static_cast<std::size_t>(got));
    }
    position_ += got;
    return got;
  }
  arrow::Result<std::shared_ptr<arrow::Buffer>> Read(int64_t most) override {
    std::string bytes(static_cast<std::size_t>(most), '\0');
    const auto got = Read(most, bytes.data());
    if (!got.ok()) return got.status();
    bytes.resize(static_cast<std::size_t>(*got));
    return arrow::Buffer::FromString(std::move(bytes));
  }

 private:
  int64_t read_some(void* to, std::size_t most) {
    for (;;) {
      const ssize_t got = ::read(file_, to, most);
      if (got >= 0) return got;
      if (errno == EINTR) continue;
      error_ = errno;
      return -1;
    }
  }

  int file_;
  bool owned_;
  bool closed_ = false;
  int error_ = 0;
  int64_t position_ = 0;
  std::string head_;
};

std::shared_ptr<Descriptor> open(const std::filesystem::path& path, const std::string& name) {
  if (path != "-") {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) throw system_error("read", path, errno);
    return std::make_shared<Descriptor>(file, true);
  }
  if (::isatty(STDIN_FILENO) == 1)
    throw Error(name + ": expected a table, found a terminal; pipe one in or redirect a file");
  return std::make_shared<Descriptor>(STDIN_FILENO, false);
}

}  // namespace

struct ByteStream::Impl {
  std::filesystem::path path;
  std::string name;
  std::shared_ptr<Descriptor> file;
  std::unique_ptr<arrow::util::Codec> codec;
  std::shared_ptr<arrow::io::InputStream> unpacked;  // null where the file is not packed
  std::string head;
  std::size_t head_taken = 0;

  std::size_t read_on(std::string& to, std::size_t most);
};

std::size_t ByteStream::Impl::read_on(std::string& to, std::size_t most) {
  const std::size_t before = to.size();
  to.resize(before + most);
  arrow::io::InputStream& from = unpacked ? *unpacked : *file;
  const auto got = from.Read(static_cast<int64_t>(most), to.data() + before);
  to.resize(before + (got.ok() ? static_cast<std::size_t>(*got) : 0));
  if (got.ok()) return static_cast<std::size_t>(*got);
  if (file->error() != 0) throw system_error("read", name, file->error());
  throw Error(name + ": the gzip archive is damaged or truncated (" + reason_of(got.status()) +
              "); copy it again");
}

ByteStream::ByteStream(const std::filesystem::path& path) : impl_(std::make_unique<Impl>()) {
  Impl& s = *impl_;
  s.path = path;
  s.name = path == "-" ? "standard input" : path.string();
  s.file = open(path, s.name);
  if (file_kind(s.file->head(16)) == FileKind::gzip) {
    auto codec = arrow::util::Codec::Create(arrow::Compression::GZIP);
    if (!codec.ok()) throw Error(s.name + ": gzip is not supported by this Arrow");
    s.codec = std::move(*codec);
    auto stream = arrow::io::CompressedInputStream::Make(s.codec.get(), s.file);
    if (!stream.ok()) throw Error(s.name + ": gzip cannot be read: " + reason_of(stream.status()));
    s.unpacked = *stream;
  }
  while (s.head.size() < kHead && s.read_on(s.head, kHead - s.head.size()) > 0) {
  }
}

ByteStream::~ByteStream() = default;
ByteStream::ByteStream(ByteStream&&) noexcept = default;
ByteStream& ByteStream::operator=(ByteStream&&) noexcept = default;

const std::filesystem::path& ByteStream::path() const {
  return impl_->path;
}
const std::string& ByteStream::name() const {
  return impl_->name;
}
bool ByteStream::is_plain_file() const {
  return !impl_->unpacked && impl_->path != "-" && std::filesystem::is_regular_file(impl_->path);
}
std::string_view ByteStream::head() const {
  return impl_->head;
}

std::size_t ByteStream::read(std::string& to, std::size_t most) {
  const std::size_t left = impl_->head.size() - impl_->head_taken;
  if (left == 0) return impl_->read_on(to, most);
  const std::size_t taken = std::min(left, most);
  to.append(impl_->head, impl_->head_taken, taken);
  impl_->head_taken += taken;
  return taken;
}

std::string ByteStream::rest() {
  const std::size_t most = physical_memory() / 4;
  std::string bytes;
  if (is_plain_file()) {
    const std::uintmax_t size = std::filesystem::file_size(impl_->path);
    if (size <= most) bytes.reserve(static_cast<std::size_t>(size) + kPiece);
  }
  while (read(bytes, kPiece) > 0) {
    if (bytes.size() > most)
      throw Error(impl_->name +
                  (impl_->unpacked ? ": it unpacks to more than " : ": it is larger than ") +
                  size_text(static_cast<double>(most)) + ", a quarter of this machine's memory");
  }
  return bytes;
}

bool LineStream::next(std::string_view& line) {
  std::size_t end = text_.find('\n', at_);
  while (end == text_.npos) {
    text_.erase(0, at_);
    at_ = 0;
    const std::size_t before = text_.size();
    if (before > kLongestLine)
      throw Error(bytes_.name() + ": row " + std::to_string(number_ + 1) +
                  ": expected lines of text, found one of more than " +
                  size_text(static_cast<double>(kLongestLine)));
    if (bytes_.read(text_, kPiece) == 0) {
      if (text_.empty()) return false;
      end = text_.size();
      break;
    }
    end = text_.find('\n', before);
  }
  line = std::string_view(text_).substr(at_, end - at_);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  at_ = std::min(end + 1, text_.size());
  ++number_;
  return true;
}

}  // namespace attn::io
