// What is made of a probe's report: warnings, page, JSON.
#include "attn/probe_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "libattn/report/heat_map.h"
#include "tests/support/temp_folder.h"

namespace {

using attn::probe_page;
using attn::probe_warnings;
using attn::ProbeHead;
using attn::ProbeLayerReport;
using attn::ProbeReport;
using attn::ProbeWarning;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Kind = ProbeWarning::Kind;

ProbeHead healthy(double normalised = 0.6) {
  ProbeHead head;
  head.rows = 64;
  head.keys = 16;
  head.entropy = normalised * std::log(16);
  head.entropy_min = head.entropy / 2;
  head.entropy_max = head.entropy * 1.2;
  head.normalised_entropy = normalised;
  head.max_mass = 0.4;
  head.first_key_mass = 0.1;
  return head;
}

/// `heads` of it in each of `steps` steps of each layer.
ProbeReport report_of(size_t layers, size_t heads, int64_t steps) {
  ProbeReport report;
  for (size_t l = 0; l < layers; ++l) {
    ProbeLayerReport layer{"encoder." + std::to_string(l) + ".attn", {}};
    for (int64_t s = 1; s <= steps; ++s) {
      layer.steps.push_back({s, 2, {}});
      for (size_t h = 0; h < heads; ++h)
        layer.steps.back().heads.push_back(
            healthy(0.1 + 0.8 * std::abs(std::sin(0.1 * static_cast<double>(l * heads + h) +
                                                  0.01 * static_cast<double>(s)))));
    }
    report.layers.push_back(layer);
  }
  report.calls = static_cast<int64_t>(layers) * steps * 2;
  return report;
}

ProbeHead& newest(ProbeReport& report, size_t head) {
  return report.layers.front().steps.back().heads.at(head);
}

std::vector<Kind> kinds_of(const std::vector<ProbeWarning>& warnings) {
  std::vector<Kind> kinds;
  for (const auto& w : warnings) kinds.push_back(w.kind);
  return kinds;
}

TEST(ProbeWarnings, NoneOfAHealthyReport) {
  const ProbeReport report = report_of(3, 4, 5);
  EXPECT_THAT(probe_warnings(report), IsEmpty());
  const std::string page = probe_page(report, "T");
  EXPECT_THAT(page, HasSubstr("None: in the newest step"));
  EXPECT_THAT(page, Not(HasSubstr(" to look at: ")));
  EXPECT_THAT(probe_warnings({}), IsEmpty());
}

TEST(ProbeWarnings, EachKindIsToldAndStandsOnThePage) {
  ProbeReport report = report_of(2, 6, 3);
  newest(report, 0).normalised_entropy = 0.012;
  newest(report, 1).normalised_entropy = 0.991;
  newest(report, 2).first_key_mass = 0.83;
  newest(report, 3).learned_sink_mass = 0.7;
  report.layers[0].steps[0].heads[4].dead_rows = 12;  // not in the newest step: told all the same
  newest(report, 5).nonfinite_rows = 3;
  const auto warnings = probe_warnings(report);
  EXPECT_THAT(kinds_of(warnings), ElementsAre(Kind::nonfinite, Kind::dead, Kind::collapse,
                                              Kind::overload, Kind::first_key, Kind::learned_sink));
  const std::vector<int64_t> heads = {5, 4, 0, 1, 2, 3};
  const std::string page = probe_page(report, "T");
  for (size_t i = 0; i < warnings.size(); ++i) {
    EXPECT_EQ(warnings[i].head, heads[i]);
    EXPECT_EQ(warnings[i].layer, "encoder.0.attn");
    EXPECT_EQ(warnings[i].step, warnings[i].kind == Kind::dead ? 1 : 3);
    EXPECT_THAT(warnings[i].text,
                HasSubstr("head " + std::to_string(heads[i]) + " of encoder.0.attn"));
    EXPECT_THAT(page, HasSubstr(warnings[i].text));
  }
  EXPECT_THAT(warnings[2].text, HasSubstr("looks at one key"));
  EXPECT_THAT(warnings[3].text, HasSubstr("mixes everything"));
  EXPECT_THAT(warnings[1].text, HasSubstr("12 of 204 rows"));
  EXPECT_THAT(page,
              HasSubstr("6 to look at: not finite 1, rows without a key 1, collapse 1, overload "
                        "1, attention sink 1, learned sink 1."));
}

TEST(ProbeWarnings, ThresholdsAreOpenAndNaNWarnsOfNothing) {
  ProbeReport report = report_of(1, 5, 1);
  newest(report, 0).normalised_entropy = attn::kProbeCollapse;
  newest(report, 1).normalised_entropy = attn::kProbeOverload;
  newest(report, 2).first_key_mass = attn::kProbeSink;
  newest(report, 3) = ProbeHead();
  newest(report, 4).first_key_mass = 0.9;  // of rows that see few keys
  newest(report, 4).keys = 3.9;
  EXPECT_THAT(probe_warnings(report), IsEmpty());
  newest(report, 4).keys = 4;
  EXPECT_THAT(kinds_of(probe_warnings(report)), ElementsAre(Kind::first_key));
}

TEST(ProbeWarnings, RowsThatAllHeadsShareAreToldOnce) {
  ProbeReport report = report_of(1, 4, 2);
  for (size_t h = 0; h < 4; ++h) newest(report, h).dead_rows = 7;
  const auto warnings = probe_warnings(report);
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_EQ(warnings[0].head, -1);
  EXPECT_THAT(warnings[0].text, HasSubstr("7 of 135 rows of every head of encoder.0.attn"));
}

/// Whatever the page would fetch or point to; the name of SVG's namespace is no address.
void expect_self_contained(std::string page) {
  const std::string name = "http://www.w3.org/2000/svg";
  for (size_t at = page.find(name); at != std::string::npos; at = page.find(name, at))
    page.erase(at, name.size());
  for (const char* sign : {"http:", "https:", "src=", "href=", "url(", "@import", "<script"})
    EXPECT_THAT(page, Not(HasSubstr(sign)));
}

TEST(ProbePage, StandsAloneAtEverySize) {
  const std::string one = probe_page(report_of(1, 1, 1), "One");
  expect_self_contained(one);
  EXPECT_THAT(one, HasSubstr("<title>One</title>"));
  EXPECT_THAT(one, Not(HasSubstr("Over the steps")));
  const std::string few = probe_page(report_of(3, 8, 40), "Few");
  expect_self_contained(few);
  EXPECT_THAT(few, HasSubstr("Over the steps"));
  EXPECT_THAT(few, HasSubstr("encoder.2.attn, head 7, step 40: normalised entropy"));
  const std::string large = probe_page(report_of(48, 32, 500), "Large");
  expect_self_contained(large);
  EXPECT_THAT(large, HasSubstr("encoder.47.attn, head 31, step 500: normalised entropy"));
  EXPECT_LT(large.size(), 4U << 20U);
  expect_self_contained(probe_page({}, "Nothing"));
  EXPECT_THAT(probe_page({}, "Nothing"), HasSubstr("No attention call was recorded."));
}

TEST(ProbePage, LayersOfDifferentHeadsAndStepsAndUndefinedNumbers) {
  ProbeReport report = report_of(2, 3, 4);
  report.step_name = "epoch";
  report.layers[1].steps.resize(1);
  report.layers[1].steps[0].heads.resize(1);
  report.layers[1].steps[0].heads[0] = ProbeHead();
  report.layers[0].name = "<b>&\"";
  report.calls_left_out = 3;
  const std::string page = probe_page(report, "A & B");
  EXPECT_THAT(page, HasSubstr("A &amp; B"));
  EXPECT_THAT(page, HasSubstr("&lt;b&gt;&amp;&quot;, head 2, epoch 4"));
  EXPECT_THAT(page, Not(HasSubstr("<b>")));
  EXPECT_THAT(page, Not(HasSubstr("nan")));
  EXPECT_THAT(page, HasSubstr("3 calls without a name were left out"));
}

TEST(ProbePage, SinksAreShownWhereTheyAreDefined) {
  ProbeReport report = report_of(1, 2, 1);
  EXPECT_THAT(probe_page(report, "T"), HasSubstr("Weight on the first key"));
  EXPECT_THAT(probe_page(report, "T"), Not(HasSubstr("Weight on the learned sink")));
  newest(report, 0).learned_sink_mass = 0.2;
  EXPECT_THAT(probe_page(report, "T"), HasSubstr("Weight on the learned sink"));
  for (size_t h = 0; h < 2; ++h)
    newest(report, h).first_key_mass = newest(report, h).learned_sink_mass = ProbeHead::kNone;
  EXPECT_THAT(probe_page(report, "T"), Not(HasSubstr("<h2>Attention sinks</h2>")));
}

TEST(ProbeJson, HoldsEveryNumber) {
  const attn::test::TempFolder folder;
  ProbeReport report = report_of(2, 3, 2);
  report.step_name = "epoch";
  report.calls_left_out = 4;
  report.layers[1].name = "quote \" and \xFF";
  ProbeHead& head = newest(report, 2);
  head.rows = 5, head.dead_rows = 6, head.nonfinite_rows = 7;
  head.first_key_mass = ProbeHead::kNone;
  head.learned_sink_mass = 0.25;
  attn::write_probe_json(folder / "probe.json", report);
  const auto j = nlohmann::json::parse(attn::io::read_file(folder / "probe.json"));
  EXPECT_EQ(j.at("format"), "attn-probe/1");
  EXPECT_EQ(j.at("step_name"), "epoch");
  EXPECT_EQ(j.at("calls"), 8);
  EXPECT_EQ(j.at("calls_left_out"), 4);
  ASSERT_EQ(j.at("layers").size(), 2U);
  EXPECT_EQ(j["layers"][0]["name"], "encoder.0.attn");
  EXPECT_EQ(j["layers"][1]["name"], "quote \" and \xEF\xBF\xBD");
  ASSERT_EQ(j["layers"][0]["steps"].size(), 2U);
  const auto& step = j["layers"][0]["steps"][1];
  EXPECT_EQ(step.at("step"), 2);
  EXPECT_EQ(step.at("calls"), 2);
  EXPECT_EQ(step.at("rows").at(2), 5);
  EXPECT_EQ(step.at("dead_rows").at(2), 6);
  EXPECT_EQ(step.at("nonfinite_rows").at(2), 7);
  EXPECT_NEAR(step.at("keys").at(2).get<double>(), head.keys, 1e-8);
  EXPECT_NEAR(step.at("entropy").at(2).get<double>(), head.entropy, 1e-8);
  EXPECT_NEAR(step.at("entropy_min").at(2).get<double>(), head.entropy_min, 1e-8);
  EXPECT_NEAR(step.at("entropy_max").at(2).get<double>(), head.entropy_max, 1e-8);
  EXPECT_NEAR(step.at("normalised_entropy").at(2).get<double>(), head.normalised_entropy, 1e-8);
  EXPECT_NEAR(step.at("max_mass").at(2).get<double>(), head.max_mass, 1e-8);
  EXPECT_TRUE(step.at("first_key_mass").at(2).is_null());
  EXPECT_EQ(step.at("learned_sink_mass").at(2), 0.25);
  EXPECT_TRUE(step.at("learned_sink_mass").at(0).is_null());
  EXPECT_THROW(attn::write_probe_json(folder / "none" / "probe.json", report), attn::Error);
  attn::write_probe_json(folder / "empty.json", {});
  EXPECT_EQ(nlohmann::json::parse(attn::io::read_file(folder / "empty.json")).at("layers").size(),
            0U);
}

TEST(HeatMap, LightnessRisesEvenlyAndShapesAreChecked) {
  double before = -1;
  for (int i = 0; i <= 20; ++i) {
    const std::string color = attn::report::viridis(i / 20.0);
    const auto part = [&](size_t at) {
      return std::stoi(color.substr(at, 2), nullptr, 16) / 255.0;
    };
    const double light = 0.2126 * std::pow(part(1), 2.2) + 0.7152 * std::pow(part(3), 2.2) +
                         0.0722 * std::pow(part(5), 2.2);
    EXPECT_GT(std::cbrt(light), before + 0.01) << i;
    before = std::cbrt(light);
  }
  EXPECT_EQ(attn::report::viridis(-1), "#440154");
  EXPECT_EQ(attn::report::viridis(2), "#fde725");
  EXPECT_THROW(
      attn::report::heat_map_chart({.rows = {"a"}, .columns = {"b"}, .values = {{1, 2}}}, {}),
      attn::Error);
  const std::string svg = attn::report::heat_map_chart(
      {.rows = {"a"}, .columns = {"b", "c"}, .values = {{0.25, std::nan("")}}}, {});
  EXPECT_THAT(svg, HasSubstr(">0.25<"));
  EXPECT_THAT(svg, HasSubstr("stroke-dasharray"));
}

}  // namespace
