#include "libattn/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <regex>
#include <sstream>

#include "attn/error.h"
#include "libattn/report/svg.h"

namespace attn::report {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// Whatever a browser would fetch: the targets of src, href, url() and @import, but for data in the
// page and places on it.
std::vector<std::string> fetched_by(const std::string& page) {
  static const std::regex kTargets(
      "(?:src|href|srcset|poster|action)\\s*=\\s*[\"']?([^\"' "
      ">]*)|(?:url\\(|@import)\\s*[\"']?([^\"')]*)");
  std::vector<std::string> out;
  for (std::sregex_iterator it(page.begin(), page.end(), kTargets), end; it != end; ++it) {
    const std::string target = (*it)[1].matched ? (*it)[1].str() : (*it)[2].str();
    if (!target.starts_with("data:") && !target.starts_with("#")) out.push_back(target);
  }
  return out;
}

TEST(Report, StandsAloneWithoutScripts) {
  Report report("Title", "Sub");
  report.heading("H")
      .paragraph("P")
      .chart(line_chart({{"loss", {0, 1, 2}, {3, 2, 1}}}, {.title = "Loss", .x_label = "epoch"}),
             "C")
      .chart(matrix_chart({"a"}, {"b"}, {{1}}, {}), "M")
      .chart(roc_chart({{"model", {0, 1}, {0, 1}}}, {}), "R")
      .list({"one"});
  report.picture("\x89PNG\r\n\x1a\n", "a picture");
  const std::string page = report.page();
  EXPECT_THAT(page, StartsWith("<!DOCTYPE html>"));
  EXPECT_THAT(fetched_by(page), testing::IsEmpty());
  EXPECT_THAT(page, HasSubstr("src=\"data:image/png"));  // which fetched_by() has seen
  for (const char* part : {"<script", "<link", "<iframe", "<object", "javascript:"})
    EXPECT_THAT(page, Not(HasSubstr(part)));
  EXPECT_THAT(page, HasSubstr("prefers-color-scheme:dark"));
  EXPECT_THAT(page, HasSubstr("@media print"));
  EXPECT_THAT(page, HasSubstr("charset=\"utf-8\""));
  EXPECT_THAT(fetched_by("<img src=x.png><a href='http://a/b'><style>a{b:url(c.woff)}</style>"),
              testing::ElementsAre("x.png", "http://a/b", "c.woff"));
}

TEST(Report, EveryTextIsEscaped) {
  const std::string bad = "<b onload='x'>&\"";
  Report report(bad, bad);
  ReportSection inside;
  inside.preformatted(bad);
  report.heading(bad)
      .paragraph(bad)
      .note(bad)
      .list({bad})
      .key_values({{bad, bad}})
      .table({{bad}, {{bad}}, bad})
      .details(bad, inside);
  report.picture("\x89PNG\r\n\x1a\n", bad);
  EXPECT_THAT(report.page(), Not(HasSubstr("<b onload")));
  EXPECT_THAT(report.page(), HasSubstr("&lt;b onload=&#39;x&#39;&gt;&amp;&quot;"));
}

TEST(Report, NumbersAreAlignedToTheRight) {
  ReportSection section;
  section.table({{"name", "AUC", "note", "share"},
                 {{"a", "0.91 (0.87 to 0.94)", "5 of 6", "-"}, {"b", "-", "x", ""}}});
  EXPECT_THAT(section.html(), HasSubstr("<td class=\"number\">0.91 (0.87 to 0.94)</td>"));
  EXPECT_THAT(section.html(), HasSubstr("<th scope=\"col\" class=\"number\">AUC</th>"));
  EXPECT_THAT(section.html(), HasSubstr("<td>a</td>"));
  EXPECT_THAT(section.html(), HasSubstr("<td>5 of 6</td>"));
  EXPECT_THAT(section.html(),
              HasSubstr("<th scope=\"col\">share</th>"));  // nothing in it is a number
  EXPECT_THROW(section.table({{"a", "b"}, {{"1"}}}), Error);
}

// RFC 4648, section 10: the base64 of f, fo, foo ... ends every such JPEG the same way.
TEST(Report, PicturesAreEmbeddedAsBase64) {
  const std::string jpeg = "\xFF\xD8\xFF";
  const std::vector<std::pair<std::string, std::string>> known{
      {"", "/9j/"},        {"f", "/9j/Zg=="},        {"fo", "/9j/Zm8="},
      {"foo", "/9j/Zm9v"}, {"foob", "/9j/Zm9vYg=="}, {"fooba", "/9j/Zm9vYmE="}};
  for (const auto& [bytes, text] : known) {
    ReportSection section;
    section.picture(jpeg + bytes, "caption");
    EXPECT_THAT(section.html(), HasSubstr("src=\"data:image/jpeg;base64," + text + "\""));
  }
  ReportSection section;
  EXPECT_THROW(section.picture("GIF89a", "x"), Error);
  EXPECT_THROW(section.picture_file("/nonexistent/x.png", "x"), Error);
}

TEST(Report, DetailsAndColumnsHoldSections) {
  ReportSection a;
  a.paragraph("left");
  ReportSection b;
  b.paragraph("right");
  ReportSection all;
  all.columns({a, b}).details("more", a);
  EXPECT_THAT(all.html(), HasSubstr("<div><p>left</p>\n</div>\n<div><p>right</p>"));
  EXPECT_THAT(all.html(), HasSubstr("<summary>more</summary>\n<p>left</p>"));
}

TEST(Report, IsWrittenWhole) {
  const fs::path folder = fs::temp_directory_path() / ("attn-report-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  Report report("T");
  report.write(folder / "report.html");
  std::ostringstream text;
  text << std::ifstream(folder / "report.html").rdbuf();
  EXPECT_EQ(text.str(), report.page());
  EXPECT_THROW(report.write(folder / "absent" / "report.html"), Error);
  fs::remove_all(folder);
}

TEST(Report, NumbersReadWell) {
  EXPECT_EQ(format_number(0.9), "0.900");
  EXPECT_EQ(format_number(12345), "12345");
  EXPECT_EQ(format_number(1.23456e-7), "1.23e-07");
  EXPECT_EQ(format_number(std::nan("")), "-");
  EXPECT_EQ(format_number(7), "7.00");
  EXPECT_EQ(format_number(123), "123");
  EXPECT_EQ(format_number(99.96), "100");
  EXPECT_EQ(format_number(-0.04567), "-0.0457");
  EXPECT_EQ(format_number(0), "0.00");
  EXPECT_EQ(format_interval(0.912, 0.874, 0.943), "0.912 (0.874 to 0.943)");
}

}  // namespace
}  // namespace attn::report
