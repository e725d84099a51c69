#include "libattn/io/hdf5.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <thread>

#include "libattn/io/text.h"
#include "tests/support/damage.h"
#include "tests/support/data.h"
#include "tests/support/small_disk.h"
#include "tests/support/temp_folder.h"

namespace attn::io {
namespace {

namespace fs = std::filesystem;
using test::sentence_of;
using testing::ElementsAre;
using testing::HasSubstr;

template <typename T>
std::vector<T> counted(std::size_t count) {
  std::vector<T> values(count);
  std::iota(values.begin(), values.end(), T{0});
  return values;
}

TEST(Hdf5, RoundTripsOfEveryTypeAndLayout) {
  const test::TempFolder folder;
  const std::vector<float> floats = {1.5F,   -2.25F, std::numeric_limits<float>::quiet_NaN(),
                                     1e-30F, 4,      5};
  const std::vector<int64_t> longs = {std::numeric_limits<int64_t>::min(),
                                      std::numeric_limits<int64_t>::max()};
  {
    Hdf5File file = Hdf5File::create(folder / "x.h5");
    file.write("f", floats, {3, 2});
    file.write("zip", floats, {3, 2}, {.chunk_rows = 2, .gzip = 4, .shuffle = true});
    file.write("grow", floats, {3, 2}, {.unlimited = true});
    file.write("deep/er/d", std::vector<double>{0.1}, {});
    file.write("i64", longs, {2});
    file.write("i32", std::vector<int32_t>{-1, 7}, {2, 1});
    file.write("u8", std::vector<uint8_t>{0, 255}, {2});
    file.write("none", std::vector<int64_t>{}, {0, 2}, {.chunk_rows = 1, .unlimited = true});
    file.write("none_fixed", std::vector<float>{}, {0, 2}, {.gzip = 1});
    EXPECT_TRUE(test::listing(folder.path()).size() == 1 && !fs::exists(folder / "x.h5"));
    file.commit();
  }
  EXPECT_THAT(test::listing(folder.path()), ElementsAre("x.h5"));
  const Hdf5File file = Hdf5File::open(folder / "x.h5");
  EXPECT_THAT(file.datasets(),
              ElementsAre("f", "grow", "i32", "i64", "none", "none_fixed", "u8", "zip"));
  EXPECT_THAT(file.groups(), ElementsAre("deep"));
  EXPECT_THAT(file.datasets("deep/er"), ElementsAre("d"));
  for (const char* name : {"f", "zip", "grow"}) {
    const std::vector<float> read = file.read<float>(name, 2);
    ASSERT_EQ(read.size(), floats.size());
    for (std::size_t i = 0; i < read.size(); ++i)
      EXPECT_TRUE(read[i] == floats[i] || std::isnan(floats[i]));
    EXPECT_EQ(file.dataset(name).describe(), "float32 (3, 2)");
  }
  EXPECT_THAT(file.read<double>("deep/er/d", 0), ElementsAre(0.1));
  EXPECT_EQ(file.read<int64_t>("i64"), longs);
  EXPECT_THAT(file.read<int64_t>("i32"), ElementsAre(-1, 7));
  EXPECT_THAT(file.read<double>("i32"), ElementsAre(-1.0, 7.0));
  EXPECT_THAT(file.read<int32_t>("u8"), ElementsAre(0, 255));
  EXPECT_TRUE(file.read<int64_t>("none", 2).empty());
  EXPECT_TRUE(file.read<float>("none_fixed", 2).empty());
  EXPECT_TRUE(file.exists("deep/er"));
  EXPECT_FALSE(file.exists("deep/er/x"));
  EXPECT_FALSE(file.exists("no/such"));
}

TEST(Hdf5, AppendsAndReadsRows) {
  const test::TempFolder folder;
  const std::vector<int64_t> all = counted<int64_t>(2000);
  {
    Hdf5File file = Hdf5File::create(folder / "x.h5");
    file.write("c", std::vector<int64_t>{}, {0, 2}, {.chunk_rows = 64, .unlimited = true});
    for (std::size_t i = 0; i < 1000; i += 125)
      file.append_rows("c", std::span(all).subspan(2 * i, 250));
    EXPECT_THROW(file.append_rows("c", std::vector<int64_t>{1, 2, 3}), std::logic_error);
    file.write("fixed", all, {1000, 2});
    EXPECT_THROW(file.append_rows("fixed", all), std::logic_error);
    EXPECT_THROW(file.write("fixed", all, {1000, 2}), std::logic_error);
    EXPECT_THROW(file.write("short", all, {1000, 3}), std::logic_error);
    file.commit();
    EXPECT_THROW(file.create_group("late"), std::logic_error);
  }
  const Hdf5File file = Hdf5File::open(folder / "x.h5");
  EXPECT_EQ(file.read<int64_t>("c"), all);
  EXPECT_THAT(file.read_rows<int64_t>("c", 998, 2), ElementsAre(1996, 1997, 1998, 1999));
  EXPECT_THAT(file.read_rows<float>("fixed", 63, 1), ElementsAre(126.0F, 127.0F));
  EXPECT_TRUE(file.read_rows<float>("fixed", 1000, 0).empty());
  EXPECT_THROW(file.read_rows<float>("fixed", 999, 2), std::out_of_range);
  EXPECT_THROW(file.read_rows<float>("fixed", -1, 2), std::out_of_range);
}

// Every half there is, against its definition: (-1)^s 2^(e-15) (1 + m/1024), 2^-14 m/1024 where e =
// 0.
TEST(Hdf5, HalfPrecisionIsExact) {
  const test::TempFolder folder;
  std::vector<double> all;
  for (int bits = 0; bits < 65536; ++bits) {
    const int exponent = (bits >> 10) & 31;
    const double fraction = (bits & 1023) / 1024.0;
    double value =
        exponent == 0 ? std::ldexp(fraction, -14) : std::ldexp(1 + fraction, exponent - 15);
    if (exponent == 31)
      value = fraction == 0 ? std::numeric_limits<double>::infinity()
                            : std::numeric_limits<double>::quiet_NaN();
    all.push_back((bits >> 15) != 0 ? -value : value);
  }
  {
    Hdf5File file = Hdf5File::create(folder / "x.h5");
    file.write("h", all, {65536}, {.float16 = true});
    EXPECT_THROW(file.write("i", std::vector<int64_t>{1}, {1}, {.float16 = true}),
                 std::logic_error);
    file.commit();
  }
  const Hdf5File file = Hdf5File::open(folder / "x.h5");
  EXPECT_EQ(file.dataset("h").describe(), "float16 (65536)");
  EXPECT_EQ(file.dataset("h").element_bytes, 2U);
  const std::vector<float> floats = file.read<float>("h");
  const std::vector<double> doubles = file.read<double>("h");
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (std::isnan(all[i])) {
      EXPECT_TRUE(std::isnan(floats[i]) && std::isnan(doubles[i]));
    } else {
      ASSERT_EQ(static_cast<double>(floats[i]), all[i]) << i;
      ASSERT_EQ(doubles[i], all[i]) << i;
      ASSERT_EQ(std::signbit(doubles[i]), std::signbit(all[i])) << i;
    }
  }
}

TEST(Hdf5, AttributesOfFileGroupAndDataset) {
  const test::TempFolder folder;
  const std::string config = "{\"mpp\": 0.5, \"name\": \"\xc3\xa9\"}" + std::string(100'000, ' ');
  {
    Hdf5File file = Hdf5File::create(folder / "x.h5");
    file.write("coords", counted<int64_t>(4), {2, 2});
    file.create_group("g");
    for (const char* object : {"", "g", "coords"}) {
      file.set_attribute(object, "attn_config", "to be replaced");
      file.set_attribute(object, "attn_config", config);
      file.set_attribute(object, "empty", "");
      file.set_attribute(object, "patch_size", 256);
      file.set_attribute(object, "mpp", 0.25);
      file.set_attribute(object, "level_dim", std::vector<int64_t>{2220, 2967});
      file.set_attribute(object, "downsample", std::vector<double>{1.0, 4.5});
    }
    EXPECT_THROW(file.set_attribute("", "nul", std::string_view("a\0b", 3)), std::logic_error);
    file.commit();
  }
  const Hdf5File file = Hdf5File::open(folder / "x.h5");
  for (const char* object : {"", "/", "g", "coords"}) {
    EXPECT_THAT(file.attributes(object), ElementsAre("attn_config", "downsample", "empty",
                                                     "level_dim", "mpp", "patch_size"));
    EXPECT_EQ(file.string_attribute(object, "attn_config"), config);
    EXPECT_EQ(file.string_attribute(object, "empty"), "");
    EXPECT_EQ(file.int_attribute(object, "patch_size"), 256);
    EXPECT_EQ(file.double_attribute(object, "patch_size"), 256.0);
    EXPECT_EQ(file.double_attribute(object, "mpp"), 0.25);
    EXPECT_THAT(file.int_array_attribute(object, "level_dim"), ElementsAre(2220, 2967));
    EXPECT_THAT(file.int_array_attribute(object, "patch_size"), ElementsAre(256));
    EXPECT_THAT(file.double_array_attribute(object, "downsample"), ElementsAre(1.0, 4.5));
    EXPECT_TRUE(file.has_attribute(object, "mpp"));
    EXPECT_FALSE(file.has_attribute(object, "none"));
  }
  EXPECT_THAT(sentence_of([&] { file.int_attribute("coords", "patchsize"); }),
              HasSubstr("x.h5: coords has no attribute 'patchsize'"));
  EXPECT_THAT(sentence_of([&] { file.int_attribute("coords", "patchsize"); }),
              HasSubstr("did you mean 'patch_size'?"));
  EXPECT_THAT(sentence_of([&] { file.int_attribute("", "mpp"); }),
              HasSubstr("attribute mpp of the file: expected whole numbers, found real numbers"));
  EXPECT_THAT(sentence_of([&] { file.string_attribute("g", "mpp"); }),
              HasSubstr("expected text, found real numbers"));
  EXPECT_THAT(sentence_of([&] { file.double_attribute("g", "level_dim"); }),
              HasSubstr("expected one number, found whole numbers (2 of them)"));
  EXPECT_THAT(sentence_of([&] { file.double_attribute("g", "attn_config"); }),
              HasSubstr("expected numbers, found text"));
}

TEST(Hdf5, TheSameContentsGiveTheSameBytes) {
  const test::TempFolder folder;
  for (const char* name : {"a", "b"}) {
    Hdf5File file = Hdf5File::create(folder / name);
    file.write("g/x", counted<float>(1000), {500, 2}, {.gzip = 3, .unlimited = true});
    file.set_attribute("", "attn_config", "{}");
    file.commit();
    std::this_thread::sleep_for(
        std::chrono::milliseconds(name[0] == 'a' ? 1100 : 0));  // time stamps count seconds
  }
  EXPECT_EQ(test::slurp(folder / "a"), test::slurp(folder / "b"));
}

TEST(Hdf5, MissingAndMistypedDatasets) {
  const test::TempFolder folder;
  {
    Hdf5File file = Hdf5File::create(folder / "x.h5");
    file.write("features", counted<float>(6), {3, 2});
    file.write("coords", std::vector<int64_t>{1, int64_t{1} << 40}, {1, 2});
    file.create_group("g");
    file.commit();
  }
  const Hdf5File file = Hdf5File::open(folder / "x.h5");
  EXPECT_THAT(sentence_of([&] { file.read<float>("featurs"); }),
              HasSubstr("x.h5: there is no dataset 'featurs' (found: coords, features); did you "
                        "mean 'features'?"));
  EXPECT_THAT(sentence_of([&] { file.read<float>("g"); }),
              HasSubstr("expected a dataset at 'g', found a group"));
  EXPECT_THAT(sentence_of([&] { file.datasets("features"); }), HasSubstr("is no group"));
  EXPECT_THAT(sentence_of([&] { file.datasets("none"); }), HasSubstr("there is no group 'none'"));
  EXPECT_THAT(sentence_of([&] { file.read<float>("features", 1); }),
              HasSubstr("dataset features: expected 1 dimensions, found float32 (3, 2)"));
  EXPECT_THAT(sentence_of([&] { file.read<int64_t>("features"); }),
              HasSubstr("expected whole numbers, found float32 (3, 2)"));
  EXPECT_THAT(sentence_of([&] { file.read<int32_t>("coords"); }),
              HasSubstr("the value 1099511627776 is out of range"));
}

TEST(Hdf5, ManyThreadsReadAtOnce) {
  const test::TempFolder folder;
  for (int i = 0; i < 4; ++i) {
    Hdf5File file = Hdf5File::create(folder / std::to_string(i));
    file.write("x", std::vector<double>(5000, i), {5000}, {.gzip = 1});
    file.commit();
  }
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::vector<int> good(4, 0);
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (int round = 0; round < 20; ++round) {
        const Hdf5File file = Hdf5File::open(folder / std::to_string((i + round) % 4));
        good[static_cast<std::size_t>(i)] +=
            file.read<double>("x")[4999] == (i + round) % 4 ? 1 : 0;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(good, testing::Each(20));
}

TEST(Hdf5, FindsTheFirstRowThatIsNotFinite) {
  std::vector<float> values(20, 1.0F);
  EXPECT_EQ(first_nonfinite_row(values, 4), -1);
  values[11] = std::numeric_limits<float>::infinity();
  values[13] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(first_nonfinite_row(values, 4), 2);
  EXPECT_EQ(first_nonfinite_row(std::vector<double>{}, 4), -1);
}

std::string write_until_full(const fs::path& path, const H5WriteOptions& options) {
  Hdf5File file = Hdf5File::create(path);
  file.set_attribute("", "attn_config", "{}");
  for (int i = 0; i < 40; ++i)
    file.write("x" + std::to_string(i), std::vector<float>(10'000, static_cast<float>(i)),
               {5000, 2}, options);
  file.commit();
  return "";
}

TEST(Hdf5, AFullDiskIsOneSentenceAndLeavesNothing) {
  for (const H5WriteOptions& options :
       {H5WriteOptions{}, H5WriteOptions{.chunk_rows = 1, .unlimited = true},
        H5WriteOptions{.chunk_rows = 500, .gzip = 1}})
    for (const int kib : {64, 120, 300, 700}) {
      const auto outcome = test::on_small_disk(kib, false, [&](const fs::path& disk) {
        // gzip packs constants away: random numbers fill the disk.
        if (options.gzip == 0) {
          write_until_full(disk / "x.h5", options);
        } else {
          std::mt19937_64 random(7);
          Hdf5File file = Hdf5File::create(disk / "x.h5");
          std::vector<float> noise(400'000);
          for (float& value : noise) value = static_cast<float>(random());
          file.write("x", noise, {200'000, 2}, options);
          file.commit();
        }
      });
      ATTN_NEED_MOUNTS(outcome);
      EXPECT_THAT(outcome->message,
                  HasSubstr("x.h5: No space left on device; free some space and run again"))
          << kib;
      EXPECT_EQ(outcome->left, "old");
      EXPECT_EQ(outcome->exit_status, 0) << "the library must not fail at exit";
    }
}

// The disk fills during the last flush: small writes stay in the library's cache until then.
TEST(Hdf5, AFullDiskAtTheEndIsNoticed) {
  const auto outcome = test::on_small_disk(32, false, [](const fs::path& disk) {
    Hdf5File file = Hdf5File::create(disk / "x.h5");
    for (int i = 0; i < 400; ++i)
      file.create_group("group with a long name number " + std::to_string(i));
    file.commit();
  });
  ATTN_NEED_MOUNTS(outcome);
  EXPECT_THAT(outcome->message, HasSubstr("x.h5: No space left on device"));
  EXPECT_EQ(outcome->left, "old");
  EXPECT_EQ(outcome->exit_status, 0);
}

TEST(Hdf5, AReadOnlyMount) {
  const auto outcome =
      test::on_small_disk(64, true, [](const fs::path& disk) { Hdf5File::create(disk / "x.h5"); });
  ATTN_NEED_MOUNTS(outcome);
  EXPECT_THAT(outcome->message, HasSubstr("x.h5: Read-only file system"));
  EXPECT_EQ(outcome->left, "old");
}

// Files that h5py wrote: see each file's own tool in the shared data's notes.
TEST(Hdf5, ReadsWhatOtherToolsWrite) {
  const fs::path folder = test::shared_data("pathology/interop");
  ATTN_NEED_SHARED_DATA(folder);
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".h5") continue;
    ++files;
    const Hdf5File file = Hdf5File::open(entry.path());
    std::vector<std::string> groups = {""};
    int datasets = 0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const std::string prefix = groups[i].empty() ? "" : groups[i] + "/";
      for (const std::string& group : file.groups(groups[i])) groups.push_back(prefix + group);
      for (const std::string& name : file.datasets(groups[i])) {
        ++datasets;
        const H5Dataset info = file.dataset(prefix + name);
        ASSERT_TRUE(info.kind == H5Kind::real || info.kind == H5Kind::integer)
            << entry.path() << " " << name;
        const std::vector<double> values = file.read<double>(prefix + name);
        EXPECT_EQ(first_nonfinite_row(values, 1), -1);
      }
    }
    EXPECT_GT(datasets, 0) << entry.path();
  }
  EXPECT_GE(files, 9);

  const Hdf5File clam = Hdf5File::open(folder / "clam_coords_cmu-1-small-region.h5");
  EXPECT_EQ(clam.dataset("coords").describe(), "int64 (50, 2)");
  EXPECT_EQ(clam.string_attribute("coords", "name"), "cmu-1-small-region");
  EXPECT_EQ(clam.int_attribute("coords", "patch_size"), 256);
  EXPECT_THAT(clam.int_array_attribute("coords", "level_dim"), ElementsAre(2220, 2967));
  EXPECT_THAT(clam.double_array_attribute("coords", "downsample"), ElementsAre(1.0, 1.0));
  const Hdf5File golden = Hdf5File::open(folder / "golden_aem_losses.h5");
  EXPECT_EQ(golden.double_attribute("", "lambda"), 0.1);
  EXPECT_NEAR(golden.double_attribute("abmil_gated", "ce"), 0.404988, 5e-7);  // h5dump's six digits
  const Hdf5File aem = Hdf5File::open(folder / "aem_patch_feats_pretrain_hist48.h5");
  EXPECT_EQ(aem.dataset("mosaic_colon_pos/feat").describe(), "float16 (75, 48)");
  EXPECT_EQ(aem.int_attribute("mosaic_colon_pos", "label"), 1);
}

}  // namespace
}  // namespace attn::io
