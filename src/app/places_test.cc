#include "app/places.h"

#include <gtest/gtest.h>

#include <fstream>

#include "testing/temporary_folder.h"

namespace portcullis::app {
namespace {

TEST(DataFolder, is_made_for_this_user_only_and_may_be_opened_again) {
  testing::TemporaryFolder folder;
  config::Config config;
  config.data = folder.path() / "a" / "data";
  for (int i = 0; i < 2; ++i) {
    const auto data = open_data_folder(config);
    ASSERT_TRUE(data) << data.error().what;
    for (const auto& inside : {data->blobs(), data->spool(), data->lists()})
      EXPECT_EQ(std::filesystem::status(inside).permissions(), std::filesystem::perms::owner_all)
          << inside;
  }
}

TEST(DataFolder, says_what_to_do_when_something_else_has_its_name) {
  testing::TemporaryFolder folder;
  config::Config config;
  config.data = folder.write("data", std::string_view("a file"));
  const auto data = open_data_folder(config);
  ASSERT_FALSE(data);
  EXPECT_NE(data.error().what.find("correct `data` in the config"), std::string::npos)
      << data.error().what;
}

TEST(DataFolder, is_held_by_one_gate_at_a_time) {
  testing::TemporaryFolder folder;
  const DataFolder data{folder.path()};
  auto first = lock_data_folder(data);
  ASSERT_TRUE(first);
  const auto second = lock_data_folder(data);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().what.find("stop it first"), std::string::npos);
  first->reset();
  EXPECT_TRUE(lock_data_folder(data));
}

TEST(Files, are_replaced_whole_and_leave_nothing_behind) {
  testing::TemporaryFolder folder;
  const auto file = folder.write("config", std::string_view("old"));
  ASSERT_TRUE(write_durably(file, as_bytes("new and longer")));
  EXPECT_EQ(as_text(*read_file(file.string(), 100)), "new and longer");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
  EXPECT_FALSE(write_durably(folder.path() / "no" / "such", as_bytes("x")));
  const auto half = [](int fd) -> Status {
    TRY(write_all(fd, as_bytes("half of it")));
    return fail(Fault::limits, "no more");
  };
  EXPECT_FALSE(write_durably(file, half));
  EXPECT_EQ(as_text(*read_file(file.string(), 100)), "new and longer");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(ConfigFile, that_is_missing_is_answered_with_how_to_make_one) {
  const auto found = find_config("/nonexistent/portcullis.toml");
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().what.find("portcullis init"), std::string::npos);
}

}  // namespace
}  // namespace portcullis::app
