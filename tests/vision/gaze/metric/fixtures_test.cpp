// Every column of the project's fixtures: pairs of search scanpaths, and multimatch-gaze's own
// sample.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "libattn/io/table.h"
#include "tests/support/data.h"
#include "vision/gaze/metric/geometry.h"
#include "vision/gaze/metric/multimatch.h"
#include "vision/gaze/metric/recurrence.h"
#include "vision/gaze/metric/strings.h"

namespace gaze {
namespace {

using attn::io::Table;
using nlohmann::json;
using Path = std::vector<Fixation>;

constexpr Screen kCanvas{1680, 1050};
constexpr Grid kGrid{12, 8};

/// Expected values by name.
class Comparison {
 public:
  explicit Comparison(const Table& table) : table_(table) {}
  /// Within 1e-9; pixel values within 1e-9 of themselves.
  void expect(const std::string& column, size_t row, double value) {
    auto& expected = columns_[column];
    if (expected.empty()) expected = table_.doubles(column, {.allow_nonfinite = true});
    const double wanted = expected[row];
    if (std::isnan(wanted)) {
      EXPECT_TRUE(std::isnan(value)) << table_.locate(static_cast<int64_t>(row), column);
      return;
    }
    const bool pixels = column.ends_with("_px");
    const double within = pixels ? 1e-9 * std::abs(wanted) : 1e-9;
    EXPECT_NEAR(value, wanted, within) << table_.locate(static_cast<int64_t>(row), column);
  }

 private:
  const Table& table_;
  std::map<std::string, std::vector<double>> columns_;
};

Path path_of(const json& trial) {
  Path path;
  for (size_t i = 0; i < trial["X"].size(); ++i)
    path.push_back({trial["X"][i], trial["Y"][i], trial["T"][i].get<double>() / 1000});
  return path;
}

std::string text(Symbols symbols) {
  std::string out;
  for (const int64_t s : symbols) out += (out.empty() ? "" : " ") + std::to_string(s);
  return out;
}

void compare_strings(Comparison& rows, size_t row, const Path& a, const Path& b) {
  const auto one = grid_symbols(a, kCanvas, kGrid), two = grid_symbols(b, kCanvas, kGrid);
  rows.expect("seqscore_grid12x8", row, sequence_score(one, two));
  rows.expect("lev_grid12x8", row, levenshtein(one, two));
  rows.expect("lev_norm", row, normalised_levenshtein(one, two));
  rows.expect("scanmatch", row, scanmatch(a, b, kCanvas, {.grid = kGrid}));
  rows.expect("scanmatch_t50", row,
              scanmatch(a, b, kCanvas, {.grid = kGrid, .temporal_bin = 0.05}));
}

void compare_geometry(Comparison& rows, size_t row, const Path& a, const Path& b) {
  rows.expect("dtw_px", row, dtw(a, b));
  rows.expect("frechet_px", row, frechet(a, b));
  rows.expect("hausdorff_px", row, hausdorff(a, b));
  rows.expect("eyeanalysis_px", row, eye_analysis(a, b));
  rows.expect("tde_k2_px", row, time_delay_embedding(b, a, 2));
  rows.expect("stde", row, scaled_time_delay_embedding(b, a, kCanvas));
}

void compare_recurrence(Comparison& rows, size_t row, const Path& a, const Path& b) {
  const auto compare = [&](const std::string& prefix, const Recurrence& r) {
    rows.expect(prefix + "_rec", row, r.recurrence);
    rows.expect(prefix + "_det", row, r.determinism);
    rows.expect(prefix + "_lam", row, r.laminarity);
    rows.expect(prefix + "_corm", row, r.corm);
  };
  compare("cr", cross_recurrence(a, b));
  compare("rqa", recurrence(a));
}

void compare_multimatch(Comparison& rows, size_t row, const std::string& prefix,
                        const MultiMatch& m) {
  rows.expect(prefix + "vector", row, m.vector);
  rows.expect(prefix + "direction", row, m.direction);
  rows.expect(prefix + "length", row, m.length);
  rows.expect(prefix + "position", row, m.position);
  rows.expect(prefix + "duration", row, m.duration);
}

TEST(Fixtures, PairsOfSearchScanpaths) {
  const auto folder = attn::test::shared_data("gaze/metric_pairs");
  ATTN_NEED_SHARED_DATA(folder);
  std::ifstream in(folder / "pairs_dev.json");
  const json pairs = json::parse(in);
  const Table table = Table::read(folder / "expected_dev.csv");
  ASSERT_EQ(table.rows(), static_cast<int64_t>(pairs.size()));
  const auto ids = table.integers("id");
  const auto cells_a = table.strings("grid_a"), cells_b = table.strings("grid_b");
  Comparison rows(table);
  for (size_t i = 0; i < pairs.size(); ++i) {
    ASSERT_EQ(ids[i], pairs[i]["id"].get<int64_t>());
    const Path a = path_of(pairs[i]["a"]), b = path_of(pairs[i]["b"]);
    EXPECT_EQ(text(grid_symbols(a, kCanvas, kGrid)), cells_a[i]);
    EXPECT_EQ(text(grid_symbols(b, kCanvas, kGrid)), cells_b[i]);
    compare_multimatch(rows, i, "mm_", multimatch(a, b, kCanvas));
    compare_strings(rows, i, a, b);
    compare_geometry(rows, i, a, b);
    compare_recurrence(rows, i, a, b);
  }
}

Path fixation_vectors(const std::filesystem::path& file) {
  const Table table = Table::read(file);
  const auto x = table.doubles("start_x"), y = table.doubles("start_y"),
             duration = table.doubles("duration");
  Path path;
  for (size_t i = 0; i < x.size(); ++i) path.push_back({x[i], y[i], duration[i]});
  return path;
}

TEST(Fixtures, SampleOfMultiMatchGaze) {
  const auto folder = attn::test::shared_data("gaze/multimatch");
  ATTN_NEED_SHARED_DATA(folder);
  const Table table = Table::read(folder / "expected_multimatch_dev.csv");
  const auto segments = table.strings("segment"), modes = table.strings("mode"),
             errors = table.strings("error");
  const std::map<std::string, std::optional<MultiMatchGrouping>> groupings{
      {"plain", std::nullopt},
      {"grouped", MultiMatchGrouping{45, 0.3, 147}},
      {"grouped_loose", MultiMatchGrouping{30, 0.1, 100}}};
  Comparison rows(table);
  int crashed = 0;
  for (size_t i = 0; i < segments.size(); ++i) {
    const auto file = [&](const char* subject) {
      return folder / "fixvectors" / (segments[i] + "_" + subject + ".tsv");
    };
    const Path a = fixation_vectors(file("sub-01")), b = fixation_vectors(file("sub-19"));
    const MultiMatch m = multimatch(a, b, {1280, 720}, groupings.at(modes[i]));
    if (errors[i].empty()) {
      compare_multimatch(rows, i, "", m);
      continue;
    }
    ++crashed;
    for (const double v : {m.vector, m.direction, m.length, m.position, m.duration}) {
      EXPECT_GE(v, 0) << segments[i];
      EXPECT_LE(v, 1) << segments[i];
    }
    EXPECT_EQ(m.undefined, "");
  }
  EXPECT_EQ(crashed, 4);
}

}  // namespace
}  // namespace gaze
