#include <sys/mman.h>

#include "media/media_testing.h"

namespace portcullis::media {
namespace {

using End = TakeOver::End;

class TakeOverTest : public MediaTest {
 protected:
  TakeOverTest() { begin_again(); }

  void begin_again() {
    door_ = std::make_unique<TakeOver>(
        options_, Services{*store_, *blobs_, *scanner_, decoders_, fetcher_, *keeper_, pool_, pool_,
                           pool_, clock_});
  }
  static Digests digests(const std::string& bytes) { return digests_of(as_bytes(bytes)); }
  TakeOver::Outcome take(const std::string& bytes, TakeOver::Name name) {
    const UniqueFd fd = file_with(bytes);
    return ::portcullis::testing::run_task(
        door_->take({fd.get(), bytes.size(), digests(bytes)}, std::move(name)));
  }
  TakeOver::Outcome judge(const std::string& bytes) {
    const UniqueFd fd = file_with(bytes);
    return ::portcullis::testing::run_task(door_->judge({fd.get(), bytes.size(), digests(bytes)}));
  }
  std::optional<End> known(const std::string& bytes, const std::string& alias) {
    return ::portcullis::testing::run_task(door_->known(digests(bytes).sha256, alias)).value();
  }
  TakeOver::Name name(const std::string& alias) const { return {alias, "old-token", when_, {}}; }

  const WallTime when_ = *parse_rfc3339("2024-06-25T20:34:48Z");
  std::unique_ptr<TakeOver> door_;

 private:
  static UniqueFd file_with(const std::string& bytes) {
    UniqueFd fd(::memfd_create("old", MFD_CLOEXEC));
    PORTCULLIS_CHECK(write_all(fd.get(), as_bytes(bytes)));
    return fd;
  }
};

TEST_F(TakeOverTest, keeps_name_token_time_and_the_address_it_is_served_for) {
  EXPECT_EQ(known("picture cat", "cat.png"), std::nullopt);
  TakeOver::Name proxied = name("cat.png");
  proxied.url = "https://other.example/cat.png";
  ASSERT_EQ(take("picture cat", proxied).end, End::taken);
  const auto found = store_->find("cat.png").value();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->alias.delete_token, "old-token");
  EXPECT_EQ(found->alias.created, when_);
  EXPECT_EQ(found->alias.source, policy::Origin::remote);
  EXPECT_EQ(found->alias.url, proxied.url);
  EXPECT_EQ(store_->remote(proxied.url).value()->alias, "cat.png");
  EXPECT_EQ(known("picture cat", "cat.png"), End::there_already);
  EXPECT_EQ(known("picture dog", "cat.png"), End::name_taken);
  ASSERT_EQ(take("picture dog", name("dog.png")).end, End::taken);
  EXPECT_EQ(store_->find("dog.png").value()->alias.source, policy::Origin::import);
  // A copy that was fetched long ago has its time from now on.
  EXPECT_TRUE(store_->expire_proxied(clock_.now() - std::chrono::hours(1), 10)->aliases.empty());
}

TEST_F(TakeOverTest, Invariant1_what_is_refused_or_held_leaves_no_byte_and_its_name_is_gone) {
  const struct {
    double score;
    End end;
  } table[] = {{0.9, End::refused}, {0.7, End::held}};
  for (const auto& row : table) {
    model_->nsfw = {row.score};
    const std::string alias = fmt::format("{}.png", row.score), picture = "picture " + alias;
    EXPECT_EQ(judge(picture).end, row.end);
    EXPECT_FALSE(store_->is_gone(alias).value());
    const auto outcome = take(picture, name(alias));
    EXPECT_EQ(outcome.end, row.end);
    EXPECT_FALSE(outcome.verdict.empty());
    EXPECT_TRUE(store_->verdict(outcome.verdict).value());
    EXPECT_TRUE(store_->is_gone(alias).value());
    EXPECT_EQ(known(picture, alias), End::refused);
    EXPECT_EQ(blobs_on_disk(), 0u);
  }
  EXPECT_EQ(store_->evidence_list(true, 10)->size(), 1u);
}

TEST_F(TakeOverTest, what_a_moderator_let_pass_is_looked_at_again) {
  model_->nsfw = {0.7};
  ASSERT_EQ(take("picture cat", name("cat.png")).end, End::held);
  ASSERT_TRUE(store_->allow({digests("picture cat").sha256, "admin", "harmless", clock_.now()}));
  EXPECT_EQ(known("picture cat", "cat.png"), std::nullopt);
  EXPECT_EQ(take("picture cat", name("cat.png")).end, End::taken);
  EXPECT_EQ(known("picture cat", "cat.png"), End::there_already);
}

TEST_F(TakeOverTest, what_somebody_deleted_here_does_not_come_back) {
  ASSERT_EQ(take("picture cat", name("cat.png")).end, End::taken);
  ASSERT_TRUE(store_->delete_alias("cat.png", "old-token"));
  EXPECT_EQ(known("picture cat", "cat.png"), End::deleted);
  EXPECT_FALSE(store_->is_gone("cat.png").value());
  const File mine = uploaded("picture dog");
  ASSERT_TRUE(store_->delete_alias(mine.alias, std::nullopt));
  EXPECT_FALSE(store_->was_deleted(mine.alias).value());  // nobody else has that
}

TEST_F(TakeOverTest, stops_with_a_sentence_while_nothing_may_come_in) {
  ASSERT_TRUE(store_->set_switch({"uploads", "closed", "", "admin", clock_.now(), std::nullopt}));
  const auto closed = take("picture cat", name("cat.png"));
  EXPECT_EQ(closed.end, End::stopped);
  EXPECT_THAT(closed.why, HasSubstr("uploads are closed"));
  ASSERT_TRUE(store_->set_switch({"uploads", "open", "", "admin", clock_.now(), std::nullopt}));
  ASSERT_EQ(take("picture cat", name("cat.png")).end, End::taken);
  options_.max_bytes = 1;
  begin_again();
  const auto full = take("picture dog", name("dog.png"));
  EXPECT_EQ(full.end, End::stopped);
  EXPECT_THAT(full.why, HasSubstr("media.max_bytes"));
}

TEST_F(TakeOverTest, stops_rather_than_lose_what_policy_wants_kept) {
  keep_evidence({.folder = folder_.path() / "evidence", .review = {}, .evidence = {}});
  begin_again();
  model_->nsfw = {0.7};
  const auto outcome = take("picture cat", name("cat.png"));
  EXPECT_EQ(outcome.end, End::stopped);
  EXPECT_THAT(outcome.why, HasSubstr("could not be kept"));
  EXPECT_FALSE(store_->is_gone("cat.png").value());
}

TEST_F(TakeOverTest, says_apart_what_could_not_be_judged_and_what_is_no_picture) {
  EXPECT_EQ(take("picture cat", name("../cat.png")).end, End::no_picture);
  EXPECT_EQ(take("a text", name("text.png")).end, End::no_picture);
  model_->broken = true;
  EXPECT_EQ(take("picture cat", name("cat.png")).end, End::unanswered);
  EXPECT_EQ(judge("picture cat").end, End::unanswered);
  EXPECT_FALSE(store_->is_gone("cat.png").value());
  EXPECT_EQ(known("picture cat", "cat.png"), std::nullopt);
}

}  // namespace
}  // namespace portcullis::media
