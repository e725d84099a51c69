// Numbers of multimatch-gaze where shortest paths tie (golden.py, which names the versions).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tests/vision/gaze/metric/paths.h"
#include "vision/gaze/metric/multimatch.h"

namespace gaze {
namespace {

using nlohmann::json;

json golden() {
  std::ifstream in(std::filesystem::path(ATTN_SOURCE_DIR) / "tests/vision/gaze/metric/golden.json");
  return json::parse(in);
}

test::Path path_of(const json& fixations) {
  test::Path path;
  for (const json& f : fixations) path.push_back({f[0], f[1], f[2]});
  return path;
}

std::optional<MultiMatchGrouping> grouping_of(const json& g) {
  if (g.is_null()) return std::nullopt;
  return MultiMatchGrouping{g[0], g[1], g[2]};
}

TEST(Golden, MultiMatchWherePathsTie) {
  const json all = golden();
  int compared = 0, index_errors = 0, value_errors = 0;
  for (const json& pair : all["pairs"]) {
    const MultiMatch m =
        multimatch(path_of(pair["a"]), path_of(pair["b"]), {all["screen"][0], all["screen"][1]},
                   grouping_of(pair["grouping"]));
    const std::vector<double> ours{m.vector, m.direction, m.length, m.position, m.duration};
    const auto error = pair["error"].get<std::string>();
    index_errors += error == "IndexError" ? 1 : 0;
    value_errors += error == "ValueError" ? 1 : 0;
    for (size_t k = 0; k < ours.size(); ++k) {
      if (error.empty()) {
        EXPECT_NEAR(ours[k], pair["values"][k].get<double>(), 1e-12) << pair.dump();
      } else {
        EXPECT_GE(ours[k], 0) << pair.dump();
        EXPECT_LE(ours[k], 1) << pair.dump();
      }
    }
    compared += error.empty() ? 1 : 0;
  }
  // The file holds what it is there for.
  EXPECT_GE(compared, 60);
  EXPECT_GE(index_errors, 5);
  EXPECT_GE(value_errors, 1);
}

}  // namespace
}  // namespace gaze
