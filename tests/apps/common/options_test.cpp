#include "apps/common/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "apps/common/app.h"
#include "apps/common/config_file.h"
#include "apps/common/help.h"
#include "apps/common/parse.h"
#include "attn/error.h"
#include "tests/apps/common/scratch.h"

namespace attn::app {
namespace {

using testing::HasSubstr;

// One option of every kind.
struct Everything {
  std::vector<std::filesystem::path> inputs;
  std::optional<double> slide_mpp;
  std::string model = "abmil";
  double mpp = 0.5;
  int64_t tile = 256;
  int overlap = 0;
  bool otsu = false;
  bool padding = true;
  std::vector<std::string> names{"a", "b"};
  bool dry_run = false;
};

OptionTable table_of(Everything& e) {
  OptionTable table;
  table.add({.name = "SLIDES",
             .target = &e.inputs,
             .help = "slides",
             .required = true,
             .positional = true});
  table.group("Tiles");
  table.add({.name = "mpp",
             .target = &e.mpp,
             .help = "resolution",
             .unit = "um/px",
             .min = 0.05,
             .max = 20});
  table.add({.name = "tile", .target = &e.tile, .help = "side", .unit = "px", .min = 8});
  table.add({.name = "overlap", .target = &e.overlap, .help = "overlap", .unit = "px"});
  table.add({.name = "slide-mpp", .target = &e.slide_mpp, .help = "override", .unit = "um/px"});
  table.add({.name = "otsu", .target = &e.otsu, .help = "otsu"});
  table.add({.name = "padding", .target = &e.padding, .help = "padding", .short_name = 'p'});
  table.group("Model");
  table.add(
      {.name = "model", .target = &e.model, .help = "model", .choices = {"mean", "max", "abmil"}});
  table.add({.name = "names", .target = &e.names, .help = "names"});
  table.add({.name = "dry-run", .target = &e.dry_run, .help = "tell only", .control = true});
  return table;
}

std::string usage_error(const std::function<void()>& work) {
  try {
    work();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "nothing was thrown";
}

std::string parse_error(const std::vector<std::string>& args) {
  Everything e;
  OptionTable table = table_of(e);
  return usage_error([&] {
    parse_arguments(table, args);
    require_all(table);
  });
}

TEST(Options, EveryKindIsRead) {
  Everything e;
  OptionTable table = table_of(e);
  parse_arguments(table, {"one.svs", "--mpp=1.25", "--tile", "224", "two words.tif", "--slide-mpp",
                          "0.3", "--otsu", "--no-padding", "--model", "max", "--overlap", "-3"});
  EXPECT_THAT(e.inputs, testing::ElementsAre("one.svs", "two words.tif"));
  EXPECT_EQ(e.mpp, 1.25);
  EXPECT_EQ(e.tile, 224);
  EXPECT_EQ(e.overlap, -3);
  EXPECT_EQ(e.slide_mpp, 0.3);
  EXPECT_TRUE(e.otsu);
  EXPECT_FALSE(e.padding);
  EXPECT_EQ(e.model, "max");
  EXPECT_EQ(table.find("mpp")->source, Source::flag);
  EXPECT_EQ(table.find("names")->source, Source::defaults);
}

TEST(Options, TheLastOfARepeatedOptionCounts) {
  Everything e;
  OptionTable table = table_of(e);
  parse_arguments(table, {"x", "--tile", "64", "--tile", "128"});
  EXPECT_EQ(e.tile, 128);
}

TEST(Options, MistakesAreNamed) {
  EXPECT_THAT(parse_error({"x", "--tiel", "3"}),
              HasSubstr("unknown option --tiel; did you mean '--tile'?"));
  EXPECT_THAT(parse_error({"x", "--tiel=3"}), HasSubstr("did you mean '--tile'?"));
  EXPECT_THAT(parse_error({"x", "-z"}), HasSubstr("unknown option -z"));
  EXPECT_THAT(parse_error({"x", "--mpp", "fine"}),
              HasSubstr("--mpp: 'fine' is not a number (um/px)"));
  EXPECT_THAT(parse_error({"x", "--mpp", "0.5x"}), HasSubstr("--mpp: '0.5x' is not a number"));
  EXPECT_THAT(parse_error({"x", "--mpp", "nan"}), HasSubstr("--mpp: 'nan' is not a number"));
  EXPECT_THAT(parse_error({"x", "--mpp", "0.001"}), HasSubstr("give 0.05 to 20"));
  EXPECT_THAT(parse_error({"x", "--tile", "2.5"}), HasSubstr("'2.5' is not a whole number"));
  EXPECT_THAT(parse_error({"x", "--tile", "7"}), HasSubstr("give 8 or more"));
  EXPECT_THAT(parse_error({"x", "--tile", "99999999999999999999"}), HasSubstr("does not fit"));
  EXPECT_THAT(parse_error({"x", "--model", "abml"}), HasSubstr("did you mean 'abmil'?"));
  EXPECT_THAT(parse_error({"x", "--mpp"}), HasSubstr("--mpp needs a value"));
  EXPECT_THAT(parse_error({"x", "--model", "--tile", "3"}),
              HasSubstr("--model needs a value, found the option --tile"));
  EXPECT_THAT(parse_error({}), HasSubstr("SLIDES is missing"));
}

TEST(Options, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  const Scratch scratch;
  const auto file = scratch.write(
      "c.toml", "mpp = 2.0\ntile = 100\noverlap = 4\n[tile-verb]\noverlap = 5\n[other]\nx=1\n");
  Everything e;
  OptionTable table = table_of(e);
  setenv("ATTN_MPP", "3.0", 1);
  setenv("ATTN_TILE", "200", 1);
  parse_arguments(table, {"x", "--mpp", "4.0"});
  assign_from_environment(table);
  assign_from_file(table, file, "tile-verb", {"tile-verb", "other"});
  unsetenv("ATTN_MPP");
  unsetenv("ATTN_TILE");
  EXPECT_EQ(e.mpp, 4.0);
  EXPECT_EQ(e.tile, 200);
  EXPECT_EQ(e.overlap, 5);
  EXPECT_EQ(e.model, "abmil");
}

TEST(Options, ABadEnvironmentVariableIsNamed) {
  Everything e;
  OptionTable table = table_of(e);
  setenv("ATTN_TILE", "big", 1);
  EXPECT_THAT(usage_error([&] { assign_from_environment(table); }),
              HasSubstr("ATTN_TILE: 'big' is not a whole number"));
  unsetenv("ATTN_TILE");
}

TEST(Options, MistakesInAFileAreNamedWithTheirLine) {
  const Scratch scratch;
  const auto error = [&](const std::string& text) {
    Everything e;
    OptionTable table = table_of(e);
    const auto file = scratch.write("c.toml", text);
    return usage_error([&] { assign_from_file(table, file, "tile", {"tile", "train"}); });
  };
  EXPECT_THAT(error("\nmpq = 1\n"),
              testing::AllOf(HasSubstr("line 2: mpq"), HasSubstr("did you mean 'mpp'?")));
  EXPECT_THAT(error("mpp = 'x'\n"), HasSubstr("line 1: mpp: 'x' is not a number"));
  EXPECT_THAT(error("mpp = \n"), HasSubstr("not TOML"));
  EXPECT_THAT(error("[tran]\nmpp=1\n"), HasSubstr("did you mean 'train'?"));
  EXPECT_THAT(error("mpp = [1.0, 2.0]\n"), HasSubstr("takes one value"));
  EXPECT_THAT(error("dry-run = true\n"), HasSubstr("--dry-run is for one call"));
}

TEST(Options, AFileMayBeAPipeOrNothingButNoFolder) {
  const Scratch scratch;
  Everything e;
  OptionTable table = table_of(e);
  assign_from_file(table, "/dev/null", "tile", {"tile"});
  const auto pipe = scratch / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::thread writer([&] { std::ofstream(pipe) << "mpp = 3.0\n"; });
  assign_from_file(table, pipe, "tile", {"tile"});
  writer.join();
  EXPECT_EQ(e.mpp, 3.0);
  EXPECT_THAT(usage_error([&] { assign_from_file(table, "/nowhere.toml", "tile", {"tile"}); }),
              HasSubstr("no such file"));
  EXPECT_THAT(usage_error([&] { assign_from_file(table, "/", "tile", {"tile"}); }),
              HasSubstr("is a folder"));
}

TEST(Options, TextThatIsNotUtf8IsRefused) {
  EXPECT_THAT(parse_error({"W/\xFFz.tif"}), HasSubstr("SLIDES: 'W/\\xffz.tif' is not UTF-8"));
  EXPECT_THAT(parse_error({"x", "--names", "\xC3"}), HasSubstr("--names: '\\xc3' is not UTF-8"));
}

TEST(Options, DumpedConfigurationReadsBackTheSame) {
  const Scratch scratch;
  Everything e;
  OptionTable table = table_of(e);
  parse_arguments(table, {"a \"quoted\" name.tif", "b.tif", "--mpp", "1", "--no-padding", "--names",
                          "x", "y z"});
  const auto file = scratch.write("d.toml", dump_config(table, "attn-test", "tile"));
  Everything again;
  OptionTable table_again = table_of(again);
  assign_from_file(table_again, file, "tile", {"tile"});
  EXPECT_EQ(resolved(table), resolved(table_again));
  EXPECT_EQ(again.names, (std::vector<std::string>{"x", "y z"}));
  EXPECT_FALSE(again.slide_mpp.has_value());
}

TEST(Options, ResolvedKeepsTypes) {
  Everything e;
  OptionTable table = table_of(e);
  parse_arguments(table, {"x"});
  const auto json = resolved(table);
  EXPECT_TRUE(json["mpp"].is_number_float());
  EXPECT_TRUE(json["tile"].is_number_integer());
  EXPECT_TRUE(json["slide-mpp"].is_null());
  EXPECT_EQ(json["SLIDES"], nlohmann::json::array({"x"}));
}

TEST(Options, HelpNamesGroupsUnitsAndDefaults) {
  Everything e;
  OptionTable table = table_of(e);
  const App app{.name = "attn-test", .summary = "s", .example = "x", .verbs = {}};
  const Verb verb{.name = "tile", .summary = "cuts", .example = "attn-test tile x --out y"};
  const std::string help = verb_help(app, verb, table);
  for (const char* part :
       {"Usage:   attn-test tile SLIDES... [options]", "Example: attn-test tile x --out y",
        "\nTiles:\n", "--mpp um/px", "(default 0.5)", "--[no-]padding", "--model mean|max|abmil",
        "Exit codes"})
    EXPECT_THAT(help, HasSubstr(part));
  for (size_t at = 0, end = 0; (end = help.find('\n', at)) != std::string::npos; at = end + 1)
    EXPECT_LE(end - at, 110U) << help.substr(at, end - at);
}

}  // namespace
}  // namespace attn::app
