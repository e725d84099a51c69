#include "libattn/io/atomic_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "tests/support/damage.h"
#include "tests/support/small_disk.h"
#include "tests/support/temp_folder.h"

namespace attn::io {
namespace {

namespace fs = std::filesystem;
using test::listing;
using test::sentence_of;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(AtomicFile, NothingIsSeenBeforeCommitAndNothingIsLeftBehind) {
  const test::TempFolder folder;
  test::put(folder / "x.h5", "old");
  {
    AtomicFile file(folder / "x.h5");
    file.append("new ");
    EXPECT_EQ(test::slurp(folder / "x.h5"), "old");
    EXPECT_EQ(file.temp_path().extension(), ".tmp");
    EXPECT_EQ(file.temp_path().filename().string()[0], '.');
    file.append("contents");
    file.commit();
    EXPECT_EQ(test::slurp(folder / "x.h5"), "new contents");
    EXPECT_THROW(file.commit(), std::logic_error);
  }
  { AtomicFile abandoned(folder / "x.h5"); }
  { AtomicFile abandoned(folder / "y.h5"); }
  EXPECT_THAT(listing(folder.path()), ElementsAre("x.h5"));
  EXPECT_EQ(test::slurp(folder / "x.h5"), "new contents");
}

TEST(AtomicFile, MovesCarryTheResponsibility) {
  const test::TempFolder folder;
  AtomicFile a(folder / "a");
  AtomicFile b(std::move(a));
  b.append("1");
  AtomicFile c(folder / "c");
  c = std::move(b);
  c.commit();
  EXPECT_THAT(listing(folder.path()), ElementsAre("a"));
}

TEST(AtomicFile, TwoWritersOfOneTargetDoNotMeet) {
  const test::TempFolder folder;
  AtomicFile first(folder / "x");
  AtomicFile second(folder / "x");
  first.append("first");
  second.append("second");
  second.commit();
  first.commit();
  EXPECT_EQ(test::slurp(folder / "x"), "first");
}

TEST(AtomicFile, RemovesWhatDeadProcessesLeftAndSparesTheLiving) {
  const test::TempFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile file(folder / "x.h5");
    file.append("half");
    ::_exit(0);  // as kill -9: no destructor runs
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_EQ(listing(folder.path()).size(), 1U);
  test::put(folder / ".x.h5.notes.tmp", "a person's own");

  test::put(folder / ".x.h5.0123abcd-1-2-3.tmp", "another machine's, fresh");
  test::put(folder / ".x.h5.0123abcd-1-2-4.tmp", "another machine's, old");
  fs::last_write_time(folder / ".x.h5.0123abcd-1-2-4.tmp",
                      fs::file_time_type::clock::now() - std::chrono::hours(24 * 8));
  AtomicFile living(folder / "x.h5");
  { AtomicFile other(folder / "y.h5"); }
  AtomicFile again(folder / "x.h5");
  EXPECT_TRUE(fs::exists(living.temp_path()));
  again.commit();
  EXPECT_THAT(listing(folder.path()),
              testing::UnorderedElementsAre(".x.h5.notes.tmp", ".x.h5.0123abcd-1-2-3.tmp",
                                            living.temp_path().filename().string(), "x.h5"));
}

// Other users' processes are hidden where /proc is mounted with hidepid; here it shows none at all.
TEST(AtomicFile, SparesTheLivingThatProcDoesNotShow) {
  const test::TempFolder folder;
  const test::TempFolder nothing;
  const AtomicFile living(folder / "x.h5");
  const std::string name = living.temp_path().filename().string();
  test::put(folder / (name.substr(0, name.rfind('-')) + "-old.tmp"), "of a number used again");
  fs::last_write_time(folder / (name.substr(0, name.rfind('-')) + "-old.tmp"),
                      fs::file_time_type::clock::now() - std::chrono::hours(24 * 8));
  const pid_t child = ::fork();
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount(nothing.path().c_str(), "/proc", nullptr, MS_BIND, nullptr) != 0)
      ::_exit(77);
    { AtomicFile other(folder / "." / "y.h5"); }  // by another path: it is looked through again
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "mounting needs root and CAP_SYS_ADMIN";
  EXPECT_THAT(listing(folder.path()), ElementsAre(name));
}

TEST(AtomicFile, KeepsPermissionsAndFollowsLinks) {
  const test::TempFolder folder;
  fs::create_directory(folder / "real");
  test::put(folder / "real" / "x", "old");
  ::chmod((folder / "real" / "x").c_str(), 0640);
  fs::create_symlink("real/x", folder / "link");
  write_file(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_EQ(test::slurp(folder / "real" / "x"), "new");
  EXPECT_EQ(fs::status(folder / "real" / "x").permissions(), fs::perms(0640));
}

TEST(AtomicFile, MakesTheTargetOfALinkThatLeadsNowhere) {
  const test::TempFolder folder;
  fs::create_directory(folder / "real");
  fs::create_symlink("real/middle", folder / "link");
  fs::create_symlink("x", folder / "real" / "middle");
  write_file(folder / "link", "new");
  EXPECT_TRUE(fs::is_symlink(folder / "link"));
  EXPECT_TRUE(fs::is_symlink(folder / "real" / "middle"));
  EXPECT_EQ(test::slurp(folder / "real" / "x"), "new");
  fs::create_symlink("loop", folder / "loop");
  EXPECT_THAT(sentence_of([&] { write_file(folder / "loop", "x"); }), HasSubstr("symbolic links"));
}

TEST(AtomicFile, RefusesFoldersDevicesAndMissingPlaces) {
  const test::TempFolder folder;
  const auto writing = [](const fs::path& path) {
    return sentence_of([&] { write_file(path, "x"); });
  };
  EXPECT_THAT(writing(folder.path()), HasSubstr("name a file, not a folder"));
  EXPECT_THAT(writing(folder / ""), HasSubstr("it names no file"));
  EXPECT_THAT(writing("/dev/null"), HasSubstr("not a regular file"));
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_THAT(writing(folder / "no/such/x"),
              HasSubstr("No such file or directory; make its folder first"));
  test::put(folder / "file", "");
  EXPECT_THAT(writing(folder / "file/x"), HasSubstr("Not a directory"));
  EXPECT_THAT(writing(folder / std::string(300, 'n')), HasSubstr("choose a shorter name"));
  write_file(folder / std::string(250, 'n'), "a long name is fine");
  EXPECT_EQ(listing(folder.path()).size(), 2U);
}

TEST(AtomicFile, ReadsWholeFilesAndPipes) {
  const test::TempFolder folder;
  std::mt19937_64 random(3);
  const std::string bytes = test::random_bytes(random, 300'000);
  write_file(folder / "x", bytes);
  EXPECT_EQ(read_file(folder / "x"), bytes);
  write_file(folder / "empty", "");
  EXPECT_EQ(read_file(folder / "empty"), "");
  EXPECT_THAT(sentence_of([&] { read_file(folder / "x", 299'999); }),
              HasSubstr("larger than 300.0 kB"));
  EXPECT_THAT(sentence_of([&] { read_file("/dev/zero", 100'000); }), HasSubstr("larger than"));
  EXPECT_THAT(sentence_of([&] { read_file(folder / "none"); }),
              HasSubstr("none: No such file or directory; check the path"));
  EXPECT_THAT(sentence_of([&] { read_file(folder.path()); }), HasSubstr("Is a directory"));
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  std::thread writer([&] { test::put(folder / "pipe", bytes); });
  EXPECT_EQ(read_file(folder / "pipe"), bytes);
  writer.join();
}

TEST(AtomicFile, MakesFolders) {
  const test::TempFolder folder;
  make_directories(folder / "a/b/c");
  make_directories(folder / "a/b/c");
  make_directories(folder / "a/b/d/");
  EXPECT_TRUE(fs::is_directory(folder / "a/b/d"));
  test::put(folder / "file", "");
  EXPECT_THAT(sentence_of([&] { make_directories(folder / "file"); }),
              HasSubstr("a file of that name is there"));
  EXPECT_THAT(sentence_of([&] { make_directories(folder / "file/x"); }),
              HasSubstr("Not a directory"));
}

TEST(AtomicFile, TheSentenceNamesPathReasonAndRemedy) {
  EXPECT_STREQ(system_error("write", "W/x.h5", ENOSPC).what(),
               "cannot write W/x.h5: No space left on device; free some space and run again");
  EXPECT_STREQ(system_error("read", "W/x.h5", 0).what(),
               "cannot read W/x.h5: the system gave no reason");
}

TEST(AtomicFile, AFullDiskLeavesTheOldFile) {
  const auto outcome = test::on_small_disk(
      64, false, [](const fs::path& disk) { write_file(disk / "old", std::string(1 << 20, 'x')); });
  ATTN_NEED_MOUNTS(outcome);
  EXPECT_THAT(outcome->message,
              HasSubstr("old: No space left on device; free some space and run again"));
  EXPECT_EQ(outcome->left, "old");
}

TEST(AtomicFile, AReadOnlyMountIsFoundBeforeTheWork) {
  const auto outcome =
      test::on_small_disk(64, true, [](const fs::path& disk) { AtomicFile file(disk / "x.h5"); });
  ATTN_NEED_MOUNTS(outcome);
  EXPECT_THAT(outcome->message,
              HasSubstr("x.h5: Read-only file system; choose a folder that can be written"));
  EXPECT_EQ(outcome->left, "old");
  const auto folders =
      test::on_small_disk(64, true, [](const fs::path& disk) { make_directories(disk / "a"); });
  EXPECT_THAT(folders->message, HasSubstr("cannot make"));
  EXPECT_THAT(folders->message, HasSubstr("Read-only file system"));
}

TEST(AtomicFile, LearnsTheReasonThatALibraryHides) {
  const auto outcome = test::on_small_disk(
      64, false, [](const fs::path& disk) { throw write_error(disk / "picture.png"); });
  ATTN_NEED_MOUNTS(outcome);
  EXPECT_THAT(outcome->message, HasSubstr("picture.png: No space left on device"));
  EXPECT_EQ(outcome->left, "old");
}

}  // namespace
}  // namespace attn::io
