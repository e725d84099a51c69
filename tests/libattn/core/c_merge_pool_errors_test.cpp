// What merging and pooling refuse at the C face: as c_errors_test.cpp.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/libattn/core/c_calls.h"

namespace {

using attn::test::c_array;

constexpr int64_t kHuge = int64_t{1} << 62;

/// A double beside its place.
void shift(attn_array& x) {
  x.data = static_cast<char*>(x.data) + 4;
}

/// A valid merge of two parts of (1,1,3,2), everything wanted.
struct Merge {
  std::vector<double> out = std::vector<double>(6, 7), row = std::vector<double>(3, 7);
  attn_part whole, parts[2], to[2], merged;
  std::vector<double> merged_out = out, merged_row = row, dout_s = out, dlse_s = row;
  attn_merge call = attn_merge_init();
  attn_merge_gradient gradient{};

  Merge() {
    const attn_array matrix = c_array(out, 1, 3, 2), rows = c_array(row, 1, 3, 1);
    parts[0] = parts[1] = {matrix, rows, rows, rows, rows};
    to[0] = {c_array(dout_s, 1, 3, 2), c_array(dlse_s, 1, 3, 1), {}, {}, {}};
    to[1] = attn_part{};
    call.type = ATTN_FLOAT64, call.batch = call.heads = 1, call.nq = 3, call.dv = 2;
    call.parts_count = 2, call.parts = parts;
    call.merged.out = c_array(merged_out, 1, 3, 2);
    call.merged.entropy = c_array(merged_row, 1, 3, 1);
    call.merged.row_max = attn_array{};
    gradient = {matrix, rows, rows, to};
  }
  bool untouched() const {
    for (const auto* x : {&merged_out, &merged_row, &dout_s, &dlse_s}) {
      for (const double value : *x) {
        if (value != 7) return false;
      }
    }
    return true;
  }
};

TEST(CMergePoolErrors, Merging) {
  const std::vector<std::pair<const char*, std::function<void(Merge&)>>> wrong = {
      {"version is 9; expected 1, as attn_merge_init", [](auto& m) { m.call.version = 9; }},
      {"type is -1", [](auto& m) { m.call.type = -1; }},
      {"nq is -1", [](auto& m) { m.call.nq = -1; }},
      {"dv is 4611686018427387904", [](auto& m) { m.call.dv = kHuge; }},
      {"parts_count is 0; expected 1", [](auto& m) { m.call.parts_count = 0; }},
      {"parts is NULL", [](auto& m) { m.call.parts = nullptr; }},
      {"threads is -7", [](auto& m) { m.call.threads = -7; }},
      {"parts[1].lse has NULL data and merging needs it", [](auto& m) { m.parts[1].lse = {}; }},
      {"parts[0].out has NULL data and merged.out is not", [](auto& m) { m.parts[0].out = {}; }},
      {"parts[1].entropy has NULL data and merged.entropy",
       [](auto& m) { m.parts[1].entropy = {}; }},
      {"parts[1].row_max has NULL data and merged.row_max",
       [](auto& m) { m.parts[1].row_max = {}, m.call.merged.row_max = m.call.merged.entropy; }},
      {"parts[1].lse_tail: data is not aligned", [](auto& m) { shift(m.parts[1].lse_tail); }},
      {"merged.out: stride 0 of row", [](auto& m) { m.call.merged.out.row = 0; }},
  };
  for (const auto& [message, make] : wrong) {
    Merge m;
    make(m);
    EXPECT_EQ(attn_merge_forward(&m.call), ATTN_INVALID) << message;
    EXPECT_NE(std::string(attn_error_message()).find(message), std::string::npos)
        << "expected \"" << message << "\", found \"" << attn_error_message() << "\"";
    EXPECT_EQ(attn_merge_backward(&m.call, &m.gradient), ATTN_INVALID) << message;
    EXPECT_TRUE(m.untouched()) << message;
  }
  EXPECT_EQ(attn_merge_forward(nullptr), ATTN_INVALID);
}

TEST(CMergePoolErrors, MergingBackward) {
  const std::vector<std::pair<const char*, std::function<void(Merge&)>>> wrong = {
      {"gradient parts is NULL", [](auto& m) { m.gradient.parts = nullptr; }},
      {"gradient parts[0].out: stride 1 of row", [](auto& m) { m.to[0].out.row = 1; }},
      {"dout: column is 0", [](auto& m) { m.gradient.dout.column = 0; }},
      {"gradient parts[0].lse is wanted and dout is given: it needs out",
       [](auto& m) { m.call.merged.out = {}; }},
      {"gradient parts[0].lse is wanted and dentropy is given: it needs entropy",
       [](auto& m) { m.call.merged.entropy = {}; }},
  };
  for (const auto& [message, make] : wrong) {
    Merge m;
    make(m);
    EXPECT_EQ(attn_merge_backward(&m.call, &m.gradient), ATTN_INVALID) << message;
    EXPECT_NE(std::string(attn_error_message()).find(message), std::string::npos)
        << "expected \"" << message << "\", found \"" << attn_error_message() << "\"";
    EXPECT_TRUE(m.untouched()) << message;
  }
  Merge m;
  EXPECT_EQ(attn_merge_backward(&m.call, nullptr), ATTN_INVALID);
  EXPECT_STREQ(attn_error_message(), "gradient is NULL");
}

/// A valid pooling of two bags, everything wanted.
struct Pool {
  std::vector<double> scores = std::vector<double>(10, 1), values = std::vector<double>(15, 1);
  std::vector<double> out = std::vector<double>(12, 7), lse = std::vector<double>(4, 7), tail = lse,
                      entropy = lse, dscores = std::vector<double>(10, 7),
                      dvalues = std::vector<double>(15, 7);
  std::vector<int64_t> offsets = {0, 2, 5};
  attn_pool call = attn_pool_init();
  attn_pool_gradient gradient{};

  Pool() {
    call.type = ATTN_FLOAT64, call.bags = 2, call.rows = 5, call.heads = 2, call.d = 3;
    call.offsets = offsets.data(), call.scores = scores.data(), call.values = values.data();
    call.out = out.data(), call.lse = lse.data(), call.lse_tail = tail.data();
    call.entropy = entropy.data();
    gradient = {scores.data(), scores.data(), scores.data(), dscores.data(), dvalues.data()};
    gradient.dout = values.data();
  }
  bool untouched() const {
    for (const auto* x : {&out, &lse, &tail, &entropy, &dscores, &dvalues}) {
      for (const double value : *x) {
        if (value != 7) return false;
      }
    }
    return true;
  }
};

const void* beside(const void* data) {
  return static_cast<const char*>(data) + 1;
}

TEST(CMergePoolErrors, Pooling) {
  const std::vector<std::pair<const char*, std::function<void(Pool&)>>> wrong = {
      {"version is 0; expected 1, as attn_pool_init", [](auto& p) { p.call.version = 0; }},
      {"type is 2", [](auto& p) { p.call.type = 2; }},
      {"bags is -1", [](auto& p) { p.call.bags = -1; }},
      {"rows is -2", [](auto& p) { p.call.rows = -2; }},
      {"heads is -3", [](auto& p) { p.call.heads = -3; }},
      {"d is 4611686018427387904", [](auto& p) { p.call.d = kHuge; }},
      {"offsets is NULL", [](auto& p) { p.call.offsets = nullptr; }},
      {"offsets falls from 2 to 1 at 2", [](auto& p) { p.offsets[2] = 1; }},
      {"offsets ends at 4; expected 5", [](auto& p) { p.offsets[2] = 4; }},
      {"scores is NULL", [](auto& p) { p.call.scores = nullptr; }},
      {"values is NULL", [](auto& p) { p.call.values = nullptr; }},
      {"scores: data is not aligned", [](auto& p) { p.call.scores = beside(p.call.scores); }},
      {"values: stride 4611686018427387904 of row", [](auto& p) { p.call.values_row = kHuge; }},
      {"lse: data is not aligned",
       [](auto& p) { p.call.lse = const_cast<void*>(beside(p.call.lse)); }},
      {"threads is 4097", [](auto& p) { p.call.threads = 4097; }},
  };
  for (const auto& [message, make] : wrong) {
    Pool p;
    make(p);
    EXPECT_EQ(attn_pool_forward(&p.call), ATTN_INVALID) << message;
    EXPECT_NE(std::string(attn_error_message()).find(message), std::string::npos)
        << "expected \"" << message << "\", found \"" << attn_error_message() << "\"";
    EXPECT_EQ(attn_pool_backward(&p.call, &p.gradient), ATTN_INVALID) << message;
    EXPECT_TRUE(p.untouched()) << message;
  }
  EXPECT_EQ(attn_pool_forward(nullptr), ATTN_INVALID);
}

TEST(CMergePoolErrors, PoolingBackward) {
  const std::vector<std::pair<const char*, std::function<void(Pool&)>>> wrong = {
      {"lse is NULL; backward needs it", [](auto& p) { p.call.lse = nullptr; }},
      {"lse_tail is NULL; backward needs it", [](auto& p) { p.call.lse_tail = nullptr; }},
      {"dout is given and out is NULL", [](auto& p) { p.call.out = nullptr; }},
      {"dentropy is given and entropy is NULL", [](auto& p) { p.call.entropy = nullptr; }},
      {"dlse: data is not aligned", [](auto& p) { p.gradient.dlse = beside(p.gradient.dlse); }},
      {"dvalues: data is not aligned",
       [](auto& p) { p.gradient.dvalues = const_cast<void*>(beside(p.gradient.dvalues)); }},
  };
  for (const auto& [message, make] : wrong) {
    Pool p;
    make(p);
    EXPECT_EQ(attn_pool_backward(&p.call, &p.gradient), ATTN_INVALID) << message;
    EXPECT_NE(std::string(attn_error_message()).find(message), std::string::npos)
        << "expected \"" << message << "\", found \"" << attn_error_message() << "\"";
    EXPECT_TRUE(p.untouched()) << message;
  }
  Pool p;
  EXPECT_EQ(attn_pool_backward(&p.call, nullptr), ATTN_INVALID);
}

}  // namespace
