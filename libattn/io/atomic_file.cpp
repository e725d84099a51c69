#include "libattn/io/atomic_file.h"

#include <fcntl.h>
#include <signal.h>  // NOLINT(modernize-deprecated-headers): kill() is POSIX, not in <csignal>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <fstream>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

#include "libattn/io/digest.h"
#include "libattn/io/text.h"

namespace attn::io {
namespace {

namespace fs = std::filesystem;

/// What a person can do about it; empty where the reason says all.
std::string_view advice(int error_number, bool writing) {
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return "free some space and run again";
    case EROFS:
      return "choose a folder that can be written";
    case EACCES:
    case EPERM:
      return "check its permissions";
    case ENOENT:
      return writing ? "make its folder first" : "check the path";
    case ENOTDIR:
      return "a part of the path is a file, check the path";
    case EISDIR:
      return "name a file, not a folder";
    case ENAMETOOLONG:
      return "choose a shorter name";
    case EMFILE:
    case ENFILE:
      return "raise the limit of open files (ulimit -n)";
    case EFBIG:
      return "the file system or ulimit -f allows no file of this size";
    case EIO:
    case ESTALE:
      return "check the disk or the network mount";
    case ENODEV:
    case ENXIO:
    case EINVAL:
      return "name a regular file";
    default:
      return "";
  }
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }
  /// 0, or the errno of a close that failed (delayed write errors of network file systems).
  int close() {
    const int number = std::exchange(number_, -1);
    return number >= 0 && ::close(number) != 0 && errno != EINTR ? errno : 0;
  }

 private:
  int number_;
};

/// Writes all bytes; 0 or an errno.
int write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(file, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    if (put == 0) return EIO;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return 0;
}

/// Start of a process in clock ticks since boot: with the process number it is never reused. 0: no
/// such process, or one that /proc does not show (hidepid, or no /proc).
uint64_t process_start(int64_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  std::getline(file, line);
  std::size_t at = line.rfind(')');  // the name before it may hold blanks
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = line.find(' ', at + 1);
  uint64_t ticks = 0;
  if (at != std::string::npos)
    std::from_chars(line.data() + at + 1, line.data() + line.size(), ticks);
  return ticks;
}

/// Eight digits for "this machine and process table": process numbers mean nothing elsewhere.
const std::string& origin() {
  static const std::string text = [] {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    std::error_code ignored;
    std::string machine;  // host names repeat; the first process table has one number everywhere
    std::getline(std::ifstream("/etc/machine-id"), machine);
    return digest(host.data() + machine + fs::read_symlink("/proc/self/ns/pid", ignored).string())
        .substr(0, 8);
  }();
  return text;
}

/// ".NAME." of the temporary files of one target; long names are cut to leave room for the rest.
std::string temp_prefix(const fs::path& target) {
  return "." + target.filename().string().substr(0, 180) + ".";
}

struct TempName {
  std::string origin;
  int64_t process = 0;
  uint64_t start = 0;
};

/// Of the temporary file of any target.
std::optional<TempName> parse_temp_name(std::string_view name) {
  constexpr std::string_view kSuffix = ".tmp";
  if (!name.starts_with('.') || !name.ends_with(kSuffix)) return {};
  name.remove_suffix(kSuffix.size());
  name.remove_prefix(name.rfind('.') + 1);
  if (name.size() < 9 || name.find_first_not_of("0123456789abcdef") != 8 || name[8] != '-')
    return {};
  TempName parsed;
  parsed.origin = name.substr(0, 8);
  const char* const end = name.data() + name.size();
  const auto process = std::from_chars(name.data() + 9, end, parsed.process);
  if (process.ec != std::errc() || process.ptr == end || *process.ptr != '-') return {};
  const auto start = std::from_chars(process.ptr + 1, end, parsed.start);
  if (start.ec != std::errc() || start.ptr == end || *start.ptr != '-') return {};
  return parsed;
}

bool left_by_dead_process(const fs::directory_entry& entry, const TempName& name) {
  if (name.origin == origin()) {
    if (::kill(static_cast<pid_t>(name.process), 0) != 0 && errno == ESRCH) return true;
    if (const uint64_t start = process_start(name.process); start != 0) return start != name.start;
  }
  // Of another machine or container, or of a process that is hidden here: only age can tell.
  std::error_code error;
  const auto changed = entry.last_write_time(error);
  return !error && fs::file_time_type::clock::now() - changed > std::chrono::days(7);
}

fs::path folder_of(const fs::path& target) {
  return target.has_parent_path() ? target.parent_path() : fs::path(".");
}

/// Removes what dead processes left in the folder; once a process and folder, since a batch writes
/// thousands of files into one.
void remove_stale_temps(const fs::path& folder) {
  static std::mutex mutex;
  static std::set<std::tuple<std::string, dev_t, ino_t>> seen;
  struct stat status {};
  if (::stat(folder.c_str(), &status) != 0) return;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    if (!seen.emplace(folder.string(), status.st_dev, status.st_ino).second) return;
  }
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const auto name = parse_temp_name(it->path().filename().string());
    std::error_code ignored;
    if (name && left_by_dead_process(*it, *name)) fs::remove(it->path(), ignored);
  }
}

/// Where a chain of symbolic links ends, whether or not anything is there.
fs::path link_target(const fs::path& path) {
  fs::path target = path;
  std::error_code absent;
  for (int links = 0; fs::is_symlink(target, absent); ++links) {
    if (links == 40) throw system_error("write", path, ELOOP);
    std::error_code error;
    const fs::path next = fs::read_symlink(target, error);
    if (error) throw system_error("write", path, error.value());
    target = folder_of(target) / next;
  }
  return target;
}

void sync_folder(const fs::path& folder) {
  // Some file systems cannot sync a folder; the rename itself has succeeded by then.
  const Descriptor file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.get() >= 0) ::fsync(file.get());
}

}  // namespace

StorageError system_error(std::string_view action, const fs::path& path, int error_number) {
  std::string text = "cannot " + std::string(action) + " " + path.string() + ": ";
  text += error_number != 0 ? std::generic_category().message(error_number)
                            : "the system gave no reason";
  const std::string_view hint = advice(error_number, action == "write" || action == "make");
  if (!hint.empty()) text += "; " + std::string(hint);
  return StorageError(text);
}

StorageError write_error(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  const fs::path scratch = folder_of(path) / (".attn-probe." + std::to_string(::getpid()) + "." +
                                              std::to_string(counter++) + ".tmp");
  int reason = 0;
  {
    Descriptor file(::open(scratch.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.get() < 0) {
      reason = errno;
    } else {
      reason = write_all(file.get(), std::string(std::size_t{1} << 20, 'x'));
      if (reason == 0 && ::fsync(file.get()) != 0) reason = errno;
      const int closing = file.close();
      if (reason == 0) reason = closing;
    }
  }
  ::unlink(scratch.c_str());
  return system_error("write", path, reason);
}

AtomicFile::AtomicFile(const fs::path& path) : path_(path), target_(path) {
  if (path.filename().empty() || path.filename() == "." || path.filename() == "..")
    throw StorageError("cannot write " + quote_text(path.string(), 200) +
                       ": it names no file; give a file name");
  target_ = link_target(path);
  struct stat old {};
  const bool exists = ::stat(target_.c_str(), &old) == 0;
  if (exists && S_ISDIR(old.st_mode)) throw system_error("write", path, EISDIR);
  if (exists && !S_ISREG(old.st_mode))
    throw StorageError("cannot write " + path.string() +
                       ": it is not a regular file; name a regular file");

  static std::atomic<uint64_t> counter{0};
  const fs::path folder = folder_of(target_);
  const std::string prefix = temp_prefix(target_);
  remove_stale_temps(folder);
  const int64_t process = ::getpid();
  temp_ =
      folder / (prefix + origin() + "-" + std::to_string(process) + "-" +
                std::to_string(process_start(process)) + "-" + std::to_string(counter++) + ".tmp");
  Descriptor file(::open(temp_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (file.get() < 0) {
    const int reason = errno;
    temp_.clear();
    throw system_error("write", path, reason);
  }
  if (exists) ::fchmod(file.get(), old.st_mode & 07777U);
}

AtomicFile::~AtomicFile() {
  discard();
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temp_(std::move(other.temp_)) {
  other.temp_.clear();
}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this != &other) {
    discard();
    path_ = std::move(other.path_);
    target_ = std::move(other.target_);
    temp_ = std::move(other.temp_);
    other.temp_.clear();
  }
  return *this;
}

void AtomicFile::discard() noexcept {
  if (!temp_.empty()) ::unlink(temp_.c_str());
  temp_.clear();
}

void AtomicFile::append(std::string_view bytes) {
  Descriptor out(::open(temp_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (out.get() < 0) throw system_error("write", path_, errno);
  int reason = write_all(out.get(), bytes);
  const int closing = out.close();
  if (reason == 0) reason = closing;
  if (reason != 0) throw system_error("write", path_, reason);
}

void AtomicFile::commit() {
  if (temp_.empty()) throw std::logic_error("AtomicFile::commit: already committed");
  {
    Descriptor file(::open(temp_.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0 || ::fsync(file.get()) != 0) throw system_error("write", path_, errno);
    if (const int reason = file.close(); reason != 0) throw system_error("write", path_, reason);
  }
  if (::rename(temp_.c_str(), target_.c_str()) != 0) throw system_error("write", path_, errno);
  temp_.clear();
  sync_folder(folder_of(target_));
}

void write_file(const fs::path& path, std::string_view contents) {
  AtomicFile file(path);
  file.append(contents);
  file.commit();
}

std::string read_file(const fs::path& path, std::size_t max_bytes) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) throw system_error("read", path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw system_error("read", path, errno);
  const auto too_large = [&] {
    return Error("cannot read " + path.string() + ": it is larger than " +
                 size_text(static_cast<double>(max_bytes)) + ", the most that is read at once");
  };
  if (S_ISREG(status.st_mode) && static_cast<std::size_t>(status.st_size) > max_bytes)
    throw too_large();
  std::string contents;
  std::size_t used = 0;
  // One byte more than the file says, so that its end is seen without growing.
  contents.resize(S_ISREG(status.st_mode) ? static_cast<std::size_t>(status.st_size) + 1
                                          : std::size_t{1} << 16);
  for (;;) {
    if (used == contents.size()) contents.resize(contents.size() * 2);
    const ssize_t got = ::read(file.get(), contents.data() + used, contents.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw system_error("read", path, errno);
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
    if (used > max_bytes) throw too_large();
  }
  contents.resize(used);
  return contents;
}

void make_directories(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::exists(status) && !fs::is_directory(status))
    throw StorageError("cannot make the folder " + path.string() +
                       ": a file of that name is there; choose another name");
  fs::create_directories(path, error);
  if (error) throw system_error("make", path, error.value());
}

}  // namespace attn::io
