// Small formatting shared by messages and files.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace attn::io {

/// `'text'` for a message: control characters and bytes that are not UTF-8 as \xNN, cut after
/// `most` characters with "...". Never contains a line break.
std::string quote_text(std::string_view text, std::size_t most = 40);

/// The same without the quotes: a name for a message.
std::string one_line(std::string_view text, std::size_t most = 80);

/// The shortest decimal that reads back to the same double; "nan", "inf", "-inf".
std::string number_text(double value);

/// The whole text as a finite number, a plus sign before it allowed, blanks not; 1e-400 is 0. False
/// where it is none.
bool parse_finite(std::string_view text, double& value);

/// "(50, 48)"; "()" for a scalar.
std::string shape_text(std::span<const int64_t> shape);

/// "1.5 GB" (powers of 1000).
std::string size_text(double bytes);

/// Position of the first byte that is not valid UTF-8, or npos.
std::size_t find_invalid_utf8(std::string_view text);

}  // namespace attn::io
