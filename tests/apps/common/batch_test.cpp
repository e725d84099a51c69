#include "apps/common/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>
#include <new>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "apps/common/file_lock.h"
#include "attn/error.h"
#include "libattn/io/atomic_file.h"
#include "tests/apps/common/verb_context.h"

namespace attn::app {
namespace {

using testing::HasSubstr;

// A job whose outputs hold the parameter they were made with.
class BatchTest : public VerbContextTest {
 protected:
  BatchResult run() {
    Batch batch{.noun = "item", .folder = scratch_ / "out", .items = {}, .current = {}, .work = {}};
    for (const char* id : {"a", "b", "c", "d", "e"})
      batch.items.push_back({id,
                             scratch_ / "out" / (std::string(id) + ".txt"),
                             {scratch_ / "out" / (std::string(id) + ".png")}});
    batch.current = [&](size_t i) {
      const auto made_with = Scratch::read(batch.items[i].output);
      if (made_with == "newer") throw NewerFormat("c.txt has format version 9");
      return made_with == parameter_;
    };
    batch.work = [&](size_t i) {
      if (interrupt_at_ == batch.items[i].id) throw Interrupted();
      if (bad_.contains(batch.items[i].id)) fail_();
      worked_.push_back(batch.items[i].id);
      io::write_file(batch.items[i].output, parameter_);
    };
    worked_.clear();
    return run_batch(batch, context());
  }
  // Whether b's output of an earlier call stands where it was.
  bool stands() const {
    return Scratch::read(scratch_ / "out/b.txt") == "1" &&
           !std::filesystem::exists(scratch_ / "out/b.txt.stale");
  }

  std::string parameter_ = "1";
  std::string interrupt_at_;
  std::set<std::string> bad_;
  std::function<void()> fail_ = [] { throw Error("is, \"bad\""); };
  std::vector<std::string> worked_;
};

TEST_F(BatchTest, FinishedItemsAreSkippedAndRedoneWhenParametersChange) {
  EXPECT_EQ(run().done, 5);
  EXPECT_EQ(run().skipped, 5);
  io::write_file(scratch_ / "out/c.txt", "damaged");
  run();
  EXPECT_EQ(worked_, std::vector<std::string>{"c"});
  parameter_ = "2";
  EXPECT_EQ(run().done, 5);
  common_.overwrite = true;
  EXPECT_EQ(run().done, 5);
}

TEST_F(BatchTest, ABadItemIsListedAndTheOthersGoOn) {
  bad_ = {"b", "d"};
  const auto result = run();
  EXPECT_EQ(result.exit_code(), kFailed);
  EXPECT_EQ(worked_, (std::vector<std::string>{"a", "c", "e"}));
  EXPECT_EQ(result.good, (std::vector<bool>{true, false, true, false, true}));
  EXPECT_EQ(Scratch::read(scratch_ / "out/failures.csv"),
            "item,reason\nb,\"is, \"\"bad\"\"\"\nd,\"is, \"\"bad\"\"\"\n");
  bad_.clear();
  EXPECT_EQ(run().exit_code(), kDone);
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "out/failures.csv"));
}

TEST_F(BatchTest, AnOlderOutputOfAFailedItemIsSetAside) {
  run();
  parameter_ = "2";
  bad_ = {"b"};
  run();
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "out/b.txt"));
  EXPECT_EQ(Scratch::read(scratch_ / "out/b.txt.stale"), "1");
  bad_.clear();
  EXPECT_EQ(run().done, 1);
  EXPECT_EQ(Scratch::read(scratch_ / "out/b.txt"), "2");
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "out/b.txt.stale"));
}

TEST_F(BatchTest, CompanionsGoWithTheirOutput) {
  run();
  const auto picture = scratch_ / "out/b.png", aside = scratch_ / "out/b.png.stale";
  scratch_.write("out/b.png", "picture");
  parameter_ = "2";
  bad_ = {"b"};
  run();
  EXPECT_FALSE(std::filesystem::exists(picture));
  EXPECT_EQ(Scratch::read(aside), "picture");
  bad_.clear();
  run();
  EXPECT_FALSE(std::filesystem::exists(aside));
}

TEST_F(BatchTest, AStopIsAStopThoughItsListCannotBeWritten) {
  bad_ = {"a"};
  interrupt_at_ = "c";
  fail_ = [&] {
    std::filesystem::create_directory(scratch_ / "out/failures.csv");
    throw Error("bad");
  };
  EXPECT_THROW(run(), Interrupted);
}

TEST_F(BatchTest, WhatSaysNothingOfTheInputSetsNothingAside) {
  run();
  parameter_ = "2";
  bad_ = {"b"};
  const std::vector<std::function<void()>> failures{[] { throw io::system_error("write", "b.txt", ENOSPC); },
                                                    [] { throw std::bad_alloc(); },
                                                    [] { throw std::runtime_error("of a library"); },
                                                    [] { throw NewerFormat("tiles of b"); },
                                                    [] { throw StorageError("b is not there now"); },
                                                    [] { throw UsageError("not with b"); }};
  for (const auto& failure : failures) {
    fail_ = failure;
    EXPECT_EQ(run().failures.size(), 1U);
    EXPECT_TRUE(stands());
  }
  fail_ = [] { throw Error("broken"); };
  common_.overwrite = true;
  EXPECT_EQ(run().failures.size(), 1U);
  EXPECT_TRUE(stands());
}

TEST_F(BatchTest, ALockThatCannotBeTakenSetsNothingAside) {
  run();
  parameter_ = "2";
  const auto lock = scratch_ / "out/.b.txt.lock";
  std::filesystem::create_directory(lock);
  EXPECT_EQ(run().failures.size(), 1U);
  EXPECT_TRUE(stands());
  std::filesystem::remove(lock);
  scratch_.write("out/.b.txt.lock", "notes of somebody's");
  EXPECT_THAT(run().failures.at(0).reason, HasSubstr("a file of somebody else's has that name"));
  EXPECT_TRUE(stands());
  EXPECT_EQ(Scratch::read(lock), "notes of somebody's");
}

TEST_F(BatchTest, ANewerProgramsOutputIsTheItemsFailure) {
  run();
  io::write_file(scratch_ / "out/c.txt", "newer");
  EXPECT_THAT(run().failures.at(0).reason, HasSubstr("format version 9"));
  EXPECT_EQ(worked_, std::vector<std::string>{});
  EXPECT_EQ(Scratch::read(scratch_ / "out/c.txt"), "newer");
  common_.dry_run = true;
  testing::internal::CaptureStdout();
  EXPECT_EQ(run().exit_code(), kFailed);
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("fail\tc\tc.txt has format"));
}

TEST_F(BatchTest, AListThatIsNotOursIsLeftAlone) {
  std::filesystem::create_directories(scratch_ / "out");
  scratch_.write("out/failures.csv", "machine,date\nscanner 3,2024-01-02\n");
  EXPECT_THROW(run(), Error);
  EXPECT_EQ(Scratch::read(scratch_ / "out/failures.csv"), "machine,date\nscanner 3,2024-01-02\n");
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "out/a.txt"));
}

TEST_F(BatchTest, ShardsShareTheItems) {
  std::set<std::string> all;
  for (const int64_t index : {1, 2}) {
    common_.shard = {index, 2};
    run();
    all.insert(worked_.begin(), worked_.end());
    EXPECT_LT(worked_.size(), 5U);
  }
  EXPECT_EQ(all.size(), 5U);
}

TEST_F(BatchTest, ADryRunWritesNothing) {
  common_.dry_run = true;
  testing::internal::CaptureStdout();
  run();
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("run\ta\tno output yet\n"));
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "out"));
}

TEST_F(BatchTest, AnInterruptedRunKeepsWhatIsDone) {
  bad_ = {"a"};
  interrupt_at_ = "c";
  EXPECT_THROW(run(), Interrupted);
  EXPECT_EQ(worked_, std::vector<std::string>{"b"});
  EXPECT_THAT(Scratch::read(scratch_ / "out/failures.csv"), HasSubstr("a,"));
}

TEST_F(BatchTest, AnItemInOtherHandsIsPassedOver) {
  std::filesystem::create_directories(scratch_ / "out");
  const FileLock lock = FileLock::try_lock(scratch_ / "out/.b.txt.lock");
  const auto result = run();
  EXPECT_EQ(result.busy, 1);
  EXPECT_EQ(result.done, 4);
  EXPECT_EQ(result.exit_code(), kFailed) << "what another process has is not known to be done";
  EXPECT_EQ(to_json(result).at("busy"), 1);
}

TEST_F(BatchTest, TwoItemsWithOneOutputAreRefused) {
  const Batch batch{.folder = scratch_ / "out",
                    .items = {{"x", scratch_ / "same"}, {"y", scratch_ / "same"}},
                    .current = {},
                    .work = {}};
  EXPECT_THROW(run_batch(batch, context()), Error);
}

TEST(FileLock, ADeadProcessHoldsNothing) {
  const Scratch scratch;
  const auto path = scratch / "lock";
  const pid_t child = fork();
  if (child == 0) {
    const FileLock lock = FileLock::try_lock(path);
    _exit(lock.locked() ? 0 : 1);  // leaves the file, as kill -9 does
  }
  int status = 0;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(std::filesystem::exists(path));
  EXPECT_TRUE(FileLock::try_lock(path).locked());
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(FileLock, TheHolderIsNamed) {
  const Scratch scratch;
  const FileLock first = FileLock::lock(scratch / "lock", "W/run");
  try {
    FileLock::lock(scratch / "lock", "W/run");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("W/run is in use by process " + std::to_string(getpid())));
  }
}

TEST(Progress, DurationsRead) {
  EXPECT_EQ(duration_text(0.42), "0.4 s");
  EXPECT_EQ(duration_text(42), "42 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(7500), "2 h 5 min");
}

}  // namespace
}  // namespace attn::app
