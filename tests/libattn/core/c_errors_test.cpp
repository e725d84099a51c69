// What the C face refuses: each by a message that names the argument, with nothing written.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "tests/libattn/core/c_calls.h"

namespace {

using attn::test::AttentionCase;
using attn::test::AttentionValues;
using attn::test::c_array;
using attn::test::c_call;
using attn::test::c_gradient;

constexpr int64_t kHuge = int64_t{1} << 62;

/// A whole valid call with everything wanted, its results set to 7.
struct Attention {
  AttentionCase<double> c{2, 4, 5, 6, 3, 2};
  AttentionValues<double> r{c};
  std::vector<int64_t> q_offsets = {0, 2, 5}, k_offsets = {0, 4, 6};
  attn_attention call;
  attn_attention_gradient gradient;

  Attention() {
    c.g = 2;
    c.fill(1);
    c.bias.resize(size_t(2 * 4 * 5 * 6));
    c.mask.assign(12, 1);
    c.slope.resize(8), c.sink.resize(4), c.dmass.resize(48);
    r = AttentionValues<double>(c);
    for (auto* x : all()) x->assign(x->size(), 7);
    call = c_call(c, r);
    gradient = c_gradient(c, r);
  }
  std::vector<std::vector<double>*> all() {
    return {&r.out, &r.lse, &r.lse_tail, &r.entropy, &r.row_max, &r.mass,
            &r.dq,  &r.dk,  &r.dv,       &r.dbias,   &r.dslope,  &r.dsink};
  }
  bool untouched() {
    for (const auto* x : all()) {
      for (const double value : *x) {
        if (value != 7) return false;
      }
    }
    return true;
  }
  void pack() {
    call.bias = attn_array{}, call.key_mask = nullptr;
    gradient.dbias = attn_array{};
    call.q_offsets = q_offsets.data(), call.k_offsets = k_offsets.data();
  }
};

struct Wrong {
  const char* message;
  std::function<void(Attention&)> make;
};

void expect_refused(const std::vector<Wrong>& all, bool backward) {
  for (const Wrong& wrong : all) {
    Attention a;
    wrong.make(a);
    const attn_status status =
        backward ? attn_attention_backward(&a.call, &a.gradient) : attn_attention_forward(&a.call);
    EXPECT_EQ(status, ATTN_INVALID) << wrong.message;
    EXPECT_NE(std::string(attn_error_message()).find(wrong.message), std::string::npos)
        << "expected \"" << wrong.message << "\", found \"" << attn_error_message() << "\"";
    EXPECT_TRUE(a.untouched()) << wrong.message;
  }
}

TEST(CErrors, TheCallItselfIsValid) {
  Attention a;
  EXPECT_EQ(attn_attention_forward(&a.call), ATTN_OK) << attn_error_message();
  EXPECT_EQ(attn_attention_backward(&a.call, &a.gradient), ATTN_OK) << attn_error_message();
  EXPECT_FALSE(a.untouched());
  a.pack();
  a.call.batch = 2, a.call.heads = 4;
  EXPECT_EQ(attn_attention_forward(&a.call), ATTN_OK) << attn_error_message();
}

TEST(CErrors, Sizes) {
  const std::vector<Wrong> wrong = {
      {"version is 0; expected 1, as attn_attention_init", [](auto& a) { a.call.version = 0; }},
      {"version is 2", [](auto& a) { a.call.version = 2; }},
      {"type is 5; expected ATTN_FLOAT32", [](auto& a) { a.call.type = 5; }},
      {"batch is -1; expected 0 to 2147483648", [](auto& a) { a.call.batch = -1; }},
      {"heads is -4", [](auto& a) { a.call.heads = -4; }},
      {"heads is 4611686018427387904", [](auto& a) { a.call.heads = kHuge; }},
      {"kv_heads is -2", [](auto& a) { a.call.kv_heads = -2; }},
      {"kv_heads is 3, which does not divide heads, 4", [](auto& a) { a.call.kv_heads = 3; }},
      {"kv_heads is 8, which does not divide", [](auto& a) { a.call.kv_heads = 8; }},
      {"nq is -5", [](auto& a) { a.call.nq = -5; }},
      {"nk is -6", [](auto& a) { a.call.nk = -6; }},
      {"d is 0; expected 1 to", [](auto& a) { a.call.d = 0; }},
      {"dv is -1", [](auto& a) { a.call.dv = -1; }},
      {"dv is 9223372036854775807", [](auto& a) { a.call.dv = INT64_MAX; }},
  };
  expect_refused(wrong, false);
  expect_refused(wrong, true);
  EXPECT_EQ(attn_attention_forward(nullptr), ATTN_INVALID);
  EXPECT_STREQ(attn_error_message(), "call is NULL");
}

TEST(CErrors, Numbers) {
  const std::vector<Wrong> wrong = {
      {"scale is inf", [](auto& a) { a.call.scale = INFINITY; }},
      {"scale is 1e+300; expected a number of at most 3.4",
       [](auto& a) { a.call.type = ATTN_FLOAT32, a.call.scale = 1e300; }},
      {"causal is 3; expected an attn_causal", [](auto& a) { a.call.causal = 3; }},
      {"causal is -1", [](auto& a) { a.call.causal = -1; }},
      {"align is 2; expected an attn_align", [](auto& a) { a.call.align = 2; }},
      {"softcap is -1", [](auto& a) { a.call.softcap = -1; }},
      {"softcap is nan", [](auto& a) { a.call.softcap = NAN; }},
      {"softcap is inf", [](auto& a) { a.call.softcap = INFINITY; }},
      {"softcap is 1e-60; expected 1.17",
       [](auto& a) { a.call.type = ATTN_FLOAT32, a.call.softcap = 1e-60; }},
      {"dropout is 1; expected a number in [0, 1)", [](auto& a) { a.call.dropout = 1; }},
      {"dropout is -0.5", [](auto& a) { a.call.dropout = -0.5; }},
      {"dropout is nan", [](auto& a) { a.call.dropout = NAN; }},
      {"window_right is 2 under causality",
       [](auto& a) { a.call.causal = ATTN_CAUSAL_TOP_LEFT, a.call.window_right = 2; }},
      {"threads is -1; expected 0", [](auto& a) { a.call.threads = -1; }},
      {"threads is 5000", [](auto& a) { a.call.threads = 5000; }},
  };
  expect_refused(wrong, false);
  expect_refused(wrong, true);
}

TEST(CErrors, Packing) {
  const std::vector<Wrong> wrong = {
      {"q_offsets is NULL and k_offsets is not",
       [](auto& a) { a.pack(), a.call.q_offsets = nullptr; }},
      {"k_offsets is NULL and q_offsets is not",
       [](auto& a) { a.pack(), a.call.k_offsets = nullptr; }},
      {"q_offsets[0] is 1; expected 0", [](auto& a) { a.pack(), a.q_offsets[0] = 1; }},
      {"q_offsets falls from 2 to 1 at 2", [](auto& a) { a.pack(), a.q_offsets[2] = 1; }},
      {"q_offsets falls from 0 to -3 at 1", [](auto& a) { a.pack(), a.q_offsets[1] = -3; }},
      {"q_offsets ends at 4; expected 5", [](auto& a) { a.pack(), a.q_offsets[2] = 4; }},
      {"k_offsets ends at 7; expected 6", [](auto& a) { a.pack(), a.k_offsets[2] = 7; }},
      {"k_offsets is not aligned",
       [](auto& a) {
         a.pack();
         a.call.k_offsets =
             reinterpret_cast<const int64_t*>(reinterpret_cast<const char*>(a.call.k_offsets) + 1);
       }},
      {"bias with packed sequences",
       [](auto& a) { a.pack(), a.call.bias = c_array(a.c.bias, 4, 5, 6); }},
      {"key_mask with packed sequences",
       [](auto& a) { a.pack(), a.call.key_mask = a.c.mask.data(); }},
  };
  expect_refused(wrong, false);
  expect_refused(wrong, true);
}

/// A double beside its place.
void shift(attn_array& x) {
  x.data = static_cast<char*>(x.data) + 4;
}

TEST(CErrors, Arrays) {
  const std::vector<Wrong> wrong = {
      {"q has NULL data", [](auto& a) { a.call.q.data = nullptr; }},
      {"k has NULL data", [](auto& a) { a.call.k.data = nullptr; }},
      {"q: data is not aligned to 8 bytes", [](auto& a) { shift(a.call.q); }},
      {"bias: data is not aligned", [](auto& a) { shift(a.call.bias); }},
      {"entropy: data is not aligned", [](auto& a) { shift(a.call.entropy); }},
      {"q: column is 2; expected 1", [](auto& a) { a.call.q.column = 2; }},
      {"v: column is 0; expected 1", [](auto& a) { a.call.v.column = 0; }},
      {"k: stride 4611686018427387904 of row reaches beyond the address space at size 6",
       [](auto& a) { a.call.k.row = kHuge; }},
      {"v: its strides reach beyond the address space", [](auto& a) { a.call.v.batch = kHuge; }},
      {"q: its strides reach beyond the address space", [](auto& a) { a.call.q.batch = -kHuge; }},
      {"bias: its strides reach beyond", [](auto& a) { a.call.bias.batch = INT64_MAX; }},
      {"key_mask: its strides reach beyond", [](auto& a) { a.call.key_mask_batch = INT64_MAX; }},
      {"out: stride 1 of row; expected at least 2, so that no two elements share a place",
       [](auto& a) { a.call.out.row = 1; }},
      {"lse: stride 0 of batch; expected at least 1", [](auto& a) { a.call.lse.batch = 0; }},
      {"lse_tail: stride 0 of row", [](auto& a) { a.call.lse_tail.row = 0; }},
      {"entropy: stride 4 of head; expected at least 5", [](auto& a) { a.call.entropy.head = 4; }},
      {"row_max: stride -1 of row", [](auto& a) { a.call.row_max.row = -1; }},
      {"column_mass: stride 0 of head", [](auto& a) { a.call.column_mass.head = 0; }},
  };
  expect_refused(wrong, false);
  expect_refused(wrong, true);
}

TEST(CErrors, WhatForwardNeedsBesides) {
  expect_refused(
      {{"out is wanted and v has NULL data", [](auto& a) { a.call.v.data = nullptr; }},
       {"column_mass is wanted and lse has NULL data", [](auto& a) { a.call.lse.data = nullptr; }},
       {"column_mass is wanted and lse_tail has NULL data",
        [](auto& a) { a.call.lse_tail.data = nullptr; }}},
      false);
}

TEST(CErrors, WhatBackwardNeedsBesides) {
  const std::vector<Wrong> wrong = {
      {"lse has NULL data; backward needs it", [](auto& a) { a.call.lse.data = nullptr; }},
      {"lse_tail has NULL data; backward", [](auto& a) { a.call.lse_tail.data = nullptr; }},
      {"v has NULL data", [](auto& a) { a.call.v.data = nullptr; }},
      {"dout is given and out has NULL data", [](auto& a) { a.call.out.data = nullptr; }},
      {"dentropy is given and entropy has NULL", [](auto& a) { a.call.entropy.data = nullptr; }},
      {"dslopes is wanted and slopes has NULL", [](auto& a) { a.call.slopes.data = nullptr; }},
      {"dsink is wanted and sink has NULL", [](auto& a) { a.call.sink.data = nullptr; }},
      {"dbias is wanted and bias has NULL", [](auto& a) { a.call.bias.data = nullptr; }},
      {"dout: column is 3", [](auto& a) { a.gradient.dout.column = 3; }},
      {"dlse: data is not aligned", [](auto& a) { shift(a.gradient.dlse); }},
      {"dcolumn_mass: its strides", [](auto& a) { a.gradient.dcolumn_mass.batch = kHuge; }},
      {"dq: stride 0 of head", [](auto& a) { a.gradient.dq.head = 0; }},
      {"dk: stride 2 of row; expected at least 3", [](auto& a) { a.gradient.dk.row = 2; }},
      {"dv: data is not aligned", [](auto& a) { shift(a.gradient.dv); }},
      {"dbias: stride 2 of column",
       [](auto& a) { a.gradient.dbias.row = 1, a.gradient.dbias.column = 2; }},
      {"dslopes: stride 1 of batch", [](auto& a) { a.gradient.dslopes.batch = 1; }},
  };
  expect_refused(wrong, true);
  Attention a;
  EXPECT_EQ(attn_attention_backward(&a.call, nullptr), ATTN_INVALID);
  EXPECT_STREQ(attn_error_message(), "gradient is NULL");
}

}  // namespace
