#include "apps/common/run_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "attn/error.h"
#include "libattn/io/json.h"
#include "libattn/io/run_json.h"
#include "tests/apps/common/verb_context.h"

namespace attn::app {
namespace {

using testing::HasSubstr;

class RunDirectoryTest : public VerbContextTest {
 protected:
  RunDirectoryTest() {
    table_.add({.name = "seed", .target = &common_.seed, .help = ""});
    table_.add({.name = "json", .target = &common_.json, .help = ""});
    table_.add({.name = "resume", .target = &resume_, .help = ""});
  }
  std::filesystem::path folder() const { return scratch_ / "run"; }
  nlohmann::json run_json() const { return io::read_run_json(folder()); }

  // A call that begins and is ended by an exception.
  void stopped_call() {
    const Context now = context();
    try {
      const auto run = RunDirectory::open(folder(), now);
      run.begin(now);
      throw std::runtime_error("stopped");
    } catch (const std::runtime_error&) {
      EXPECT_FALSE(RunDirectory::open(folder(), now).finished(now));
    }
  }
  // Pretends that the call before this one took longer and began earlier.
  void age_run() {
    auto document = run_json();
    document["seconds"] = 100;
    document["started"] = "2020-01-01T00:00:00Z";
    io::write_json(folder() / "run.json", document);
  }

  bool resume_ = true;
};

TEST_F(RunDirectoryTest, KnowsWhetherItIsFinished) {
  const Context now = context();
  {
    const auto run = RunDirectory::open(folder(), now);
    EXPECT_FALSE(run.finished(now));
    run.begin(now);
    EXPECT_EQ(run_json()["status"], "running");
    EXPECT_FALSE(run.finished(now));
    EXPECT_THROW(RunDirectory::open(folder(), now), Error);
    run.end(now, {{"auc", 0.9}});
    EXPECT_TRUE(run.finished(now));
  }
  EXPECT_EQ(run_json()["metrics"]["auc"], 0.9);
  common_.json = true;
  EXPECT_TRUE(RunDirectory::open(folder(), now).finished(now));
  common_.seed = 2;
  EXPECT_FALSE(RunDirectory::open(folder(), now).finished(now));
}

TEST_F(RunDirectoryTest, WhatEndedARunIsNoted) {
  stopped_call();
  EXPECT_EQ(run_json()["status"], "failed");
  const std::atomic<bool> stop{true};
  hooks_.stop = &stop;
  stopped_call();
  EXPECT_EQ(run_json()["status"], "interrupted");
}

TEST_F(RunDirectoryTest, AResumedRunKeepsItsStartAndAddsUpItsTime) {
  stopped_call();
  age_run();
  stopped_call();
  EXPECT_EQ(run_json()["started"], "2020-01-01T00:00:00Z");
  EXPECT_GE(run_json()["seconds"], 100.0);
  EXPECT_LT(run_json()["seconds"], 160.0);
}

TEST_F(RunDirectoryTest, ARunThatStartsAnewCountsItsOwnTimeOnly) {
  const auto own_time = [&] {
    age_run();
    stopped_call();
    EXPECT_NE(run_json()["started"], "2020-01-01T00:00:00Z");
    EXPECT_LT(run_json()["seconds"], 60.0);
  };
  stopped_call();
  common_.seed = 2;  // another configuration
  own_time();
  resume_ = false;
  own_time();
  resume_ = true;
  common_.overwrite = true;
  own_time();
}

TEST_F(RunDirectoryTest, ANewerProgramsRunIsRefused) {
  stopped_call();
  auto document = run_json();
  document["format_version"] = 99;
  io::write_json(folder() / "run.json", document);
  const Context now = context();
  EXPECT_THROW(RunDirectory::open(folder(), now), NewerFormat);
  const auto part = RunDirectory::open(folder(), now, true);
  EXPECT_THROW(part.finished(now), NewerFormat);
  EXPECT_THROW(part.begin(now), NewerFormat);
  try {
    run_json();
    FAIL();
  } catch (const NewerFormat& error) {
    EXPECT_THAT(error.what(), HasSubstr("run.json has format version 99"));
  }
  EXPECT_EQ(io::read_json(folder() / "run.json")["format_version"], 99);
  common_.overwrite = true;
  EXPECT_FALSE(part.finished(now));
  part.begin(now);
  EXPECT_EQ(run_json()["status"], "running");
}

TEST_F(RunDirectoryTest, WhatEndedARunIsNotedUnlessTheFolderIsInUse) {
  stopped_call();
  ASSERT_EQ(run_json()["status"], "failed");
  {
    const Context now = context();
    const auto other = RunDirectory::open(folder(), now);
    note_error(folder(), "no");
    EXPECT_FALSE(run_json().contains("error"));
  }
  note_error(folder(), "the disk is full");
  EXPECT_EQ(run_json()["error"], "the disk is full");
  auto document = run_json();
  document["status"] = "finished";
  document.erase("error");
  io::write_json(folder() / "run.json", document);
  note_error(folder(), "late");
  EXPECT_FALSE(run_json().contains("error"));
  note_error(folder() / "nowhere", "nothing is thrown");
}

TEST_F(RunDirectoryTest, ADamagedRunFileIsReplaced) {
  scratch_.write("x", "");
  std::filesystem::create_directory(folder());
  const Context now = context();
  const auto run = RunDirectory::open(folder(), now);
  for (const char* text : {"", "{", R"({"status": 3})"}) {
    scratch_.write("run/run.json", text);
    EXPECT_FALSE(run.finished(now)) << text;
    run.begin(now);
    EXPECT_EQ(run_json()["status"], "running");
  }
}

TEST_F(RunDirectoryTest, OfARunThatStoppedAllIsTakenOverOrNothing) {
  stopped_call();
  age_run();
  auto document = run_json();
  document["seconds"] = "many";
  io::write_json(folder() / "run.json", document);
  stopped_call();
  EXPECT_NE(run_json()["started"], "2020-01-01T00:00:00Z");
}

TEST_F(RunDirectoryTest, ARunFileThatCannotBeReadIsNoDamage) {
  const Context now = context();
  const auto run = RunDirectory::open(folder(), now);
  std::filesystem::create_directory(folder() / "run.json");
  EXPECT_THROW(run.finished(now), StorageError);
  try {
    run.begin(now);
    FAIL();
  } catch (const StorageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("cannot read"));
  }
}

}  // namespace
}  // namespace attn::app
