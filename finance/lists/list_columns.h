// What the columns of a table mean.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "finance/lists/read_lists.h"
#include "libattn/io/table_stream.h"

namespace finance {

/// Throws UsageError for options that contradict each other, whatever the file holds.
void check_options(const ListOptions& options);

/// The columns to be read; names that are empty are not read.
struct ListColumns {
  std::string list, label, profit, time;
  CostColumns costs;
  std::vector<std::string> features, categorical, keep, unused;
  bool found_features = false;  ///< the features are those that the first rows show to be numbers
};

/// The columns that `options` name, as far as the table has them. Throws Error for one that is
/// missing and needed.
ListColumns named_columns(const ListOptions& options, const attn::io::TableStream& table);

/// Where no features are named: of the columns without a meaning those that hold nothing but
/// numbers in these rows become features, the rest is unused.
void find_features(ListColumns& columns, const ListOptions& options, const attn::io::Table& rows);

}  // namespace finance
