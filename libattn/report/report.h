// A report page: one HTML file with everything inside, no script, readable in light, dark and on
// paper.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace attn::report {

/// A table of texts. A column whose cells all read as numbers is aligned to the right; "" and "-"
/// count as either.
struct ReportTable {
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  std::string caption = {};
};

/// A part of a page; methods append in order and return the section, so that calls chain. All texts
/// are plain and are escaped; only `chart` takes markup, which svg.h wrote.
class ReportSection {
 public:
  /// Level 2 (default) or 3.
  ReportSection& heading(const std::string& text, int level = 2);
  ReportSection& paragraph(const std::string& text);
  /// A remark the reader must not miss (a warning, a limit of validity).
  ReportSection& note(const std::string& text);
  ReportSection& list(const std::vector<std::string>& items);
  ReportSection& key_values(const std::vector<std::pair<std::string, std::string>>& pairs);
  /// Throws attn::Error when a row's length is not the number of columns.
  ReportSection& table(const ReportTable& table);
  /// An <svg> element made by svg.h.
  ReportSection& chart(const std::string& svg, const std::string& caption = {});
  /// A PNG or JPEG as bytes. Throws attn::Error when it is neither.
  ReportSection& picture(const std::string& bytes, const std::string& caption,
                         const std::string& alt = {});
  /// The same from a file.
  ReportSection& picture_file(const std::filesystem::path& path, const std::string& caption,
                              const std::string& alt = {});
  /// Charts or pictures side by side where the page is wide enough.
  ReportSection& columns(const std::vector<ReportSection>& parts);
  /// Text as it is (log lines, configuration), in a fixed-width font.
  ReportSection& preformatted(const std::string& text);
  /// A part that opens on a click.
  ReportSection& details(const std::string& summary, const ReportSection& inside);

  const std::string& html() const { return html_; }

 private:
  std::string html_;
};

/// A whole page.
class Report : public ReportSection {
 public:
  explicit Report(std::string title, std::string subtitle = {});

  /// The finished HTML document.
  std::string page() const;
  /// Writes the page atomically.
  void write(const std::filesystem::path& path) const;

 private:
  std::string title_;
  std::string subtitle_;
};

/// A number for a table: `digits` significant digits, no trailing zeros lost ("0.900"), "-" when
/// not finite.
std::string format_number(double value, int digits = 3);

/// "0.912 (0.874 to 0.943)".
std::string format_interval(double value, double low, double high, int digits = 3);

}  // namespace attn::report
