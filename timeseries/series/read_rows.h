// One series a row. Of read_series alone.
#pragma once

#include "timeseries/series/columns.h"
#include "timeseries/series/read.h"

namespace timeseries {

/// Fills `reading` from a table of ids and values side by side. Column by column, so that the
/// padding behind short series takes no memory. Rows are counted from 1.
void read_rows(const attn::io::Table& table, const ColumnRoles& roles, Reading& reading);

}  // namespace timeseries
