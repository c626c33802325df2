#include <gmock/gmock.h>

#include "evidence/evidence.h"

namespace portcullis::evidence {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Keys, are_texts_that_say_what_they_are_and_come_back) {
  for (const Purpose purpose : {Purpose::review, Purpose::evidence}) {
    const PrivateKey key = make_key(purpose);
    const std::string text = to_text(key.public_half());
    EXPECT_TRUE(text.starts_with(fmt::format("pc-{}-public-", name(purpose))));
    EXPECT_EQ(public_key_from(text, purpose).value(), key.public_half());
    const std::string file = "# kept in a safe\n\n  " + to_text(key) + "\r\n";
    const auto read = private_key_from(file);
    ASSERT_TRUE(read) << read.error().what;
    EXPECT_EQ(read->public_half(), key.public_half());
    EXPECT_EQ(read->purpose(), purpose);
  }
}

TEST(Keys, differ_each_time) {
  EXPECT_NE(make_key(Purpose::review).public_half(), make_key(Purpose::review).public_half());
}

TEST(Keys, of_the_wrong_kind_are_refused_and_never_repeated) {
  const PrivateKey key = make_key(Purpose::review);
  const std::string secret = to_text(key), open_half = to_text(key.public_half());
  const auto pasted = public_key_from(secret, Purpose::review);
  ASSERT_FALSE(pasted);
  EXPECT_THAT(pasted.error().what, HasSubstr("private key"));
  EXPECT_THAT(pasted.error().what, Not(HasSubstr(secret.substr(20))));
  EXPECT_FALSE(public_key_from(open_half, Purpose::evidence));
  EXPECT_FALSE(public_key_from(open_half.substr(0, open_half.size() - 1), Purpose::review));
  EXPECT_FALSE(public_key_from(open_half + "00", Purpose::review));
  EXPECT_FALSE(public_key_from("", Purpose::review));
  for (const std::string& text : {std::string(), std::string("# nothing\n"), open_half,
                                  secret.substr(1), secret + " " + secret, std::string("\n\n\n")})
    EXPECT_FALSE(private_key_from(text)) << text.size();
}

}  // namespace
}  // namespace portcullis::evidence
