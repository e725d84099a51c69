// Damaged input for readers, and what a reader owes its user: a right result or one sentence.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <exception>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "attn/error.h"

namespace attn::test {

/// The sentence of the attn::Error that `action` throws. Anything else, or a message of several
/// lines, fails.
template <typename Action>
std::string sentence_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    std::string text = error.what();
    EXPECT_EQ(text.find_first_of("\r\n"), std::string::npos) << text;
    EXPECT_FALSE(text.empty());
    EXPECT_LT(text.size(), 600U) << text;
    return text;
  } catch (const std::exception& error) {
    ADD_FAILURE() << "expected attn::Error, found " << error.what();
    return "";
  }
  ADD_FAILURE() << "expected attn::Error, nothing was thrown";
  return "";
}

/// Runs `action` on doubtful input: it may succeed or throw attn::Error with one line. True when it
/// succeeded.
template <typename Action>
bool reads_or_explains(const Action& action, const std::string& what) {
  try {
    action();
    return true;
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find_first_of("\r\n"), std::string::npos)
        << what << ": " << error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << what << ": expected attn::Error, found " << error.what();
  }
  return false;
}

/// (name, bytes) of files that no reader may take for whole: cut at every sixteenth, zeros, other
/// types.
inline std::vector<std::pair<std::string, std::string>> broken_versions(const std::string& whole) {
  std::vector<std::pair<std::string, std::string>> files;
  for (std::size_t i = 0; i < 16; ++i)
    files.emplace_back("cut at " + std::to_string(i) + "/16",
                       whole.substr(0, whole.size() * i / 16));
  files.emplace_back("last byte missing", whole.substr(0, whole.size() - 1));
  files.emplace_back("all zeros", std::string(whole.size(), '\0'));
  files.emplace_back("first half zeros",
                     std::string(whole.size() / 2, '\0') + whole.substr(whole.size() / 2));
  files.emplace_back("second half zeros", whole.substr(0, whole.size() / 2) +
                                              std::string(whole.size() - whole.size() / 2, '\0'));
  files.emplace_back("a PNG", "\x89PNG\r\n\x1a\n" + whole.substr(8));
  files.emplace_back("a ZIP", "PK\x03\x04" + whole.substr(4));
  return files;
}

/// Bytes with `flips` random bits changed.
inline std::string with_flipped_bits(std::string bytes, std::mt19937_64& random, int flips) {
  for (int i = 0; i < flips && !bytes.empty(); ++i)
    bytes[random() % bytes.size()] ^= static_cast<char>(1U << (random() % 8));
  return bytes;
}

inline std::string random_bytes(std::mt19937_64& random, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

}  // namespace attn::test
