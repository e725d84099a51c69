#include "timeseries/series/protocol.h"

#include <array>
#include <unordered_map>

#include "attn/error.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/text.h"
#include "timeseries/series/calendar.h"
#include "timeseries/series/read.h"
#include "timeseries/series/stamp.h"

namespace timeseries {
namespace {

using attn::io::quote_text;

const std::array<Protocol, 4>& protocols() {
  static const std::array<Protocol, 4> all{{
      {"ett-hour", Protocol::Kind::rows, 8640, 2880, 2880, 0, 24},
      {"ett-minute", Protocol::Kind::rows, 4 * 8640, 4 * 2880, 4 * 2880, 0, 96},
      {"70-10-20", Protocol::Kind::shares, 0, 0, 0, 0, 0},
      {"m4-hourly", Protocol::Kind::tail, 0, 48, 48, 48, 24},
  }};
  return all;
}

ProtocolParts cut(int64_t train, int64_t validation, int64_t test) {
  return {{0, train}, {train, train + validation}, {train + validation, train + validation + test}};
}

ProtocolParts uncut_parts(const Protocol& p, int64_t rows) {
  switch (p.kind) {
    case Protocol::Kind::rows:
      return cut(p.train, p.validation, p.test);
    case Protocol::Kind::tail:
      return cut(rows - p.validation - p.test, p.validation, p.test);
    case Protocol::Kind::shares:
      break;
  }
  const int64_t train = 7 * rows / 10, test = 2 * rows / 10;
  return cut(train, rows - train - test, test);
}

}  // namespace

std::vector<std::string> protocol_names() {
  std::vector<std::string> names;
  for (const Protocol& p : protocols()) names.push_back(p.name);
  return names;
}

Protocol protocol_of(std::string_view name) {
  for (const Protocol& p : protocols())
    if (p.name == name) return p;
  const std::vector<std::string> names = protocol_names();
  throw attn::UsageError("unknown protocol " + quote_text(name) + "; expected one of " +
                         attn::io::list_names(names) + attn::io::did_you_mean(name, names));
}

ProtocolParts parts_of(const Protocol& protocol, int64_t rows, const std::string& where) {
  const ProtocolParts parts = uncut_parts(protocol, rows);
  if (parts.train.size() >= 1 && parts.validation.size() >= 1 && parts.test.size() >= 1 &&
      parts.test.end <= rows)
    return parts;
  const std::string wanted = protocol.kind == Protocol::Kind::shares
                                 ? "10"
                                 : std::to_string(std::max<int64_t>(protocol.train, 1) +
                                                  protocol.validation + protocol.test);
  throw attn::Error(where + ": has " + std::to_string(rows) + " rows, the protocol " +
                    protocol.name + " needs " + wanted + " or more; take another --protocol");
}

/// Where rows have stamps, those of the tail go on where the series ends.
void require_next(const SeriesSet& train, const Series& s, const SeriesSet& test,
                  const Series& tail) {
  if (train.frequency.unit == Unit::index && test.frequency.unit == Unit::index) return;
  if (train.frequency != test.frequency)
    throw attn::Error(name_of(test, tail) + ": its rows are " + frequency_text(test.frequency) +
                      " apart, those of " + name_of(train) + " " + frequency_text(train.frequency) +
                      "; take the test file that belongs to it");
  const Instant next = advance(s.start, train.frequency, s.rows);
  if (tail.start != next)
    throw attn::Error(name_of(test, tail) + ": begins at " + format_stamp(tail.start, test.stamps) +
                      ", expected " + format_stamp(next, train.stamps) +
                      ", the step behind the last of " + name_of(train) +
                      "; take the test file that belongs to it");
}

SeriesSet joined(SeriesSet train, const SeriesSet& test) {
  if (train.channels != test.channels) {
    throw attn::Error(name_of(test) + ": has the columns " + attn::io::list_names(test.channels) +
                      ", expected those of " + name_of(train) + ", " +
                      attn::io::list_names(train.channels));
  }
  if (!train.past_names.empty() || !train.future_names.empty())
    throw attn::Error(name_of(train) +
                      ": files with covariates that change cannot be joined; "
                      "leave --past and --future out");
  std::unordered_map<std::string, const Series*> by_id;
  for (const Series& s : test.series) by_id.emplace(s.id, &s);
  for (Series& s : train.series) {
    const auto found = by_id.find(s.id);
    if (found == by_id.end())
      throw attn::Error(name_of(test) + ": has no series " + quote_text(s.id) + " of " +
                        name_of(train) + "; take the test file that belongs to it");
    const Series& tail = *found->second;
    require_next(train, s, test, tail);
    s.values.insert(s.values.end(), tail.values.begin(), tail.values.end());
    s.rows += tail.rows;
    by_id.erase(found);
  }
  for (const Series& s : test.series)
    if (by_id.count(s.id) > 0)
      throw attn::Error(name_of(test, s) + " is not in " + name_of(train) +
                        "; take the training file that belongs to it");
  return train;
}

}  // namespace timeseries
