#include "app/ruleset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/temporary_folder.h"
#include "testing/virtual_clock.h"

namespace portcullis::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RulesetTest : public ::testing::Test {
 protected:
  RulesetTest() { std::filesystem::create_directory(data_.lists()); }

  config::Config config() const {
    config::Config config;
    config.policy = folder_.write("policy.toml",
                                  "[[signal]]\nname = \"known\"\nkind = \"list\"\nlists = "
                                  "[\"*\"]\n[[rule]]\nname = \"known\"\nwhen = { match = "
                                  "\"known\" }\nthen = \"refuse\"\n[default]\nthen = \"accept\"\n");
    return config;
  }
  store::HashListRow list(const std::string& name) const {
    const hash::ListEntries entries{.sha256 = {sha256_of(as_bytes(name))}};
    const auto path = data_.lists() / name;
    PORTCULLIS_CHECK(write_durably(path, [&](int fd) { return hash::write_list(entries, fd); }));
    const auto version = hash::HashList::open(path.string())->version().hex();
    return {name, name, version, 1, "a text", {}};
  }
  void damage(const std::string& name) const {  // its place on the disk, not what is mapped
    std::filesystem::remove(data_.lists() / name);
    folder_.write("lists/" + name, std::string_view("no list"));
  }

  testing::TemporaryFolder folder_;
  DataFolder data_{folder_.path()};
  testing::VirtualClock clock_;
  Pool pool_{"test", 1};
  RulesetLoader loader_{config(), data_, pool_, pool_, clock_};
};

TEST_F(RulesetTest, keeps_lists_of_the_same_version_without_reading_them_again) {
  const auto first = list("first");
  ASSERT_TRUE(loader_.load({first}, true));
  EXPECT_THAT(loader_.problems(), IsEmpty());
  damage("first");
  const auto second = list("second");
  ASSERT_TRUE(loader_.load({first, second}, false));
  EXPECT_THAT(loader_.problems(), IsEmpty());
  ASSERT_TRUE(loader_.load({second}, false));
  ASSERT_TRUE(loader_.load({first, second}, false));
  EXPECT_THAT(loader_.problems(), ElementsAre(HasSubstr("list first:"))) << "was let go in between";
}

TEST_F(RulesetTest, reads_them_again_when_asked_to_load_everything_afresh) {
  const auto first = list("first");
  ASSERT_TRUE(loader_.load({first}, true));
  damage("first");
  ASSERT_TRUE(loader_.load({first}, true));
  EXPECT_THAT(loader_.problems(), ElementsAre(HasSubstr("list first:")));
}

TEST_F(RulesetTest, reads_a_list_again_when_its_version_changed) {
  auto first = list("first");
  ASSERT_TRUE(loader_.load({first}, true));
  first.version = list("other").version;
  ASSERT_TRUE(loader_.load({first}, false));
  EXPECT_THAT(loader_.problems(), ElementsAre(HasSubstr("not the version that was added")));
}

}  // namespace
}  // namespace portcullis::app
