// "did you mean": the name a person probably meant, by edit distance. Header-only.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace attn::io {

/// Optimal string alignment distance (insert, delete, replace, swap neighbours: 1 each), letter
/// case ignored.
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
  const auto same = [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  };
  std::vector<std::size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) above[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replace = above[j - 1] + (same(a[i - 1], b[j - 1]) ? 0 : 1);
      row[j] = std::min({replace, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    before.swap(above);
    above.swap(row);
  }
  return above[b.size()];
}

/// The name nearest to `wanted`, the first of equals; none when all are further than a third of its
/// length (at least 1). A name that continues `wanted`, or that `wanted` continues, by 3 letters or
/// more is near, too.
inline std::optional<std::string> nearest_name(std::string_view wanted,
                                               std::span<const std::string> names) {
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  for (const std::string& name : names) {
    std::size_t distance = edit_distance(wanted, name);
    const std::size_t common = std::min(wanted.size(), name.size());
    if (common >= 3 &&
        edit_distance(wanted.substr(0, common), std::string_view(name).substr(0, common)) == 0)
      distance = std::min<std::size_t>(distance, 1);
    if (distance < best_distance) {
      best_distance = distance;
      best = name;
    }
  }
  return best;
}

/// "; did you mean 'NAME'?" or nothing: ends a sentence about an unknown name.
inline std::string did_you_mean(std::string_view wanted, std::span<const std::string> names) {
  const std::optional<std::string> name = nearest_name(wanted, names);
  return name ? "; did you mean '" + *name + "'?" : "";
}

/// "a, b, c and 218 more"; control characters show as '?'.
inline std::string list_names(std::span<const std::string> names, std::size_t most = 12) {
  if (names.empty()) return "none";
  std::string text;
  const std::size_t shown = names.size() > most ? most : names.size();
  for (std::size_t i = 0; i < shown; ++i) text += (i == 0 ? "" : ", ") + names[i];
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20) c = '?';
  if (shown < names.size()) text += " and " + std::to_string(names.size() - shown) + " more";
  return text;
}

}  // namespace attn::io
