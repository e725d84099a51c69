// Scanpaths read from texts, and their equality to the last bit (NaN to NaN).
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/support/damage.h"
#include "tests/support/data.h"
#include "tests/support/temp_folder.h"
#include "vision/gaze/scanpaths/read_scanpaths.h"
#include "vision/gaze/scanpaths/write_scanpaths.h"

namespace gaze::test {

using attn::test::put;
using attn::test::slurp;

inline constexpr Screen kCanvas{1680, 1050};

inline std::vector<double> values(const Box& b) {
  return {b.x0, b.y0, b.x1, b.y1, b.score};
}

/// All numbers of a trial, one behind the other, with the counts of its lists.
inline std::vector<double> values(const Trial& t) {
  std::vector<double> v = {t.screen.width, t.screen.height,
                           static_cast<double>(t.fixations.size())};
  for (const Fixation& f : t.fixations) v.insert(v.end(), {f.x, f.y, f.duration});
  v.push_back(static_cast<double>(t.starts.size()));
  v.insert(v.end(), t.starts.begin(), t.starts.end());
  for (const auto& s : t.events.saccades)
    v.insert(v.end(),
             {s.start, s.end, s.duration, s.x0, s.y0, s.x1, s.y1, s.amplitude, s.peak_velocity});
  for (const auto& b : t.events.blinks) v.insert(v.end(), {b.start, b.end, b.duration});
  for (const auto& m : t.events.messages) v.push_back(m.time);
  for (const int64_t n : {t.events.samples, t.events.unfinished, int64_t{t.events.ended}})
    v.push_back(static_cast<double>(n));
  if (t.target)
    for (const double side : values(*t.target)) v.push_back(side);
  return v;
}

MATCHER_P(SameValues, expected, "") {
  if (arg.size() != expected.size()) return false;
  for (size_t i = 0; i < arg.size(); ++i)
    if (!(arg[i] == expected[i] || (std::isnan(arg[i]) && std::isnan(expected[i])))) return false;
  return true;
}

inline void expect_same(const Trial& a, const Trial& b) {
  EXPECT_THAT(values(a), SameValues(values(b)));
  for (const auto text : {&Trial::image, &Trial::subject, &Trial::task, &Trial::condition,
                          &Trial::split, &Trial::id, &Trial::eye})
    EXPECT_EQ(a.*text, b.*text);
  EXPECT_EQ(a.correct, b.correct);
  ASSERT_EQ(a.target.has_value(), b.target.has_value());
  EXPECT_EQ(a.target.value_or(Box{}).label, b.target.value_or(Box{}).label);
  EXPECT_EQ(a.extra, b.extra);
  EXPECT_EQ(a.fields, b.fields);
  ASSERT_EQ(a.events.messages.size(), b.events.messages.size());
  for (size_t i = 0; i < a.events.messages.size(); ++i)
    EXPECT_EQ(a.events.messages[i].text, b.events.messages[i].text);
}

inline void expect_same(const Scanpaths& a, const Scanpaths& b) {
  ASSERT_EQ(a.trials.size(), b.trials.size());
  for (size_t i = 0; i < a.trials.size() && !testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE(trial_name(a.trials[i], i));
    expect_same(a.trials[i], b.trials[i]);
  }
  ASSERT_EQ(a.images.size(), b.images.size());
  for (size_t i = 0; i < a.images.size(); ++i) {
    EXPECT_EQ(a.images[i].name, b.images[i].name);
    EXPECT_EQ(a.images[i].extra, b.images[i].extra);
    EXPECT_EQ(a.images[i].size.width, b.images[i].size.width);
    EXPECT_EQ(a.images[i].size.height, b.images[i].size.height);
    ASSERT_EQ(a.images[i].targets.size(), b.images[i].targets.size());
    for (size_t k = 0; k < a.images[i].targets.size(); ++k)
      EXPECT_THAT(values(a.images[i].targets[k]), SameValues(values(b.images[i].targets[k])));
  }
}

class ScanpathTest : public testing::Test {
 protected:
  Scanpaths read(const std::string& name, const std::string& text,
                 const ReadOptions& options = {}) {
    put(folder_ / name, text);
    return read_scanpaths(folder_ / name, options);
  }
  /// The sentence without the folder.
  std::string refusal(const std::string& name, const std::string& text,
                      const ReadOptions& options = {}) {
    return short_sentence([&] { read(name, text, options); });
  }
  template <class Action>
  std::string short_sentence(const Action& action) {
    std::string sentence = attn::test::sentence_of(action);
    const std::string prefix = folder_.path().string() + "/";
    for (size_t at = sentence.find(prefix); at != std::string::npos; at = sentence.find(prefix))
      sentence.erase(at, prefix.size());
    return sentence;
  }
  /// What is written as `name` and read again.
  Scanpaths again(const Scanpaths& scanpaths, const std::string& name,
                  ScanpathFormat format = ScanpathFormat::detect, const ReadOptions& options = {}) {
    write_scanpaths(folder_ / name, scanpaths, format);
    return read_scanpaths(folder_ / name, options);
  }
  attn::test::TempFolder folder_;
};

}  // namespace gaze::test
