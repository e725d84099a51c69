// Files that are not what they should be, made by the HDF5 library itself or by breaking its bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hdf5.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <functional>
#include <random>
#include <thread>

#include "libattn/io/hdf5.h"
#include "libattn/io/hdf5_child.h"
#include "tests/support/damage.h"
#include "tests/support/data.h"
#include "tests/support/temp_folder.h"

namespace attn::io {
namespace {

namespace fs = std::filesystem;
using test::sentence_of;
using testing::ElementsAre;
using testing::HasSubstr;

/// Reads all there is.
void read_all(const fs::path& path) {
  const Hdf5File file = Hdf5File::open(path);
  std::vector<std::string> groups = {""};
  for (std::size_t i = 0; i < groups.size() && i < 100; ++i) {
    for (const std::string& name : file.attributes(groups[i]))
      file.string_attribute(groups[i], name);
    const std::string prefix = groups[i].empty() ? "" : groups[i] + "/";
    for (const std::string& group : file.groups(groups[i])) groups.push_back(prefix + group);
    for (const std::string& name : file.datasets(groups[i])) {
      for (const std::string& attribute : file.attributes(prefix + name))
        file.double_array_attribute(prefix + name, attribute);
      if (file.dataset(prefix + name).kind == H5Kind::real) {
        file.read<float>(prefix + name);
      } else {
        file.read<int64_t>(prefix + name);
      }
    }
  }
}

std::string whole_file(const fs::path& path) {
  std::mt19937_64 random(8);
  std::vector<float> features(600);
  for (float& value : features) value = static_cast<float>(random() % 1000);
  std::vector<int64_t> coords(200);
  for (int64_t& value : coords) value = static_cast<int64_t>(random() % 1000);
  Hdf5File file = Hdf5File::create(path);
  file.write("features", features, {100, 6},
             {.chunk_rows = 16, .gzip = 4, .shuffle = true, .unlimited = true});
  file.write("coords", coords, {100, 2});
  file.write("group/coords", coords, {100, 2}, {.chunk_rows = 1, .unlimited = true});
  file.set_attribute("", "attn_config", "{\"mpp\": 0.5}");
  file.set_attribute("coords", "level_dim", std::vector<int64_t>{1, 2});
  file.commit();
  return test::slurp(path);
}

TEST(Hdf5Damage, SaysWhatItFoundInstead) {
  const test::TempFolder folder;
  const auto opening = [&](const std::string& bytes) {
    test::put(folder / "x.h5", bytes);
    return sentence_of([&] { Hdf5File::open(folder / "x.h5"); });
  };
  EXPECT_THAT(opening(""), HasSubstr("x.h5: expected an HDF5 file, found an empty file"));
  EXPECT_THAT(opening(std::string(5000, '\0')), HasSubstr("found a file of zero bytes"));
  EXPECT_THAT(opening("bag,label\n1,2\n"), HasSubstr("found a text file"));
  EXPECT_THAT(opening("PK\x03\x04....."), HasSubstr("found a ZIP archive"));
  EXPECT_THAT(sentence_of([&] { Hdf5File::open(folder / "none.h5"); }),
              HasSubstr("none.h5: No such file or directory"));
  EXPECT_THAT(sentence_of([&] { Hdf5File::open(folder.path()); }), HasSubstr("Is a directory"));
}

TEST(Hdf5Damage, CutsZerosAndOtherTypes) {
  const test::TempFolder folder;
  const std::string whole = whole_file(folder / "x.h5");
  EXPECT_NO_THROW(read_all(folder / "x.h5"));
  for (const auto& [name, bytes] : test::broken_versions(whole)) {
    test::put(folder / "d.h5", bytes);
    const bool read = test::reads_or_explains([&] { read_all(folder / "d.h5"); }, name);
    // The last byte belongs to the checksum behind the data: without it the file is as another
    // program's.
    EXPECT_EQ(read, name == "last byte missing") << name;
  }
  test::put(folder / "d.h5", whole.substr(0, whole.size() / 2));
  EXPECT_THAT(sentence_of([&] { Hdf5File::open(folder / "d.h5"); }),
              HasSubstr("d.h5: the HDF5 file is truncated ("));
}

TEST(Hdf5Damage, NoFlippedBitAndNoZeroedBlockGoesUnnoticed) {
  const test::TempFolder folder;
  const std::string whole = whole_file(folder / "x.h5");
  const std::size_t data = whole.size() - 48;
  std::mt19937_64 random(9);
  for (int i = 0; i < 1'000; ++i) {
    std::string bytes = whole;
    if (i % 2 == 0) {
      bytes[random() % data] ^= static_cast<char>(1U << (random() % 8));
    } else {
      const std::size_t at = random() % (data - 64);
      bytes.replace(at, 64, std::string(64, '\0'));
      if (bytes == whole) continue;
    }
    test::put(folder / "d.h5", bytes);
    EXPECT_THAT(
        sentence_of([&] { read_all(folder / "d.h5"); }),
        testing::AnyOf(
            HasSubstr(
                "d.h5: the file is damaged (its contents do not match the checksum at its end)"),
            HasSubstr("expected an HDF5 file")));
  }
}

// Files of other programs carry no checksum: the data of a contiguous dataset cannot tell, but a
// cut or zeroed file can.
TEST(Hdf5Damage, OtherProgramsFilesCutOrZeroedFromSomePlaceOn) {
  const std::filesystem::path source = test::shared_data("pathology/interop");
  ATTN_NEED_SHARED_DATA(source);
  const test::TempFolder folder;
  for (const auto& entry : fs::directory_iterator(source)) {
    if (entry.path().extension() != ".h5" || entry.file_size() > 100'000) continue;
    const std::string whole = test::slurp(entry.path());
    for (std::size_t i = 0; i < 16; ++i) {
      const std::size_t at = whole.size() * i / 16;
      test::put(folder / "d.h5", whole.substr(0, at));
      EXPECT_FALSE(test::reads_or_explains([&] { read_all(folder / "d.h5"); }, "cut"))
          << entry.path() << i;
      test::put(folder / "d.h5", whole.substr(0, at) + std::string(whole.size() - at, '\0'));
      test::reads_or_explains([&] { read_all(folder / "d.h5"); }, "zeroed");
    }
  }
}

/// Makes a file with the library's own calls.
void with_library(const fs::path& path, const std::function<void(hid_t)>& fill) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  fill(file);
  ASSERT_GE(H5Fclose(file), 0);
}

// One byte of the heap's index: HDF5 1.10 then reads text from anywhere, by chance without a crash.
TEST(Hdf5Damage, TextOfADamagedHeapIsReadInOurPlace) {
  const std::filesystem::path source =
      test::shared_data("pathology/interop/trident_features_cmu-1-small-region.h5");
  ATTN_NEED_SHARED_DATA(source);
  const test::TempFolder folder;
  const std::string whole = test::slurp(source);
  for (const int value : {1, 3, 7, 15, 64, 200, 255}) {
    std::string bytes = whole;
    bytes[1014] = static_cast<char>(value);
    test::put(folder / "d.h5", bytes);
    test::reads_or_explains([&] { read_all(folder / "d.h5"); }, std::to_string(value));
  }
}

// A parent program may leave SIGCHLD ignored to us, and then no exit status can be had.
TEST(Hdf5Damage, AChildThatDiesIsNoticedWithoutItsExitStatus) {
  for (auto* const handling : {SIG_DFL, SIG_IGN}) {
    auto* const before = std::signal(SIGCHLD, handling);
    const auto crashed = h5::in_child(5, [] {
      std::raise(SIGSEGV);
      return std::string();
    });
    const auto empty = h5::in_child(5, [] { return std::string(); });
    const auto answered = h5::in_child(5, [] { return std::string("sound"); });
    std::signal(SIGCHLD, before);
    EXPECT_FALSE(crashed.has_value());
    EXPECT_EQ(empty, "");
    EXPECT_EQ(answered, "sound");
  }
}

// Ctrl-C goes to the process that looks over a file without a checksum, too.
TEST(Hdf5Damage, InterruptsWhileAFileIsLookedOverAreNoDamage) {
  const test::TempFolder folder;
  with_library(folder / "x.h5", [](hid_t file) {
    for (int i = 0; i < 400; ++i)
      H5Gclose(H5Gcreate2(file, ("g" + std::to_string(i)).c_str(), H5P_DEFAULT, H5P_DEFAULT,
                          H5P_DEFAULT));
  });
  const std::string whole = test::slurp(folder / "x.h5");
  auto* const before = std::signal(SIGINT, SIG_IGN);
  std::atomic<bool> stop{false};
  std::atomic<int> sent{0};
  const pid_t parent = ::getpid();
  std::thread user([&] {
    const std::string children =
        "/proc/self/task/" + std::to_string(parent) + "/children";  // of the main thread
    while (!stop) {
      std::ifstream list(children);
      for (pid_t child = 0; list >> child;) sent += ::kill(child, SIGINT) == 0 ? 1 : 0;
    }
  });
  for (int i = 0; i < 20; ++i) {
    const fs::path path = folder / ("f" + std::to_string(i) + ".h5");
    test::put(path, whole);
    EXPECT_NO_THROW(Hdf5File::open(path));
  }
  stop = true;
  user.join();
  std::signal(SIGINT, before);
  EXPECT_GT(sent.load(), 0) << "no child was seen while it worked";
}

hid_t make_dataset(hid_t file, const char* name, hid_t type, std::vector<hsize_t> sizes,
                   hid_t properties = H5P_DEFAULT) {
  const hid_t space = H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr);
  const hid_t dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  H5Sclose(space);
  return dataset;
}

TEST(Hdf5Damage, DataThatWereNeverWrittenAreNotZeros) {
  const test::TempFolder folder;
  with_library(folder / "x.h5", [](hid_t file) {
    H5Dclose(make_dataset(file, "contiguous", H5T_NATIVE_FLOAT, {1000, 10}));
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    const std::array<hsize_t, 2> chunk = {100, 10};
    H5Pset_chunk(properties, 2, chunk.data());
    const hid_t partly = make_dataset(file, "partly", H5T_NATIVE_FLOAT, {1000, 10}, properties);
    const hid_t space = H5Dget_space(partly);
    const std::array<hsize_t, 2> start = {0, 0};
    const std::array<hsize_t, 2> count = {250, 10};
    H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    const hid_t memory = H5Screate_simple(2, count.data(), nullptr);
    const std::vector<float> values(2500, 1.0F);
    H5Dwrite(partly, H5T_NATIVE_FLOAT, memory, space, H5P_DEFAULT, values.data());
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(partly);
    H5Pclose(properties);
  });
  const Hdf5File file = Hdf5File::open(folder / "x.h5");
  EXPECT_THAT(sentence_of([&] { file.read<float>("contiguous"); }),
              HasSubstr("float32 (1000, 10) were never written"));
  EXPECT_THAT(sentence_of([&] { file.read<float>("partly"); }),
              HasSubstr("only 3 of its 10 chunks were written"));
}

TEST(Hdf5Damage, HugeShapes) {
  const test::TempFolder folder;
  with_library(folder / "x.h5", [](hid_t file) {
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    const std::array<hsize_t, 2> chunk = {1 << 20, 1000};
    H5Pset_chunk(properties, 2, chunk.data());
    H5Dclose(make_dataset(file, "huge", H5T_NATIVE_UINT8, {hsize_t{1} << 50, 1000}, properties));
    H5Dclose(make_dataset(file, "absurd", H5T_NATIVE_UINT8, {hsize_t{1} << 62, 1000}, properties));
    H5Pclose(properties);
  });
  const Hdf5File file = Hdf5File::open(folder / "x.h5");
  EXPECT_THAT(sentence_of([&] { file.read<uint8_t>("huge"); }), HasSubstr("chunks were written"));
  EXPECT_THAT(sentence_of([&] { file.read_rows<uint8_t>("absurd", 0, 1); }),
              HasSubstr("is impossible"));
}

TEST(Hdf5Damage, TypesOfOtherTools) {
  const test::TempFolder folder;
  with_library(folder / "x.h5", [](hid_t file) {
    const hid_t boolean = H5Tenum_create(H5T_NATIVE_INT8);  // as h5py writes numpy's bool
    int8_t value = 0;
    H5Tenum_insert(boolean, "FALSE", &value);
    value = 1;
    H5Tenum_insert(boolean, "TRUE", &value);
    const std::array<int8_t, 3> flags = {0, 1, 1};
    hid_t dataset = make_dataset(file, "flags", boolean, {3});
    H5Dwrite(dataset, boolean, H5S_ALL, H5S_ALL, H5P_DEFAULT, flags.data());
    H5Dclose(dataset);
    H5Tclose(boolean);
    const std::array<uint64_t, 2> large = {1, ~uint64_t{0}};
    dataset = make_dataset(file, "u64", H5T_NATIVE_UINT64, {2});
    H5Dwrite(dataset, H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, large.data());
    H5Dclose(dataset);
    const std::array<int16_t, 2> big_endian = {-5, 300};
    dataset = make_dataset(file, "be", H5T_STD_I16BE, {2});
    H5Dwrite(dataset, H5T_NATIVE_INT16, H5S_ALL, H5S_ALL, H5P_DEFAULT, big_endian.data());
    H5Dclose(dataset);
    const hid_t text = H5Tcopy(H5T_C_S1);
    H5Tset_size(text, 8);
    dataset = make_dataset(file, "text", text, {2});
    H5Dwrite(dataset, text, H5S_ALL, H5S_ALL, H5P_DEFAULT, "abcdefghabcdefgh");
    H5Dclose(dataset);
    const hid_t scalar = H5Screate(H5S_SCALAR);
    const hid_t fixed = H5Acreate2(file, "fixed", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(fixed, text, "abc\0\0\0\0\0");
    H5Aclose(fixed);
    H5Tset_strpad(text, H5T_STR_SPACEPAD);
    const hid_t padded = H5Acreate2(file, "padded", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(padded, text, "abc d   ");
    H5Aclose(padded);
    const hid_t full = H5Acreate2(file, "full", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(full, text, "abcdefgh");
    H5Aclose(full);
    H5Sclose(scalar);
    H5Tclose(text);
    const hid_t null = H5Screate(H5S_NULL);
    H5Dclose(
        H5Dcreate2(file, "null", H5T_NATIVE_FLOAT, null, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Aclose(H5Acreate2(file, "null", H5T_NATIVE_INT, null, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(null);
    H5Lcreate_soft("/nowhere", file, "dangling", H5P_DEFAULT, H5P_DEFAULT);
  });
  const Hdf5File file = Hdf5File::open(folder / "x.h5");
  EXPECT_THAT(file.datasets(), ElementsAre("be", "flags", "null", "text", "u64"));
  EXPECT_EQ(file.dataset("flags").describe(), "bool (3)");
  EXPECT_THAT(file.read<uint8_t>("flags"), ElementsAre(0, 1, 1));
  EXPECT_THAT(file.read<int64_t>("be"), ElementsAre(-5, 300));
  EXPECT_THAT(file.read<double>("be"), ElementsAre(-5, 300));
  EXPECT_THAT(sentence_of([&] { file.read<int64_t>("u64"); }),
              HasSubstr("the value 18446744073709551615 is out of range"));
  EXPECT_THAT(sentence_of([&] { file.read<uint8_t>("be"); }),
              HasSubstr("the value -5 is out of range"));
  EXPECT_THAT(sentence_of([&] { file.read<float>("text"); }),
              HasSubstr("expected numbers, found text (2)"));
  EXPECT_THAT(sentence_of([&] { file.read<float>("flags"); }),
              HasSubstr("expected numbers, found bool (3)"));
  EXPECT_THAT(sentence_of([&] { file.read<float>("null"); }), HasSubstr("holds no data"));
  EXPECT_THAT(sentence_of([&] { file.read<float>("dangling"); }),
              HasSubstr("there is no dataset 'dangling'"));
  EXPECT_EQ(file.string_attribute("", "fixed"), "abc");
  EXPECT_EQ(file.string_attribute("", "padded"), "abc d");
  EXPECT_EQ(file.string_attribute("", "full"), "abcdefgh");
  EXPECT_THAT(sentence_of([&] { file.int_attribute("", "null"); }),
              HasSubstr("expected one whole number"));
}

}  // namespace
}  // namespace attn::io
