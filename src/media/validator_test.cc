// The validator of a pict-rs: what it is asked, what it answers, and what it never tells.
#include "media/validator.h"

#include "media/media_testing.h"

namespace portcullis::media {
namespace {

constexpr const char* kSecret = "0123456789abcdef";

TEST(IsValidation, takes_two_shapes_behind_the_secret_and_nothing_else) {
  const struct {
    const char *method, *path;
    bool is_one;
  } cases[] = {
      {"POST", "/0123456789abcdef/validate", true},
      {"POST", "/0123456789abcdef/api/v1/scan/an-id", true},
      {"POST", "/0123456789abcdef/api/v1/scan/192.0.2.1", true},
      {"POST", "/0123456789abcdef/api/v1/scan/2001:db8::1", true},
      {"POST", "/0123456789abcdef/api/v1/scan/", false},
      {"POST", "/0123456789abcdef/api/v1/scan/a/b", false},
      {"POST", "/0123456789abcdef/api/v2/scan/a", false},
      {"POST", "/0123456789abcdef/validate/", false},
      {"POST", "/0123456789abcdef//validate", false},
      {"POST", "//0123456789abcdef/validate", false},
      {"POST", "/0123456789abcdef/", false},
      {"POST", "/0123456789abcdef", false},
      {"POST", "/0123456789abcde/validate", false},
      {"POST", "/0123456789abcdeF/validate", false},
      {"POST", "/0123456789abcdef0/validate", false},
      {"POST", "/%30123456789abcdef/validate", false},
      {"POST", "/validate", false},
      {"POST", "", false},
      {"POST", "0123456789abcdef/validate", false},
      {"GET", "/0123456789abcdef/validate", false},
      {"HEAD", "/0123456789abcdef/validate", false},
      {"PUT", "/0123456789abcdef/validate", false},
      {"post", "/0123456789abcdef/validate", false},
  };
  for (const auto& c : cases)
    EXPECT_EQ(is_validation(c.method, c.path, kSecret), c.is_one) << c.method << c.path;
}

TEST(IsValidation, is_nothing_while_there_is_no_secret) {
  EXPECT_FALSE(is_validation("POST", "//validate", ""));
  EXPECT_FALSE(is_validation("POST", "/validate", ""));
}

class ValidatorTest : public MediaTest {
 protected:
  ValidatorTest() {
    options_.validator_secret = kSecret;
    restart();
  }

  net::Response validate(const std::string& bytes, bool vanish = false,
                         const std::string& path = "/0123456789abcdef/validate",
                         std::optional<std::uint64_t> announced = {}) {
    net::Request request = request_of("POST", path, {{"Content-Type", "image/png"}});
    request.content_length = announced;
    TextBody reader(bytes);
    reader.vanish = vanish;
    return ::portcullis::testing::run_task(media_->validate(request, reader));
  }
  void close(const char* message) {
    ASSERT_TRUE(store_->set_switch({"uploads", "closed", message, "me", clock_.now(), {}}));
  }
};

TEST_F(ValidatorTest, a_picture_that_the_policy_accepts_may_stay_and_nothing_of_it_does) {
  for (const char* path : {"/0123456789abcdef/validate", "/0123456789abcdef/api/v1/scan/x"}) {
    const net::Response response = validate("picture cat", false, path);
    EXPECT_EQ(response.status, 200) << text(response);
  }
  EXPECT_EQ(blobs_on_disk(), 0u);
  EXPECT_EQ(store_->counts()->aliases, 0u);
  EXPECT_EQ(media_->counters().spooled_bytes, 0u);
  EXPECT_EQ(media_->counters().validations, 2u);
  EXPECT_EQ(media_->counters().accepted, 2u);
}

TEST_F(ValidatorTest, its_verdicts_are_recorded_and_what_the_model_said_is_remembered) {
  validate("picture cat");
  validate("picture cat");
  EXPECT_EQ(model_->asked, 1);
  const auto verdicts = store_->recent_verdicts(10).value();
  ASSERT_EQ(verdicts.size(), 2u);
  EXPECT_EQ(verdicts[0].verdict.outcome, policy::Outcome::accept);
  EXPECT_EQ(verdicts[0].facts.origin, policy::Origin::upload);
  EXPECT_EQ(verdicts[0].original, sha256_of(as_bytes("picture cat")));
}

TEST_F(ValidatorTest, Invariant8_a_refusal_tells_nothing_of_list_model_or_score) {
  model_->nsfw = {0.99};
  const net::Response bad = validate("picture bad");
  EXPECT_EQ(bad.status, 400);
  for (const char* told : {"nsfw", "0.9", "porn", "model", "list", "rule"})
    EXPECT_THAT(text(bad), Not(HasSubstr(told)));
  EXPECT_EQ(media_->counters().refused, 1u);
}

TEST_F(ValidatorTest, what_waits_for_a_moderator_is_refused_and_kept) {
  model_->nsfw = {0.7};
  EXPECT_EQ(validate("picture unsure").status, 400);
  const auto kept = store_->evidence_list(true, 10).value();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0].original, sha256_of(as_bytes("picture unsure")));
}

TEST_F(ValidatorTest, Invariant3_what_could_not_be_judged_may_not_stay) {
  model_->broken = true;
  EXPECT_EQ(validate("picture cat").status, 503);
  EXPECT_EQ(validate("crash").status, 503);
  model_->broken = false;
  EXPECT_EQ(validate("picture cat").status, 200);
}

TEST_F(ValidatorTest, bytes_that_are_no_picture_or_too_many_or_cut_off_may_not_stay) {
  EXPECT_EQ(validate("broken").status, 400);
  EXPECT_EQ(validate("").status, 400);
  EXPECT_EQ(validate(std::string(5'001, 'x')).status, 413);
  EXPECT_EQ(validate("picture", false, "/0123456789abcdef/validate", 5'001).status, 413);
  EXPECT_GE(validate("picture cat", true).status, 400);
  EXPECT_EQ(media_->counters().accepted, 0u);
  EXPECT_EQ(media_->counters().spooled_bytes, 0u);
}

TEST_F(ValidatorTest, Invariant9_it_shares_the_room_of_all_uploads) {
  options_.spool_bytes = 10;
  restart();
  EXPECT_EQ(validate("picture cat").status, 503);
  EXPECT_EQ(media_->counters().spooled_bytes, 0u);
}

TEST_F(ValidatorTest, Invariant10_a_lockdown_holds_for_it_too_and_for_what_is_under_way) {
  decoders_.on_decode = [&] { close("Back tomorrow."); };
  EXPECT_EQ(validate("picture cat").status, 400);
  decoders_.on_decode = {};
  EXPECT_EQ(validate("picture dog").status, 400);
  EXPECT_EQ(decoders_.decodes, 1);
  EXPECT_EQ(media_->counters().accepted, 0u);
}

TEST_F(ValidatorTest, without_the_secret_there_is_nothing_there) {
  for (const char* path : {"/validate", "/0123456789abcdeX/validate", "/image", "/healthz", "/"}) {
    const net::Response response = validate("picture cat", false, path);
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(text(response), "") << path;
    EXPECT_TRUE(response.headers.empty()) << path;
  }
  EXPECT_EQ(decoders_.decodes, 0);
  EXPECT_EQ(media_->counters().validations, 0u);
}

TEST_F(ValidatorTest, the_media_listener_knows_no_validator) {
  EXPECT_EQ(ask("POST", "/0123456789abcdef/validate", {}, "picture cat").status, 404);
}

}  // namespace
}  // namespace portcullis::media
