// The one exception that means "the caller or the input is at fault", as against a bug of ours.
#pragma once

#include <stdexcept>
#include <string>

#include "attn/export.h"

namespace attn {

/// A user's error: bad input, bad file, impossible request. `what()` is one sentence that names the
/// file, row or key, what was found, what was expected, and what to do. Programs print it after
/// `error: ` and exit with 1.
class ATTN_PUBLIC Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A wrong option or configuration: programs print it as they print Error, and exit with 2.
class ATTN_PUBLIC UsageError : public Error {
 public:
  using Error::Error;
};

/// A file or folder could not be read, written, made or locked for a reason that lies outside of
/// what any file holds: a full disk, permissions, something else in its place. Says nothing against
/// the input.
class ATTN_PUBLIC StorageError : public Error {
 public:
  using Error::Error;
};

/// A file of a newer format version than this program reads. It is whole, and not to be made again
/// or replaced.
class ATTN_PUBLIC NewerFormat : public Error {
 public:
  using Error::Error;
};

/// Thrown by long-running functions after their `Hooks::stop` was set and what can be resumed was
/// saved: exit 130.
class ATTN_PUBLIC Interrupted : public std::runtime_error {
 public:
  Interrupted() : std::runtime_error("interrupted") {}
};

}  // namespace attn
