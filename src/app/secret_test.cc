#include "app/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "testing/temporary_folder.h"

namespace portcullis::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Secret, stands_in_a_variable_or_in_a_file_that_not_everybody_may_read) {
  ::portcullis::testing::TemporaryFolder folder;
  const std::string path = (folder.path() / "key").string();
  std::ofstream(path) << "hunter2\n";
  ::chmod(path.c_str(), 0600);
  ::setenv("PORTCULLIS_TEST_KEY", "hunter3", 1);
  EXPECT_EQ(load_secret("").value(), "");
  EXPECT_EQ(load_secret("env:PORTCULLIS_TEST_KEY").value(), "hunter3");
  EXPECT_EQ(load_secret("file:" + path).value(), "hunter2");
  ::chmod(path.c_str(), 0644);
  const auto readable = load_secret("file:" + path);
  ASSERT_FALSE(readable);
  EXPECT_THAT(readable.error().what, HasSubstr("chmod"));
}

TEST(Secret, an_error_says_where_it_should_be_and_never_what_it_is) {
  ::setenv("PORTCULLIS_TEST_KEY", "hunter 3", 1);
  for (const char* where :
       {"env:PORTCULLIS_TEST_KEY", "env:PORTCULLIS_TEST_NOTHING", "hunter2", "file:/nowhere/key"}) {
    const auto secret = load_secret(where);
    ASSERT_FALSE(secret) << where;
    EXPECT_THAT(secret.error().what, Not(HasSubstr("hunter"))) << where;
  }
}

}  // namespace
}  // namespace portcullis::app
