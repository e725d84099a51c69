// The date of a stamp.
#include <array>
#include <string>

#include "timeseries/series/month_names.h"
#include "timeseries/series/stamp_cursor.h"

namespace timeseries {
namespace {

using namespace scan;

/// The date's fields in their order: Y year, n number, b month name, k quarter.
struct DateFields {
  std::string kinds;
  std::array<std::string_view, 2> numbers;
  size_t number_count = 0;
  std::array<size_t, 2> places{};  // of the numbers in the pattern
};

bool take_name(Cursor& cursor, DateFields& fields, ScannedStamp& out) {
  const std::string_view word = cursor.take(is_letter);
  if ((word == "Q" || word == "q") && cursor.peek() >= '1' && cursor.peek() <= '4' &&
      !is_digit(cursor.peek(1))) {
    out.civil.month = 3 * (cursor.peek() - '1') + 1;
    ++cursor.at;
    out.date += word;
    out.date += 'k';
    fields.kinds += 'k';
    return true;
  }
  const MonthName name = month_of(word);
  if (name.month == 0) return false;
  out.civil.month = name.month;
  out.full_name = name.full;
  out.short_name = name.abbreviated;
  out.upper_name = word[1] >= 'A' && word[1] <= 'Z';
  out.date += 'b';
  fields.kinds += 'b';
  return true;
}

/// "20160701", whole.
void take_joined_date(std::string_view digits, DateFields& fields, ScannedStamp& out) {
  out.civil.year = value_of(digits.substr(0, 4));
  out.civil.month = value_of(digits.substr(4, 2));
  out.civil.day = value_of(digits.substr(6));
  out.padded_month = out.padded_day = true;
  out.date = fields.kinds = "Ymd";
}

bool take_number(Cursor& cursor, DateFields& fields, ScannedStamp& out) {
  const std::string_view digits = cursor.take(is_digit);
  if (digits.size() == 8 && fields.kinds.empty() && cursor.done()) {
    take_joined_date(digits, fields, out);
    return true;
  }
  if (digits.size() == 4 && fields.kinds.find('Y') == std::string::npos) {
    out.civil.year = value_of(digits);
    out.date += 'Y';
    fields.kinds += 'Y';
    return true;
  }
  if (digits.size() > 2 || fields.number_count == 2) {
    if (digits.size() == 2 && fields.kinds == "nn") out.fault = ScanFault::short_year;
    return false;
  }
  fields.places[fields.number_count] = out.date.size();
  fields.numbers[fields.number_count++] = digits;
  out.date += 'n';
  fields.kinds += 'n';
  return true;
}

void take_separator(Cursor& cursor, ScannedStamp& out) {
  for (int i = 0; i < 2 && !cursor.done(); ++i) {
    if (std::string_view(" -/.,").find(cursor.peek()) == std::string_view::npos) return;
    out.date += cursor.text[cursor.at++];
  }
}

void set_month(std::string_view digits, ScannedStamp& out) {
  out.civil.month = value_of(digits);
  out.short_month = width_of(digits).one;
  out.padded_month = width_of(digits).padded;
}

void set_day(std::string_view digits, ScannedStamp& out) {
  out.civil.day = value_of(digits);
  out.short_day = width_of(digits).one;
  out.padded_day = width_of(digits).padded;
}

/// Gives the numbers their meaning; false for an order of fields that is none.
bool name_numbers(const DateFields& f, ScannedStamp& out) {
  const auto code = [&](size_t number, char letter) { out.date[f.places[number]] = letter; };
  const std::string& kinds = f.kinds;
  if (kinds == "Yn" || kinds == "nY") {
    if (out.date.find_first_of(".,") != std::string::npos) return false;  // a decimal number
    code(0, 'm');
    set_month(f.numbers[0], out);
    return true;
  }
  if (kinds == "Ynn") {
    code(0, 'm'), code(1, 'd');
    set_month(f.numbers[0], out);
    set_day(f.numbers[1], out);
    return true;
  }
  if (kinds == "nnY") {
    code(0, 'x'), code(1, 'w');
    out.first = value_of(f.numbers[0]);
    out.second = value_of(f.numbers[1]);
    set_month(f.numbers[0], out);  // the widths, whichever is which
    set_day(f.numbers[1], out);
    return true;
  }
  if (kinds == "nbY" || kinds == "bnY" || kinds == "Ybn") {
    code(0, 'd');
    set_day(f.numbers[0], out);
    return true;
  }
  if (kinds == "nb" || kinds == "bn" || kinds == "nbn" || kinds == "bnn")
    out.fault = ScanFault::short_year;
  return kinds == "Ymd" || kinds == "Y" || kinds == "Yb" || kinds == "bY" || kinds == "Yk" ||
         kinds == "kY";
}

}  // namespace

bool scan_date(std::string_view text, ScannedStamp& out) {
  Cursor cursor{text};
  DateFields fields;
  while (!cursor.done()) {
    const bool number = is_digit(cursor.peek());
    if (!number && !is_letter(cursor.peek())) return false;
    if (!(number ? take_number(cursor, fields, out) : take_name(cursor, fields, out))) return false;
    const size_t before = cursor.at;
    take_separator(cursor, out);
    if (cursor.done() && cursor.at != before) return false;  // ends in a separator
  }
  return name_numbers(fields, out);
}

}  // namespace timeseries
