// A full disk and a read-only mount, without touching the machine's own: a child process with
// mounts of its own.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "attn/error.h"
#include "tests/support/temp_folder.h"

namespace attn::test {

struct DiskOutcome {
  std::string message;  // of the attn::Error thrown; "(no error)" or "(other) ..." else
  std::string left;     // names in the folder afterwards, joined by blanks
  int exit_status = 0;  // as waitpid reports it
};

/// Runs `action(folder)` in a child process where `folder` is a tmpfs of `kib` KiB, read-only when
/// `locked`. The child leaves through exit(), so that libraries end as they do in a program. Empty
/// where the system allows no mounts.
inline std::optional<DiskOutcome> on_small_disk(
    int kib, bool locked, const std::function<void(const std::filesystem::path&)>& action) {
  const TempFolder outer;
  const std::filesystem::path report = outer / "report";
  std::filesystem::create_directory(outer / "disk");
  const pid_t child = ::fork();
  if (child == 0) {
    const std::filesystem::path disk = outer / "disk";
    const std::string options = "size=" + std::to_string(kib) + "k";
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("attn", disk.c_str(), "tmpfs", 0, options.c_str()) != 0)
      ::_exit(77);
    put(disk / "old", "kept");
    if (locked &&
        ::mount("attn", disk.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, options.c_str()) != 0)
      ::_exit(77);
    std::string message = "(no error)";
    try {
      action(disk);
    } catch (const Error& error) {
      message = error.what();
    } catch (const std::exception& error) {
      message = std::string("(other) ") + error.what();
    }
    std::string left;
    for (const std::string& name : listing(disk)) left += (left.empty() ? "" : " ") + name;
    put(report, message + "\n" + left);
    std::exit(0);  // NOLINT(concurrency-mt-unsafe)
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) return {};
  const std::string text = slurp(report);
  const std::size_t split = std::min(text.rfind('\n'), text.size());
  return DiskOutcome{text.substr(0, split), split < text.size() ? text.substr(split + 1) : "",
                     status};
}

}  // namespace attn::test

#define ATTN_NEED_MOUNTS(outcome) \
  if (!(outcome))                 \
  GTEST_SKIP() << "this test mounts a small disk of its own, which needs root and CAP_SYS_ADMIN"
