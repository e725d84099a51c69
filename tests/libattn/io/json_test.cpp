#include "libattn/io/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "tests/support/damage.h"
#include "tests/support/temp_folder.h"

namespace attn::io {
namespace {

using test::sentence_of;
using testing::AllOf;
using testing::HasSubstr;

std::string parse_error(const std::string& text) {
  return sentence_of([&] { parse_json(text, "run.json"); });
}

template <typename T>
std::string get_error(const std::string& text, const std::string& key) {
  return sentence_of([&] { get<T>(parse_json(text, "run.json"), key, "run.json"); });
}

TEST(Json, SyntaxErrorsNameThePlace) {
  EXPECT_THAT(parse_error("{\n  \"a\": 1,\n  oops\n}"),
              HasSubstr("run.json: not valid JSON at line 3, column 3"));
  EXPECT_THAT(parse_error("{\"a\": [1, 2"), HasSubstr("unfinished"));
  EXPECT_THAT(parse_error(""), HasSubstr("found nothing"));
  EXPECT_THAT(parse_error("{} {}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(parse_error("{\"a\": \"\xff\"}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(parse_error("{\"a\": NaN}"), HasSubstr("not valid JSON"));
  EXPECT_THAT(parse_error("[1e999]"), HasSubstr("too large"));
}

TEST(Json, DuplicateKeysAndDepth) {
  EXPECT_THAT(parse_error("{\"a\": 1, \"b\": {\"c\": 1, \"c\": 2}}"),
              HasSubstr("key 'c' stands twice"));
  EXPECT_NO_THROW(parse_json("{\"a\": {\"a\": 1}, \"b\": [{\"a\": 1}, {\"a\": 1}]}", "x"));
  EXPECT_NO_THROW(parse_json(std::string(200, '[') + std::string(200, ']'), "x"));
  EXPECT_THAT(parse_error(std::string(300, '[') + std::string(300, ']')),
              HasSubstr("nested deeper"));
  EXPECT_THAT(parse_error(std::string(1'000'000, '[')), HasSubstr("nested deeper"));
}

TEST(Json, TypedValues) {
  const auto json = parse_json(
      R"({"tile": {"mpp": 0.5, "size": 256, "whole": 3.0}, "name": "x", "on": true, "none": null,
                                   "list": [1, 2], "words": ["a"], "big": 18446744073709551615})",
      "x");
  EXPECT_EQ(get<double>(json, "tile.mpp", "x"), 0.5);
  EXPECT_EQ(get<double>(json, "tile.size", "x"), 256.0);
  EXPECT_EQ(get<int>(json, "tile.size", "x"), 256);
  EXPECT_EQ(get<int64_t>(json, "tile.whole", "x"), 3);
  EXPECT_EQ(get<uint64_t>(json, "big", "x"), std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(get<std::string>(json, "name", "x"), "x");
  EXPECT_TRUE(get<bool>(json, "on", "x"));
  EXPECT_EQ(get<std::vector<int64_t>>(json, "list", "x"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(get<std::vector<double>>(json, "list", "x"), (std::vector<double>{1, 2}));
  EXPECT_EQ(get<std::vector<std::string>>(json, "words", "x"), std::vector<std::string>{"a"});
  EXPECT_EQ(get<nlohmann::json>(json, "tile", "x").size(), 3U);
  EXPECT_EQ(get_or<double>(json, "tile.overlap", "x", 7.0), 7.0);
  EXPECT_EQ(get_or<double>(json, "none", "x", 7.0), 7.0);
  EXPECT_EQ(get_or<double>(json, "absent.deeper", "x", 7.0), 7.0);
  EXPECT_EQ(find(json, "absent", "x"), nullptr);
}

TEST(Json, MistypedValuesNameTheKey) {
  EXPECT_THAT(get_error<double>(R"({"tile": {}})", "tile.mpp"),
              HasSubstr("run.json: key tile.mpp is missing"));
  EXPECT_THAT(get_error<double>(R"({"tile": {"mpp": "half"}})", "tile.mpp"),
              HasSubstr("run.json: key tile.mpp: expected a number, found the text 'half'"));
  EXPECT_THAT(get_error<double>(R"({"tile": 3})", "tile.mpp"),
              HasSubstr("key tile: expected an object, found the number 3"));
  EXPECT_THAT(get_error<double>("[1]", "tile"),
              HasSubstr("run.json: expected an object, found a list"));
  EXPECT_THAT(get_error<int>(R"({"n": 2.5})", "n"),
              AllOf(HasSubstr("whole number"), HasSubstr("2.5")));
  EXPECT_THAT(get_error<int>(R"({"n": 3000000000})", "n"),
              HasSubstr("to 2147483647, found the number 3000000000"));
  EXPECT_THAT(get_error<uint64_t>(R"({"n": -1})", "n"), HasSubstr("found the number -1"));
  EXPECT_THAT(get_error<int64_t>(R"({"n": 1e300})", "n"), HasSubstr("whole number"));
  EXPECT_THAT(get_error<float>(R"({"n": 1e300})", "n"), HasSubstr("single precision"));
  EXPECT_THAT(get_error<bool>(R"({"n": 1})", "n"), HasSubstr("expected true or false"));
  EXPECT_THAT(get_error<std::string>(R"({"n": null})", "n"),
              HasSubstr("expected text, found null"));
  EXPECT_THAT(get_error<std::vector<double>>(R"({"n": [1, "a"]})", "n"),
              HasSubstr("key n[1]: expected a number"));
  EXPECT_THAT(sentence_of([] {
                get_or<int>(nlohmann::json{{"n", "x"}}, "n", "f", 1);
              }),
              HasSubstr("key n"));
}

TEST(Json, UnknownKeysAreRefusedWithTheNearest) {
  const auto json = parse_json(R"({"mpp": 1, "overlp": 2})", "x");
  EXPECT_THAT(sentence_of([&] {
                refuse_unknown_keys(json, {"mpp", "overlap"}, "tile.json");
              }),
              HasSubstr("tile.json: unknown key 'overlp'; did you mean 'overlap'?"));
  EXPECT_NO_THROW(refuse_unknown_keys(json, {"mpp", "overlp"}, "x"));
}

TEST(Json, FilesRoundTrip) {
  const test::TempFolder folder;
  const nlohmann::json value = {{"a", 0.1}, {"b", {1, 2, 3}}, {"c", "\xc3\xa9"}};
  write_json(folder / "x.json", value);
  EXPECT_EQ(read_json(folder / "x.json"), value);
  EXPECT_THAT(sentence_of([&] { read_json(folder / "y.json"); }), HasSubstr("y.json"));
}

TEST(Json, RandomBytesAndFlippedBits) {
  std::mt19937_64 random(4);
  const std::string whole =
      R"({"tile": {"mpp": 0.5, "size": 256}, "names": ["a", "b"], "deep": [[[{"x": null}]]]})";
  for (int i = 0; i < 5'000; ++i) {
    const std::string bytes = i % 2 == 0 ? test::random_bytes(random, random() % 64)
                                         : test::with_flipped_bits(whole, random, 1 + i % 5);
    test::reads_or_explains([&] { get<double>(parse_json(bytes, "x"), "tile.mpp", "x"); },
                            "round " + std::to_string(i));
  }
}

}  // namespace
}  // namespace attn::io
