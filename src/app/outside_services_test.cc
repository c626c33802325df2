#include "app/outside_services.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include "testing/temporary_folder.h"
#include "testing/virtual_clock.h"

namespace portcullis::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

config::Service shield(const std::filesystem::path& password) {
  return {.name = "shield", .type = "arachnid", .user = "us", .password_file = password};
}
config::Service hma() { return {.name = "hma", .type = "hma", .url = "http://hma:5100/"}; }

TEST(ServiceOptions, take_credentials_from_a_file_or_a_variable) {
  const testing::TemporaryFolder folder;
  const auto from_file = service_options(shield(folder.write("password", "hunter 2\n")));
  ASSERT_TRUE(from_file) << from_file.error().what;
  EXPECT_EQ(from_file->password, "hunter 2");
  EXPECT_EQ(from_file->mode, services::Mode::hash);

  config::Service photodna{.name = "p", .type = "photodna", .key_env = "PORTCULLIS_TEST_KEY"};
  ::unsetenv("PORTCULLIS_TEST_KEY");
  EXPECT_EQ(service_options(photodna).error().what,
            "service p: there is no variable PORTCULLIS_TEST_KEY");
  ::setenv("PORTCULLIS_TEST_KEY", "abc", 1);
  const auto from_variable = service_options(photodna);
  ::unsetenv("PORTCULLIS_TEST_KEY");
  ASSERT_TRUE(from_variable) << from_variable.error().what;
  EXPECT_EQ(from_variable->key, "abc");
  EXPECT_EQ(from_variable->mode, services::Mode::media);
}

TEST(ServiceOptions, say_which_file_is_missing_empty_or_too_large) {
  const testing::TemporaryFolder folder;
  EXPECT_EQ(service_options(shield("/nowhere/key")).error().what,
            "service shield: cannot open /nowhere/key: No such file or directory");
  EXPECT_THAT(service_options(shield(folder.write("empty", " \n"))).error().what,
              HasSubstr("is empty"));
  const auto large = service_options(shield(folder.write("large", std::string(5'000, 'x'))));
  ASSERT_FALSE(large);
  EXPECT_THAT(large.error().what, Not(HasSubstr("xxx")));
}

TEST(OutsideServices, that_did_not_change_stay_the_same_when_the_config_is_read_again) {
  const testing::TemporaryFolder folder;
  const testing::VirtualClock clock;
  const auto password = folder.write("password", "one");
  OutsideServices all(clock);
  all.configure({hma(), shield(password)});
  const auto first_hma = all.find("hma").service, first_shield = all.find("shield").service;
  ASSERT_TRUE(first_hma);
  ASSERT_TRUE(first_shield);

  folder.write("password", "two");  // a new password is a change
  all.configure({hma(), shield(password)});
  EXPECT_EQ(all.find("hma").service, first_hma);
  EXPECT_NE(all.find("shield").service, first_shield);

  config::Service slower = hma();
  slower.per_minute = 1;
  all.configure({slower});
  EXPECT_NE(all.find("hma").service, first_hma);
  EXPECT_FALSE(all.find("shield").service);
  EXPECT_EQ(all.readings().size(), 1u);
}

TEST(OutsideServices, that_cannot_be_made_say_why_and_do_not_stop_others) {
  const testing::VirtualClock clock;
  OutsideServices all(clock);
  config::Service nowhere = hma();
  nowhere.name = "nowhere";
  nowhere.url = "ftp://hma/";
  all.configure({hma(), nowhere, shield("/nowhere/key")});
  EXPECT_TRUE(all.find("hma").service);
  EXPECT_THAT(all.find("nowhere").why, HasSubstr("service nowhere: `url`"));
  EXPECT_THAT(all.find("shield").why, HasSubstr("/nowhere/key"));
  EXPECT_EQ(all.find("other").why, "it is not configured");
}

TEST(ServiceLabels, are_those_of_its_type_and_the_banks_of_an_hma) {
  config::Config config;
  config.services = {hma(), shield("x")};
  config.services[0].banks = {"A", "B"};
  EXPECT_THAT(service_labels(config),
              UnorderedElementsAre(
                  Pair("hma", ElementsAre("A", "B")),
                  Pair("shield", ElementsAre("csam", "harmful-abusive-material", "other"))));
}

}  // namespace
}  // namespace portcullis::app
