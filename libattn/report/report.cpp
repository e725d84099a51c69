#include "libattn/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/report/svg.h"

namespace attn::report {
namespace {

std::string base64(const std::string& bytes) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t three = 0;
    const size_t have = std::min<size_t>(3, bytes.size() - i);
    for (size_t k = 0; k < 3; ++k)
      three = three << 8U | (k < have ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (size_t k = 0; k < 4; ++k) out += k <= have ? kAlphabet[three >> (18 - 6 * k) & 63U] : '=';
  }
  return out;
}

std::string media_type(const std::string& bytes) {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return "image/png";
  if (bytes.starts_with("\xFF\xD8\xFF")) return "image/jpeg";
  return {};
}

// A number, possibly with an interval, unit or percent sign behind it: "0.91 (0.87 to 0.94)", "12
// s", "-3e-4".
bool reads_as_number(const std::string& cell) {
  if (cell.empty() || cell == "-") return true;
  char* end = nullptr;
  std::strtod(cell.c_str(), &end);
  if (end == cell.c_str()) return false;
  return *end == '\0' || *end == ' ' || *end == '%' || *end == '(';
}

std::vector<bool> numeric_columns(const ReportTable& table) {
  std::vector<bool> numeric(table.columns.size(), true);
  for (size_t c = 0; c < numeric.size(); ++c) {
    bool any = false;
    for (const auto& row : table.rows) {
      numeric[c] = numeric[c] && reads_as_number(row[c]);
      any = any || (!row[c].empty() && row[c] != "-");
    }
    numeric[c] = numeric[c] && any;
  }
  return numeric;
}

constexpr const char* kStyle = R"css(
:root{color-scheme:light dark;--text:#1b1f24;--soft:#57606a;--page:#fff;--raised:#f6f8fa;--line:#d0d7de;--note:#9a6700}
@media (prefers-color-scheme:dark){:root{--text:#e6edf3;--soft:#9aa4af;--page:#12161b;--raised:#1b2128;--line:#343c46;--note:#e3b341}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1.25rem 4rem;max-width:72rem;font:15px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif;color:var(--text);background:var(--page)}
h1{font-size:1.7rem;line-height:1.25;margin:.5rem 0 0}
h2{font-size:1.25rem;margin:2.2rem 0 .6rem;padding-bottom:.25rem;border-bottom:1px solid var(--line)}
h3{font-size:1.05rem;margin:1.5rem 0 .4rem}
.subtitle{color:var(--soft);margin:.25rem 0 1.2rem}
p{max-width:46rem}
.note{border-left:4px solid var(--note);background:var(--raised);padding:.55rem .9rem;max-width:46rem}
.scroll{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding-bottom:.35rem}
th,td{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top}
thead th{border-bottom:2px solid var(--line);white-space:nowrap}
.number{text-align:right;padding-left:.8rem;padding-right:.4rem;white-space:nowrap}
.pairs th{font-weight:500;color:var(--soft);white-space:nowrap;padding-right:1.6rem}
figure{margin:1rem 0;break-inside:avoid}
figure img,figure svg.chart{max-width:100%;height:auto;display:block}
figure img{border:1px solid var(--line)}
figcaption{color:var(--soft);font-size:.92em;margin-top:.35rem;max-width:46rem}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:1rem;align-items:start}
.columns>div{min-width:0}
pre{background:var(--raised);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem;overflow-x:auto;font:13px/1.45 ui-monospace,monospace}
details{margin:1rem 0;border:1px solid var(--line);border-radius:6px;padding:.5rem .9rem}
summary{cursor:pointer;font-weight:600}
@media print{:root{--text:#000;--soft:#444;--page:#fff;--raised:#fff;--line:#bbb}body{max-width:none;padding:0;font-size:11pt}h2,h3{break-after:avoid}thead{display:table-header-group}tr{break-inside:avoid}.scroll,pre{overflow:visible}pre{white-space:pre-wrap}table{font-size:8.5pt}.number,thead th,.pairs th{white-space:normal}}
)css";

}  // namespace

ReportSection& ReportSection::heading(const std::string& text, int level) {
  const int clamped = std::clamp(level, 2, 3);
  html_ += fmt::format("<h{0}>{1}</h{0}>\n", clamped, escape_xml(text));
  return *this;
}

ReportSection& ReportSection::paragraph(const std::string& text) {
  html_ += "<p>" + escape_xml(text) + "</p>\n";
  return *this;
}

ReportSection& ReportSection::note(const std::string& text) {
  html_ += "<p class=\"note\">" + escape_xml(text) + "</p>\n";
  return *this;
}

ReportSection& ReportSection::list(const std::vector<std::string>& items) {
  html_ += "<ul>\n";
  for (const std::string& item : items) html_ += "<li>" + escape_xml(item) + "</li>\n";
  html_ += "</ul>\n";
  return *this;
}

ReportSection& ReportSection::key_values(
    const std::vector<std::pair<std::string, std::string>>& pairs) {
  html_ += "<div class=\"scroll\"><table class=\"pairs\"><tbody>\n";
  for (const auto& [key, value] : pairs) {
    html_ += "<tr><th scope=\"row\">" + escape_xml(key) + "</th><td>" + escape_xml(value) +
             "</td></tr>\n";
  }
  html_ += "</tbody></table></div>\n";
  return *this;
}

ReportSection& ReportSection::table(const ReportTable& table) {
  for (size_t i = 0; i < table.rows.size(); ++i) {
    if (table.rows[i].size() == table.columns.size()) continue;
    throw Error(fmt::format("report: row {} of table '{}' has {} cells, expected {}", i,
                            table.caption, table.rows[i].size(), table.columns.size()));
  }
  const std::vector<bool> numeric = numeric_columns(table);
  const auto cells = [&](const std::vector<std::string>& row, const char* tag, const char* scope) {
    std::string out = "<tr>";
    for (size_t c = 0; c < row.size(); ++c) {
      out += fmt::format("<{0}{1}{2}>{3}</{0}>", tag, scope, numeric[c] ? " class=\"number\"" : "",
                         escape_xml(row[c]));
    }
    return out + "</tr>\n";
  };
  html_ += "<div class=\"scroll\"><table>\n";
  if (!table.caption.empty()) html_ += "<caption>" + escape_xml(table.caption) + "</caption>\n";
  html_ += "<thead>" + cells(table.columns, "th", " scope=\"col\"") + "</thead><tbody>\n";
  for (const auto& row : table.rows) html_ += cells(row, "td", "");
  html_ += "</tbody></table></div>\n";
  return *this;
}

ReportSection& ReportSection::chart(const std::string& svg, const std::string& caption) {
  html_ += "<figure>" + svg;
  if (!caption.empty()) html_ += "<figcaption>" + escape_xml(caption) + "</figcaption>";
  html_ += "</figure>\n";
  return *this;
}

ReportSection& ReportSection::picture(const std::string& bytes, const std::string& caption,
                                      const std::string& alt) {
  const std::string type = media_type(bytes);
  if (type.empty())
    throw Error(fmt::format("report: picture '{}' is neither PNG nor JPEG", caption));
  html_ += fmt::format("<figure><img alt=\"{}\" src=\"data:{};base64,{}\">",
                       escape_xml(alt.empty() ? caption : alt), type, base64(bytes));
  if (!caption.empty()) html_ += "<figcaption>" + escape_xml(caption) + "</figcaption>";
  html_ += "</figure>\n";
  return *this;
}

ReportSection& ReportSection::picture_file(const std::filesystem::path& path,
                                           const std::string& caption, const std::string& alt) {
  const std::string bytes = io::read_file(path);
  if (media_type(bytes).empty())
    throw Error(fmt::format("{}: not a PNG or JPEG picture", path.string()));
  return picture(bytes, caption, alt);
}

ReportSection& ReportSection::columns(const std::vector<ReportSection>& parts) {
  html_ += "<div class=\"columns\">\n";
  for (const ReportSection& part : parts) html_ += "<div>" + part.html() + "</div>\n";
  html_ += "</div>\n";
  return *this;
}

ReportSection& ReportSection::preformatted(const std::string& text) {
  html_ += "<pre>" + escape_xml(text) + "</pre>\n";
  return *this;
}

ReportSection& ReportSection::details(const std::string& summary, const ReportSection& inside) {
  html_ +=
      "<details><summary>" + escape_xml(summary) + "</summary>\n" + inside.html() + "</details>\n";
  return *this;
}

Report::Report(std::string title, std::string subtitle)
    : title_(std::move(title)), subtitle_(std::move(subtitle)) {}

std::string Report::page() const {
  const std::string title = escape_xml(title_);
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>" +
      title + "</title>\n<style>" + kStyle + "</style>\n</head>\n<body>\n<h1>" + title + "</h1>\n";
  if (!subtitle_.empty()) page += "<p class=\"subtitle\">" + escape_xml(subtitle_) + "</p>\n";
  return page + html() + "</body>\n</html>\n";
}

void Report::write(const std::filesystem::path& path) const {
  io::write_file(path, page());
}

std::string format_number(double value, int digits) {
  if (!std::isfinite(value)) return "-";
  digits = std::max(digits, 1);
  // Numbers with more digits before the point than asked for keep them all: counts stay counts.
  if (std::abs(value) >= std::pow(10, digits - 1) - 0.5 && std::abs(value) < 1e6) {
    return fmt::format("{:.0f}", value);
  }
  std::string text = fmt::format("{:#.{}g}", value, digits);
  return text;
}

std::string format_interval(double value, double low, double high, int digits) {
  return fmt::format("{} ({} to {})", format_number(value, digits), format_number(low, digits),
                     format_number(high, digits));
}

}  // namespace attn::report
