// What tests of pictures ask of an SVG text.
#pragma once

#include <regex>
#include <string>
#include <vector>

namespace attn::report {

inline int count_of(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// Every element is closed in order, and every attribute is quoted: enough to catch a torn SVG.
inline bool well_formed(const std::string& svg) {
  std::vector<std::string> open;
  for (size_t at = svg.find('<'); at != std::string::npos; at = svg.find('<', at)) {
    // Matched tag by tag, since a regular expression over a long text runs out of stack.
    static const std::regex tag("<(/?)([a-zA-Z]+)((?:\\s+[a-zA-Z0-9:-]+=\"[^\"<]*\")*)\\s*(/?)>");
    const size_t end = svg.find('>', at);
    if (end == std::string::npos) return false;
    std::string text = svg.substr(at, end + 1 - at);
    const size_t data = text.find(" d=\"");
    if (data != std::string::npos) {
      const size_t close = text.find('"', data + 4);
      if (close == std::string::npos) return false;
      text.erase(data + 4, close - data - 4);
    }
    std::smatch m;
    if (!std::regex_match(text, m, tag)) return false;
    if (m[1].length() > 0) {
      if (open.empty() || open.back() != m[2].str()) return false;
      open.pop_back();
    } else if (m[4].length() == 0) {
      open.push_back(m[2].str());
    }
    at = end;
  }
  return open.empty();
}

}  // namespace attn::report
