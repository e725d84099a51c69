#include "libattn/io/table.h"

#include <arrow/array.h>
#include <arrow/builder.h>
#include <arrow/chunked_array.h>
#include <arrow/compute/cast.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "attn/error.h"
#include "libattn/io/byte_stream.h"
#include "libattn/io/file_kind.h"
#include "libattn/io/nearest_name.h"
#include "libattn/io/table_detail.h"
#include "libattn/io/text.h"

namespace attn::io {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr double kExactWhole = 9007199254740992.0;  // 2^53

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool means_missing(std::string_view text) {
  static constexpr std::array<std::string_view, 9> kWords = {"",     "NA",  "N/A", "None", "null",
                                                             "NULL", "nan", "NaN", "NAN"};
  return std::find(kWords.begin(), kWords.end(), text) != kWords.end();
}

/// nan, inf, infinity with a sign, in any case.
bool parse_nonfinite(std::string_view text, double& value) {
  const bool minus = !text.empty() && text[0] == '-';
  std::string word(text.substr(minus || (!text.empty() && text[0] == '+') ? 1 : 0));
  for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (word != "nan" && word != "inf" && word != "infinity") return false;
  value = word == "nan" ? kMissing : std::numeric_limits<double>::infinity();
  if (minus) value = -value;
  return true;
}

bool parse_number(std::string_view field, NumberRule rule, double& value) {
  const std::string_view text = trimmed(field);
  if (parse_finite(text, value)) return true;
  if (rule.allow_missing && means_missing(text)) {
    value = kMissing;
    return true;
  }
  return rule.allow_nonfinite && parse_nonfinite(text, value);
}

bool parse_integer(std::string_view field, int64_t& value) {
  std::string_view text = trimmed(field);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return true;
  double real = 0;
  if (!parse_finite(text, real) || std::trunc(real) != real || std::fabs(real) > kExactWhole)
    return false;
  value = static_cast<int64_t>(real);
  return true;
}

/// One cell, whatever its column's type: text, a number, or nothing.
struct Field {
  enum class Kind { missing, text, real, integer } kind = Kind::missing;
  std::string_view text;
  double real = 0;
  int64_t integer = 0;

  std::string shown() const {
    if (kind == Kind::text) return quote_text(text);
    if (kind == Kind::real) return number_text(real);
    return kind == Kind::integer ? std::to_string(integer) : "nothing";
  }
};

/// Instants with a zone are UTC inside; their text is UTC's as well, with a Z, so that no table of
/// zones is needed.
std::shared_ptr<arrow::ChunkedArray> utc_texts(const arrow::ChunkedArray& column,
                                               const std::string& where) {
  const auto& type = static_cast<const arrow::TimestampType&>(*column.type());
  arrow::StringBuilder texts;
  const auto fail = [&](const arrow::Status& status) {
    return Error(where + ": instants cannot be read (" + status.message() + ")");
  };
  const auto plain_times = column.View(arrow::timestamp(type.unit()));
  if (!plain_times.ok()) throw fail(plain_times.status());
  const auto cast = arrow::compute::Cast(*plain_times, arrow::utf8());
  if (!cast.ok()) throw fail(cast.status());
  for (const std::shared_ptr<arrow::Array>& chunk : cast->chunked_array()->chunks()) {
    const auto& plain = static_cast<const arrow::StringArray&>(*chunk);
    for (int64_t i = 0; i < plain.length(); ++i) {
      const arrow::Status status =
          plain.IsNull(i) ? texts.AppendNull() : texts.Append(plain.GetString(i) + "Z");
      if (!status.ok()) throw fail(status);
    }
  }
  auto array = texts.Finish();
  if (!array.ok()) throw fail(array.status());
  return std::make_shared<arrow::ChunkedArray>(*array);
}

/// Casts a column to one of utf8, int64, float64, bool, null.
std::shared_ptr<arrow::ChunkedArray> simplified(const std::shared_ptr<arrow::ChunkedArray>& column,
                                                const std::string& where) {
  std::shared_ptr<arrow::DataType> type = column->type();
  if (type->id() == arrow::Type::DICTIONARY)
    type = static_cast<const arrow::DictionaryType&>(*type).value_type();
  std::shared_ptr<arrow::DataType> wanted = arrow::utf8();
  if (arrow::is_integer(type->id())) wanted = arrow::int64();
  if (arrow::is_floating(type->id()) || arrow::is_decimal(type->id())) wanted = arrow::float64();
  if (type->id() == arrow::Type::BOOL || type->id() == arrow::Type::NA) wanted = type;
  if (column->type()->Equals(wanted)) return column;
  if (column->type()->id() == arrow::Type::TIMESTAMP &&
      !static_cast<const arrow::TimestampType&>(*type).timezone().empty())
    return utc_texts(*column, where);
  const auto cast = arrow::compute::Cast(column, wanted);
  if (!cast.ok())
    throw Error(where + ": values of type " + column->type()->ToString() + " cannot be read");
  return cast->chunked_array();
}

/// Calls visit(row, Field) for every row.
template <typename Visit>
void for_each(const arrow::ChunkedArray& column, const Visit& visit) {
  int64_t row = 0;
  for (const std::shared_ptr<arrow::Array>& chunk : column.chunks()) {
    for (int64_t i = 0; i < chunk->length(); ++i, ++row) {
      Field field;
      if (chunk->type_id() == arrow::Type::NA || chunk->IsNull(i)) {
        visit(row, field);
        continue;
      }
      switch (chunk->type_id()) {
        case arrow::Type::STRING:
          field.kind = Field::Kind::text;
          field.text = static_cast<const arrow::StringArray&>(*chunk).GetView(i);
          break;
        case arrow::Type::DOUBLE:
          field.kind = Field::Kind::real;
          field.real = static_cast<const arrow::DoubleArray&>(*chunk).Value(i);
          break;
        case arrow::Type::INT64:
          field.kind = Field::Kind::integer;
          field.integer = static_cast<const arrow::Int64Array&>(*chunk).Value(i);
          break;
        default:
          field.kind = Field::Kind::integer;
          field.integer = static_cast<const arrow::BooleanArray&>(*chunk).Value(i) ? 1 : 0;
      }
      visit(row, field);
    }
  }
}

bool number_of(const Field& field, NumberRule rule, double& value) {
  switch (field.kind) {
    case Field::Kind::text:
      return parse_number(field.text, rule, value);
    case Field::Kind::integer:
      value = static_cast<double>(field.integer);
      return true;
    case Field::Kind::real:
      value = field.real;
      return std::isfinite(value) || rule.allow_nonfinite ||
             (std::isnan(value) && rule.allow_missing);
    case Field::Kind::missing:
      break;
  }
  value = kMissing;
  return rule.allow_missing;
}

template <typename T>
std::vector<T> read_matrix(const Table& table, const Table::Impl& impl,
                           std::span<const std::string> names, NumberRule rule) {
  const auto rows = static_cast<std::size_t>(table.rows());
  std::vector<T> values(rows * names.size());
  for (std::size_t j = 0; j < names.size(); ++j) {
    const auto column =
        simplified(impl.column(names[j]), impl.name + ": column " + one_line(names[j]));
    for_each(*column, [&](int64_t row, const Field& field) {
      double value = 0;
      if (!number_of(field, rule, value))
        throw Error(table.locate(row, names[j]) + ": expected a number, found " + field.shown());
      const T stored = static_cast<T>(value);
      if (std::isinf(stored) && std::isfinite(value))
        throw Error(table.locate(row, names[j]) + ": " + field.shown() +
                    " is too large for single precision");
      values[static_cast<std::size_t>(row) * names.size() + j] = stored;
    });
  }
  return values;
}

}  // namespace

Error missing_column(const std::string& name, std::string_view wanted,
                     const std::vector<std::string>& columns) {
  return Error(name + ": there is no column " + quote_text(wanted, 80) +
               " (found: " + list_names(columns) + ")" + did_you_mean(wanted, columns));
}

void Table::Impl::name_columns(std::vector<std::string> names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto [at, fresh] = index.emplace(names[i], static_cast<int>(i));
    if (!fresh)
      throw Error(name + ": columns " + std::to_string(at->second + 1) + " and " +
                  std::to_string(i + 1) + " are both named " + quote_text(names[i]) +
                  "; rename one");
  }
  columns = std::move(names);
}

std::shared_ptr<arrow::ChunkedArray> Table::Impl::column(std::string_view wanted) const {
  const auto found = index.find(wanted);
  if (found == index.end()) throw missing_column(name, wanted, columns);
  return table->column(found->second);
}

int64_t Table::Impl::line_of(int64_t row) const {
  const auto after = std::upper_bound(lines.begin(), lines.end(),
                                      std::pair{row, std::numeric_limits<int64_t>::max()});
  if (after == lines.begin()) return row + 1;
  const auto& [from, line] = *std::prev(after);
  return line + (row - from);
}

Table::Table(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Table::~Table() = default;
Table::Table(Table&&) noexcept = default;
Table& Table::operator=(Table&&) noexcept = default;

Table Table::read(const std::filesystem::path& path) {
  ByteStream bytes(path);
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  impl->name = bytes.name();
  if (file_kind(bytes.head()) == FileKind::parquet) {
    read_parquet(*impl, parquet_input(bytes));
  } else {
    read_delimited(*impl, bytes.rest());
  }
  return Table(std::move(impl));
}

const std::filesystem::path& Table::path() const {
  return impl_->path;
}
const std::string& Table::name() const {
  return impl_->name;
}
int64_t Table::rows() const {
  return impl_->table->num_rows();
}
const std::vector<std::string>& Table::columns() const {
  return impl_->columns;
}
bool Table::has(std::string_view column) const {
  return impl_->index.find(column) != impl_->index.end();
}

std::vector<std::string> Table::strings(std::string_view column) const {
  return first_strings(column, rows());
}

std::vector<std::string> Table::first_strings(std::string_view column, int64_t most) const {
  std::vector<std::string> values;
  values.reserve(static_cast<std::size_t>(std::min(rows(), most)));
  const auto simple = simplified(impl_->column(column)->Slice(0, most),
                                 impl_->name + ": column " + one_line(column));
  for_each(*simple, [&](int64_t, const Field& field) {
    const bool text = field.kind == Field::Kind::text;
    values.push_back(text                                 ? std::string(field.text)
                     : field.kind == Field::Kind::missing ? ""
                                                          : field.shown());
  });
  return values;
}

std::vector<double> Table::doubles(std::string_view column, NumberRule rule) const {
  const std::string name(column);
  return matrix_double({&name, 1}, rule);
}

std::vector<int64_t> Table::integers(std::string_view column) const {
  std::vector<int64_t> values;
  values.reserve(static_cast<std::size_t>(rows()));
  const auto simple =
      simplified(impl_->column(column), impl_->name + ": column " + one_line(column));
  for_each(*simple, [&](int64_t row, const Field& field) {
    int64_t value = field.integer;
    bool good = field.kind == Field::Kind::integer;
    if (field.kind == Field::Kind::text) good = parse_integer(field.text, value);
    if (field.kind == Field::Kind::real) {
      good = std::trunc(field.real) == field.real && std::fabs(field.real) <= kExactWhole;
      value = good ? static_cast<int64_t>(field.real) : 0;
    }
    if (!good)
      throw Error(locate(row, column) + ": expected a whole number, found " + field.shown());
    values.push_back(value);
  });
  return values;
}

std::vector<float> Table::matrix(std::span<const std::string> columns, NumberRule rule) const {
  return read_matrix<float>(*this, *impl_, columns, rule);
}

std::vector<double> Table::matrix_double(std::span<const std::string> columns,
                                         NumberRule rule) const {
  return read_matrix<double>(*this, *impl_, columns, rule);
}

bool Table::holds_numbers(std::string_view column, NumberRule rule) const {
  const auto simple =
      simplified(impl_->column(column), impl_->name + ": column " + one_line(column));
  bool all = true;
  for_each(*simple, [&](int64_t, const Field& field) {
    double value = 0;
    all = all && number_of(field, rule, value);
  });
  return all;
}

int64_t Table::line(int64_t row) const {
  return impl_->line_of(row);
}

std::string Table::locate(int64_t row) const {
  return impl_->name + ": row " + std::to_string(line(row));
}

std::string Table::locate(int64_t row, std::string_view column) const {
  return locate(row) + ", column " + one_line(column);
}

}  // namespace attn::io
