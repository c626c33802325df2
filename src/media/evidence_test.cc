// Refusals that keep something, and people who try until something passes.
#include "media/media_testing.h"

namespace portcullis::media {
namespace {

// A score of 0.9 is known illegal here, 0.7 is unsure.
constexpr std::string_view kKeepingPolicy = R"(
[[signal]]
name = "nsfw"
kind = "classifier"
model = "fake"
required = true
[[rule]]
name = "could not look"
when = { unanswered = "required" }
then = "refuse"
[[rule]]
name = "known"
when = { score = "nsfw.nsfw", at_least = 0.85 }
then = "refuse"
preserve = true
report = true
alert = true
ban_hash = true
[[rule]]
name = "unsure"
when = { score = "nsfw.nsfw", at_least = 0.60 }
then = "hold"
[default]
then = "accept"
)";

// {"sub":"2"}
const net::Header kMember{"Authorization", "Bearer e30.eyJzdWIiOiIyIn0.c2ln"};
const net::Header kRelayed{"X-Forwarded-For", "192.0.2.7, 127.0.0.1:5"};

class EvidenceTest : public MediaTest {
 protected:
  EvidenceTest() {
    judge_by(kKeepingPolicy);
    options_.trusted_proxies = {Network::parse("127.0.0.0/8").value()};
    options_.ban = [this](const scan::Screening& screening) -> Status {
      banned_.push_back(screening.facts.sha256);
      return {};
    };
    restart();
  }

  net::Response upload_scored(double score, const std::string& bytes) {
    model_->nsfw = {score};
    return upload({bytes}, {kMember, kRelayed});
  }

  std::string opened(const store::Evidence& one, const evidence::PrivateKey& key) {
    const auto fd = keeper_->open_sealed(one.id);
    Bytes plain;
    if (!fd ||
        !evidence::open(key, evidence::source_of_file(fd->get()), evidence::sink_into(plain)))
      return "closed";
    return std::string(as_text(plain));
  }

  std::vector<store::Evidence> kept() { return store_->evidence_list(true, 100).value(); }

  std::vector<Sha256> banned_;
};

TEST_F(EvidenceTest, what_a_rule_preserves_is_sealed_recorded_and_told_before_the_answer) {
  EXPECT_EQ(upload_scored(0.9, "picture bad").status, 400);
  ASSERT_EQ(kept().size(), 1u);
  const store::Evidence one = kept().front();
  EXPECT_EQ(one.kept, store::Kept::preserved);
  EXPECT_TRUE(one.report_due);
  EXPECT_EQ(opened(one, evidence_key_), "picture bad");
  EXPECT_EQ(opened(one, review_key_), "closed");
  const auto attempts = store_->attempts(one.id).value();
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_EQ(attempts[0].uploader, "2");
  const std::string context(as_text(evidence::open(evidence_key_, attempts[0].context).value()));
  EXPECT_THAT(context, HasSubstr(R"("address":"192.0.2.7")"));
  EXPECT_THAT(context, HasSubstr(R"("file_name":"x.png")"));
  EXPECT_EQ(store_->recent_verdicts(1)->front().id, attempts[0].verdict);
  EXPECT_THAT(alerts_, ::testing::Contains(HasSubstr("known")));
  EXPECT_EQ(banned_, (std::vector{sha256_of(as_bytes("picture bad"))}));
  EXPECT_EQ(blobs_on_disk(), 0u);
}

TEST_F(EvidenceTest, Invariant11_nothing_of_the_person_stands_in_the_log) {
  upload_scored(0.9, "picture bad");
  EXPECT_THAT(log_, Not(HasSubstr("192.0.2.7")));
  EXPECT_THAT(log_, Not(HasSubstr("eyJzdWIi")));
  for (const std::string& alert : alerts_) EXPECT_THAT(alert, Not(HasSubstr("192.0.2.7")));
}

TEST_F(EvidenceTest, what_a_rule_holds_waits_for_a_moderator_and_the_uploader_is_told) {
  const net::Response held = upload_scored(0.7, "picture unsure");
  EXPECT_EQ(held.status, 400);
  EXPECT_EQ(object(held).at("code"), "held-for-review");
  ASSERT_EQ(kept().size(), 1u);
  EXPECT_EQ(kept().front().kept, store::Kept::held);
  EXPECT_EQ(opened(kept().front(), review_key_), "picture unsure");
  EXPECT_EQ(store_->counts()->aliases, 0u);
  EXPECT_TRUE(alerts_.empty());
}

TEST_F(EvidenceTest, more_held_pictures_than_the_quota_are_refused) {
  EXPECT_EQ(object(upload_scored(0.7, "picture a")).at("code"), "held-for-review");
  EXPECT_EQ(object(upload_scored(0.7, "picture b")).at("code"), "held-for-review");
  EXPECT_EQ(object(upload_scored(0.7, "picture c")).at("code"), "failed-external-validation");
  EXPECT_EQ(kept().size(), 2u);
  EXPECT_EQ(store_->recent_verdicts(10)->size(), 3u);
}

TEST_F(EvidenceTest, without_keys_what_should_be_kept_is_refused_and_somebody_is_told) {
  auto options = keeper_options();
  options.review.reset();
  options.evidence.reset();
  keep_evidence(options);
  restart();
  EXPECT_EQ(object(upload_scored(0.9, "picture bad")).at("code"), "failed-external-validation");
  EXPECT_EQ(object(upload_scored(0.7, "picture unsure")).at("code"), "failed-external-validation");
  EXPECT_TRUE(kept().empty());
  EXPECT_THAT(alerts_, ::testing::Contains(HasSubstr("keygen")));
  EXPECT_EQ(store_->recent_verdicts(10)->size(), 2u);
}

TEST_F(EvidenceTest, Invariant7_when_the_room_for_evidence_is_used_up_uploads_close) {
  auto options = keeper_options();
  options.max_bytes = 260;  // a sealed file of this size takes 142
  keep_evidence(options);
  restart();
  upload_scored(0.9, "picture bad");
  ASSERT_TRUE(media_->maintain());
  EXPECT_THAT(alerts_, ::testing::Contains(HasSubstr("50 %")));
  EXPECT_EQ(upload_scored(0.1, "picture cat").status, 201);
  upload_scored(0.9, "picture worse");
  ASSERT_TRUE(media_->maintain());
  EXPECT_THAT(alerts_, ::testing::Contains(HasSubstr("uploads are closed")));
  const net::Response full = upload_scored(0.1, "picture dog");
  EXPECT_EQ(full.status, 503);
  EXPECT_EQ(kept().size(), 2u);
  EXPECT_EQ(object(upload_scored(0.1, "picture cat")).at("code"), object(full).at("code"));
}

TEST_F(EvidenceTest, a_variation_of_a_refused_picture_gets_the_same_answer) {
  const net::Response refused = upload_scored(0.9, "picture bad");
  const net::Response variation = upload_scored(0.1, "picture bad~with a dot");
  EXPECT_EQ(text(variation), text(refused));
  EXPECT_EQ(store_->recent_verdicts(1)->front().verdict.rule, policy::kVariationRule);
  EXPECT_EQ(object(upload_scored(0.7, "picture bad~with two dots")).at("code"),
            "failed-external-validation");
  const net::Header other{"Authorization", "Bearer e30.eyJzdWIiOiIzIn0.c2ln"};
  const net::Header elsewhere{"X-Forwarded-For", "198.51.100.7, 127.0.0.1:5"};
  model_->nsfw = {0.1};
  EXPECT_EQ(upload({"picture bad~to somebody else"}, {other, elsewhere}).status, 201);
}

TEST_F(EvidenceTest, who_is_refused_too_often_finds_uploads_closed_and_others_do_not) {
  options_.close_after = 3;
  restart();
  for (const char* bytes : {"picture a", "picture b", "picture c"})
    EXPECT_EQ(object(upload_scored(0.9, bytes)).at("code"), "failed-external-validation");
  const net::Response closed = upload_scored(0.1, "picture cat");
  EXPECT_EQ(object(closed).at("code"), "uploads-closed");
  EXPECT_THAT(text(closed), HasSubstr("for you"));
  const net::Header other{"Authorization", "Bearer e30.eyJzdWIiOiIzIn0.c2ln"};
  EXPECT_EQ(upload({"picture cat"}, {other, kRelayed}).status, 201);
  clock_.advance(std::chrono::hours(2));
  EXPECT_EQ(upload_scored(0.1, "picture dog").status, 201);
}

TEST_F(EvidenceTest, a_picture_that_was_taken_off_answers_gone) {
  const File cat = uploaded("picture cat");
  EXPECT_EQ(ask("GET", "/image/original/" + cat.alias).status, 200);
  const Sha256 blob = sha256_of(as_bytes("rendition of cat"));
  ASSERT_TRUE(store_->unpublish(blob, "verdict", "admin", clock_.now()));
  media_->forget_stored();
  const net::Response gone = ask("GET", "/image/original/" + cat.alias);
  EXPECT_EQ(gone.status, 410);
  EXPECT_EQ(ask("GET", "/image/original/" + cat.alias, {kRelayed}).status, 410);
  EXPECT_EQ(ask("GET", "/image/process.webp?src=" + cat.alias + "&thumbnail=64").status, 410);
  EXPECT_EQ(ask("GET", "/image/original/never.png").status, 404);
}

TEST_F(EvidenceTest, an_upload_that_names_two_people_is_refused) {
  const net::Response response =
      upload({"picture cat"}, {kMember, kRelayed, {"Cookie", "jwt=e30.eyJzdWIiOiIzIn0.c2ln"}});
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(object(response).at("code"), "two-accounts");
}

TEST_F(EvidenceTest, who_uploaded_what_is_remembered) {
  model_->nsfw = {0.1};
  const net::Response response = upload({"picture cat"}, {kMember, kRelayed});
  const std::string alias(
      object(response).at("files").as_array().at(0).as_object().at("file").as_string());
  EXPECT_EQ((*store_->find(alias))->alias.uploader, "2");
}

}  // namespace
}  // namespace portcullis::media
