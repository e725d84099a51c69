// Choices that the dispatcher knows by name, since a schema has no enumerations.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "attn/error.h"

namespace attn::ops {

/// The names of an enumeration's values.
template <class Enum, size_t n>
using Names = std::pair<std::string_view, Enum>[n];

/// The value called `name`. Throws attn::Error, naming `op` and its argument `what`, where none is.
template <class Enum, size_t n>
Enum value_of(const char* op, const char* what, std::string_view name,
              const Names<Enum, n>& names) {
  std::string expected;
  for (const auto& [known, value] : names) {
    if (known == name) return value;
    expected.append(expected.empty() ? "" : ", ").append(known);
  }
  throw Error(std::string(op) + ": " + what + " is '" + std::string(name) + "'; expected one of " +
              expected);
}

template <class Enum, size_t n>
std::string_view name_of(Enum value, const Names<Enum, n>& names) {
  for (const auto& [name, known] : names)
    if (known == value) return name;
  return "";
}

}  // namespace attn::ops
