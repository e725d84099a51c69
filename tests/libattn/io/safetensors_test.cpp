#include "libattn/io/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <span>
#include <stdexcept>

#include "libattn/io/digest.h"
#include "tests/support/damage.h"
#include "tests/support/small_disk.h"
#include "tests/support/temp_folder.h"

namespace attn::io {
namespace {

using test::sentence_of;
using testing::HasSubstr;

std::string with_length(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

template <typename T>
TensorBytes tensor(const std::string& name, Dtype dtype, std::vector<int64_t> shape,
                   const std::vector<T>& values) {
  return {name, dtype, std::move(shape), std::as_bytes(std::span(values))};
}

std::string refusal(const std::string& bytes) {
  const test::TempFolder folder;
  test::put(folder / "m.safetensors", bytes);
  std::string text = sentence_of([&] { Safetensors::open(folder / "m.safetensors"); });
  EXPECT_THAT(text, HasSubstr("m.safetensors"));
  return text;
}

// Written by hand from the format's description: eight bytes of header length, the header padded by
// blanks, then float32 1.0 and -2.0 as little-endian bytes, then the byte 7.
const std::string kGoldenHeader =
    R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[],"data_offsets":[8,9]}})";
const std::string kGoldenData("\x00\x00\x80\x3f\x00\x00\x00\xc0\x07", 9);

TEST(Safetensors, ReadsBytesWrittenByHand) {
  const test::TempFolder folder;
  test::put(folder / "m", with_length(kGoldenHeader + "    ", kGoldenData));
  const Safetensors file = Safetensors::open(folder / "m");
  ASSERT_EQ(file.entries().size(), 2U);
  EXPECT_EQ(file.entry("a").shape, std::vector<int64_t>{2});
  EXPECT_TRUE(file.entry("b").shape.empty());
  const std::vector<std::byte> a = file.read("a");
  float values[2];
  std::memcpy(values, a.data(), sizeof values);
  EXPECT_EQ(values[0], 1.0F);
  EXPECT_EQ(values[1], -2.0F);
  EXPECT_EQ(file.read("b"), std::vector<std::byte>{std::byte{7}});
  EXPECT_TRUE(file.metadata().empty());
}

TEST(Safetensors, WritesThoseBytes) {
  const test::TempFolder folder;
  const std::vector<float> a = {1.0F, -2.0F};
  const std::vector<uint8_t> b = {7};
  const std::vector<TensorBytes> tensors = {tensor("b", Dtype::u8, {}, b),
                                            tensor("a", Dtype::f32, {2}, a)};
  write_safetensors(folder / "m", tensors, {});
  // The checksum by its description: name, dtype, dimensions, sizes of each tensor, then the bytes.
  const auto number = [](uint64_t n) { return std::string(reinterpret_cast<const char*>(&n), 8); };
  const std::string sealed = number(1) + "a" + number(3) + "F32" + number(1) + number(2) +
                             number(1) + "b" + number(2) + "U8" + number(0) + kGoldenData;
  std::string header =
      R"({"__metadata__":{"xxh3_128":")" + digest(sealed) + R"("},)" + kGoldenHeader.substr(1);
  header.append((8 - header.size() % 8) % 8, ' ');
  EXPECT_EQ(test::slurp(folder / "m"), with_length(header, kGoldenData));
}

TEST(Safetensors, ItsChecksumFindsEveryChangedByte) {
  const test::TempFolder folder;
  const std::vector<float> a = {0.5F, -2.0F, 3.0F};
  write_safetensors(folder / "m", std::vector{tensor("a", Dtype::f32, {3}, a)}, {{"k", "v"}});
  const std::string whole = test::slurp(folder / "m");
  Safetensors::open(folder / "m").verify();
  const std::size_t key = whole.find("xxh3_128");  // under another name there is no checksum
  for (std::size_t i = 8; i < whole.size(); ++i) {
    std::string changed = whole;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    test::put(folder / "m", changed);
    const bool passes = test::reads_or_explains([&] { Safetensors::open(folder / "m").verify(); },
                                                "byte " + std::to_string(i));
    EXPECT_EQ(passes, key <= i && i < key + 8) << "byte " << i;
  }
  // Foreign files, without a checksum, pass.
  test::put(folder / "m", with_length(kGoldenHeader + "    ", kGoldenData));
  Safetensors::open(folder / "m").verify();
}

TEST(Safetensors, ItsChecksumHoldsWhereEmptyTensorsShareAPlace) {
  const test::TempFolder folder;
  const std::vector<float> one = {1.0F};
  const std::vector<TensorBytes> tensors = {
      {"z", Dtype::f64, {0}, {}},          {"a", Dtype::f32, {0}, {}},
      tensor("b", Dtype::f32, {1}, one),   {"c", Dtype::f32, {2, 0}, {}},
      {"a flag", Dtype::boolean, {0}, {}}, {"half", Dtype::bf16, {0}, {}}};
  write_safetensors(folder / "m", tensors, {});
  const Safetensors file = Safetensors::open(folder / "m");
  EXPECT_NO_THROW(file.verify());
  EXPECT_EQ(file.entries().size(), tensors.size());
}

TEST(Safetensors, RoundTripOfEveryDtype) {
  const test::TempFolder folder;
  std::mt19937_64 random(5);
  std::vector<std::string> payloads;
  std::vector<TensorBytes> tensors;
  const std::vector<Dtype> dtypes = {Dtype::f64, Dtype::f32,    Dtype::f16, Dtype::bf16,
                                     Dtype::i64, Dtype::i32,    Dtype::i16, Dtype::i8,
                                     Dtype::u8,  Dtype::boolean};
  const std::vector<std::vector<int64_t>> shapes = {{},       {0}, {3}, {2, 5}, {0, 1000000000000},
                                                    {1, 2, 3}};
  for (std::size_t d = 0; d < dtypes.size(); ++d)
    for (std::size_t s = 0; s < shapes.size(); ++s) {
      std::size_t count = 1;
      for (const int64_t size : shapes[s])
        count = size == 0 || count == 0 ? 0 : count * static_cast<std::size_t>(size);
      payloads.push_back(test::random_bytes(random, count * dtype_size(dtypes[d])));
      tensors.push_back({std::string(dtype_name(dtypes[d])) + "/\"" + std::to_string(s),
                         dtypes[d],
                         shapes[s],
                         {}});
    }
  for (std::size_t i = 0; i < tensors.size(); ++i)
    tensors[i].bytes = std::as_bytes(std::span(payloads[i]));
  const std::map<std::string, std::string> metadata = {{"config", "{\"a\": \"\\n\"}"},
                                                       {"\xc3\xa9", ""}};
  write_safetensors(folder / "m", tensors, metadata);
  const Safetensors file = Safetensors::open(folder / "m");
  EXPECT_EQ(file.metadata(), metadata);
  EXPECT_EQ(file.metadata("config"), metadata.at("config"));
  ASSERT_EQ(file.entries().size(), tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& entry = file.entry(tensors[i].name);
    EXPECT_EQ(entry.dtype, tensors[i].dtype);
    EXPECT_EQ(entry.shape, tensors[i].shape);
    EXPECT_EQ(entry.begin % dtype_size(entry.dtype), 0U) << "tensors lie aligned";
    const auto bytes = file.read(entry.name);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), payloads[i]);
  }
  const std::string first = test::slurp(folder / "m");
  std::reverse(tensors.begin(), tensors.end());
  write_safetensors(folder / "m", tensors, metadata);
  EXPECT_EQ(test::slurp(folder / "m"), first) << "the order of the caller does not matter";
}

TEST(Safetensors, AFileWithoutTensors) {
  const test::TempFolder folder;
  write_safetensors(folder / "m", {}, {});
  EXPECT_TRUE(Safetensors::open(folder / "m").entries().empty());
}

TEST(Safetensors, ReadsOnAfterTheFileWasReplaced) {
  const test::TempFolder folder;
  const std::vector<int64_t> one = {1};
  const std::vector<int64_t> two = {2};
  write_safetensors(folder / "m", std::vector{tensor("x", Dtype::i64, {1}, one)}, {});
  const Safetensors file = Safetensors::open(folder / "m");
  write_safetensors(folder / "m", std::vector{tensor("x", Dtype::i64, {1}, two)}, {});
  EXPECT_EQ(static_cast<int>(file.read("x")[0]), 1);
}

TEST(Safetensors, RefusesWhatContradictsItself) {
  const auto header = [](const std::string& text, std::size_t data = 8) {
    return refusal(with_length(text, std::string(data, 'x')));
  };
  EXPECT_THAT(refusal(""), HasSubstr("too few"));
  EXPECT_THAT(refusal("1234567"), HasSubstr("too few"));
  EXPECT_THAT(refusal(std::string(8, '\xff') + "{}"),
              HasSubstr("give a header of 18446744073709551615 bytes"));
  EXPECT_THAT(refusal(with_length("{}", "").substr(0, 9)), HasSubstr("truncated"));
  EXPECT_THAT(refusal(std::string(100, '\0')), HasSubstr("does not start with '{'"));
  EXPECT_THAT(header("[1]"), HasSubstr("does not start with '{'"));
  EXPECT_THAT(header("{\"a\": nope}"), HasSubstr("header: not valid JSON"));
  EXPECT_THAT(
      header(
          R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"),
      HasSubstr("key 'a' stands twice"));
  EXPECT_THAT(header(R"({"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}})"),
              HasSubstr("tensor 'a': dtype 'F33' is not supported"));
  EXPECT_THAT(header(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})"),
              HasSubstr("F32 (3) needs 12 bytes, data_offsets give 8"));
  EXPECT_THAT(header(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})"),
              HasSubstr("shape (-2) is impossible"));
  EXPECT_THAT(
      header(
          R"({"a":{"dtype":"F64","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,8]}})"),
      HasSubstr("is impossible"));
  EXPECT_THAT(header(R"({"a":{"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]}})"),
              HasSubstr("is impossible"));
  EXPECT_THAT(header(R"({"a":{"dtype":"F32","shape":[2.5],"data_offsets":[0,8]}})"),
              HasSubstr("key shape[0]"));
  EXPECT_THAT(header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})"),
              HasSubstr("not a begin and an end"));
  EXPECT_THAT(header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}})"),
              HasSubstr("not a begin and an end"));
  EXPECT_THAT(header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})"),
              HasSubstr("not a begin and an end"));
  EXPECT_THAT(header(R"({"a":{"dtype":"F32","shape":[2]}})"),
              HasSubstr("key data_offsets is missing"));
  EXPECT_THAT(header(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})"),
              HasSubstr("unknown key 'x'"));
  EXPECT_THAT(header(R"({"a":7})"), HasSubstr("expected an object"));
  EXPECT_THAT(
      header(R"({"__metadata__":{"a":1},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"),
      HasSubstr("metadata 'a' are not text"));
  EXPECT_THAT(header(R"({"__metadata__":[]})"), HasSubstr("__metadata__ is not an object"));
  const std::string two =
      R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[)";
  EXPECT_THAT(header(two + "3,7]}}"), HasSubstr("tensor 'b' overlaps"));
  EXPECT_THAT(header(two + "5,9]}}", 9), HasSubstr("leaves a hole of 1 bytes"));
  EXPECT_THAT(header(two + "4,8]}}", 7),
              HasSubstr("ends 1 bytes beyond the file's end; the file is truncated"));
  EXPECT_THAT(header(two + "4,8]}}", 9), HasSubstr("1 bytes follow the last tensor"));
  EXPECT_THAT(header(two + "9223372036854775803,9223372036854775807]}}"), HasSubstr("hole"));
}

TEST(Safetensors, MissingNamesAndCallersMistakes) {
  const test::TempFolder folder;
  const std::vector<float> values = {1, 2};
  write_safetensors(folder / "m", std::vector{tensor("weight", Dtype::f32, {2}, values)}, {});
  const Safetensors file = Safetensors::open(folder / "m");
  EXPECT_THAT(sentence_of([&] { file.read("wieght"); }),
              HasSubstr("there is no tensor 'wieght'; did you mean 'weight'?"));
  EXPECT_THAT(sentence_of([&] { file.metadata("config"); }), HasSubstr("lack the key 'config'"));
  std::vector<std::byte> small(4);
  EXPECT_THROW(file.read(file.entry("weight"), small), std::logic_error);
  EXPECT_THROW(
      write_safetensors(folder / "n", std::vector{tensor("w", Dtype::f32, {3}, values)}, {}),
      std::logic_error);
  EXPECT_THROW(write_safetensors(folder / "n",
                                 std::vector{tensor("w", Dtype::f32, {2}, values),
                                             tensor("w", Dtype::f32, {2}, values)},
                                 {}),
               std::logic_error);
  EXPECT_THROW(
      write_safetensors(folder / "n", std::vector{tensor("\xff", Dtype::f32, {2}, values)}, {}),
      std::logic_error);
  EXPECT_THROW(write_safetensors(folder / "n", {}, {{"k", "\xff"}}), std::logic_error);
  EXPECT_THAT(sentence_of([&] { Safetensors::open(folder / "none"); }), HasSubstr("No such file"));
  EXPECT_THAT(sentence_of([&] { Safetensors::open(folder.path()); }), HasSubstr("not a folder"));
  EXPECT_EQ(test::listing(folder.path()).size(), 1U);
}

TEST(Safetensors, BrokenVersionsAndFuzz) {
  const test::TempFolder folder;
  const std::vector<double> values = {1, 2, 3, 4, 5, 6};
  const std::vector<uint8_t> flags = {1, 0, 1};
  write_safetensors(folder / "m",
                    std::vector{tensor("x", Dtype::f64, {2, 3}, values),
                                tensor("mask", Dtype::boolean, {3}, flags)},
                    {{"config", "{}"}});
  const std::string whole = test::slurp(folder / "m");
  const auto read_all = [&] {
    const Safetensors file = Safetensors::open(folder / "d");
    file.verify();
    for (const auto& entry : file.entries()) file.read(entry.name);
  };
  for (const auto& [name, bytes] : test::broken_versions(whole)) {
    test::put(folder / "d", bytes);
    EXPECT_FALSE(test::reads_or_explains(read_all, name)) << name;
  }
  std::mt19937_64 random(6);
  for (int i = 0; i < 3'000; ++i) {
    const std::string bytes = i % 3 == 0 ? test::random_bytes(random, random() % 200)
                                         : test::with_flipped_bits(whole, random, 1 + i % 4);
    test::put(folder / "d", bytes);
    test::reads_or_explains(read_all, "round " + std::to_string(i));
  }
}

TEST(Safetensors, AFullDiskLeavesNothing) {
  const auto outcome = test::on_small_disk(64, false, [](const std::filesystem::path& disk) {
    const std::vector<float> values(100'000, 1.0F);
    write_safetensors(disk / "m.safetensors",
                      std::vector{tensor("x", Dtype::f32, {100'000}, values)}, {});
  });
  ATTN_NEED_MOUNTS(outcome);
  EXPECT_THAT(outcome->message, HasSubstr("m.safetensors: No space left on device"));
  EXPECT_EQ(outcome->left, "old");
}

}  // namespace
}  // namespace attn::io
