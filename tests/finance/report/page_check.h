// What tests of pages ask of their markup.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "finance/report/rank_pages.h"
#include "tests/libattn/report/svg_check.h"

namespace finance {

/// The markup of a page's body is closed in order, and no number in it is NaN or infinite.
inline void expect_whole(std::string html) {
  for (const char* heading : {"<h2>", "</h2>", "<h3>", "</h3>"})  // svg_check knows no digits there
    for (size_t at = html.find(heading); at != std::string::npos; at = html.find(heading, at))
      html.erase(html.find('>', at) - 1, 1);
  EXPECT_TRUE(attn::report::well_formed(html)) << html.substr(0, 3000);
  for (const char* bad : {">nan", ">-nan", ">inf", ">-inf", "\"nan", "\"-nan", "\"inf", " nan ",
                          " inf ", "Mnan", "Lnan", " nan%"})
    EXPECT_THAT(html, testing::Not(testing::HasSubstr(bad)));
}

/// The body of a page, which is whole.
inline std::string html_of(const RankPage& page) {
  std::string html = rank_page(page).html();
  expect_whole(html);
  return html;
}

/// What stands in a row of a table behind this name.
inline std::string value_of(const std::string& html, const std::string& name) {
  const std::string key = "<th scope=\"row\">" + name + "</th><td>";
  const size_t at = html.find(key);
  if (at == std::string::npos) return "";
  const size_t from = at + key.size();
  return html.substr(from, html.find("</td>", from) - from);
}

}  // namespace finance
