// What every Store must do, whichever database is behind it.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <set>
#include <thread>

#include "base/id.h"
#include "store/engines_testing.h"
#include "store/store.h"
#include "testing/temporary_folder.h"
#include "testing/virtual_clock.h"

namespace portcullis::store {
namespace {

class StoreTest : public ::testing::TestWithParam<Engine> {
 protected:
  StoreTest() { restart(); }

  void restart() {
    store_.reset();
    auto opened = GetParam().open(folder_.path(), clock_);
    EXPECT_TRUE(opened) << opened.error().what;
    store_ = std::move(*opened);
  }

  static Sha256 digest(std::string_view text) { return sha256_of(as_bytes(text)); }
  static Details details() { return {640, 480, std::nullopt, "image/png", "LEHV6n", 1234}; }

  VerdictRecord verdict(std::string_view original,
                        policy::Outcome outcome = policy::Outcome::accept) {
    VerdictRecord record{random_uuid(), digest(original), "ruleset", {}, {}, clock_.now()};
    record.verdict.outcome = outcome;
    record.verdict.rule = "default";
    record.verdict.alert = true;
    record.verdict.reason = "No rule fired.";
    record.facts.sha256 = digest(original);
    record.facts.signals["nsfw"] = {policy::Answer::no_match, false, {{"nsfw", 0.25}}, "x"};
    return record;
  }

  Store::Claim claim(std::string_view blob) {
    const auto made = store_->claim(digest(blob), details(), clock_.now());
    EXPECT_TRUE(made) << made.error().what;
    return *made;
  }

  Status publish(const Store::Claim& claim, const std::string& alias, std::string_view blob) {
    return store_->publish(
        {claim.id,
         {alias, "token-of-" + alias, digest(blob), clock_.now(), policy::Origin::upload},
         verdict("original of " + std::string(blob)),
         RenditionRecord{digest("original of " + std::string(blob)), "identity", digest(blob),
                         "{\"seen\":1}"}});
  }

  void add(const std::string& alias, std::string_view blob) {
    const Status done = publish(claim(blob), alias, blob);
    EXPECT_TRUE(done) << done.error().what;
  }

  std::set<Sha256> sweepable() {
    const auto found = store_->sweepable(100);
    EXPECT_TRUE(found);
    return {found->begin(), found->end()};
  }

  Switch closed(std::optional<WallTime> until = std::nullopt) {
    return {"uploads", "closed", "Back soon.", "me", clock_.now(), until};
  }

  testing::TemporaryFolder folder_;
  testing::VirtualClock clock_;
  std::unique_ptr<Store> store_;
};

using P = policy::Outcome;

TEST_P(StoreTest, a_published_alias_is_found_with_everything_that_was_said_of_it) {
  add("a.png", "cat");
  restart();
  const auto found = store_->find("a.png");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->alias, (Alias{"a.png", "token-of-a.png", digest("cat"), clock_.now(),
                                    policy::Origin::upload}));
  EXPECT_EQ((*found)->details, details());
  const auto rendition = store_->rendition(digest("original of cat"), "identity");
  ASSERT_TRUE(rendition && *rendition);
  EXPECT_EQ((*rendition)->blob, digest("cat"));
  EXPECT_EQ((*rendition)->facts, "{\"seen\":1}");
  EXPECT_EQ(*store_->details(digest("cat")), details());
  EXPECT_EQ(*store_->facts_of(digest("cat")), "{\"seen\":1}");
  EXPECT_EQ(*store_->facts_of(digest("dog")), "");
  EXPECT_FALSE(*store_->find("b.png"));
  EXPECT_FALSE(*store_->rendition(digest("original of cat"), "other"));
  EXPECT_FALSE(*store_->details(digest("dog")));
}

TEST_P(StoreTest, nothing_is_visible_before_it_is_published) {
  claim("cat");
  EXPECT_FALSE(*store_->find("a.png"));
  EXPECT_EQ(store_->counts()->aliases, 0u);
  EXPECT_EQ(store_->counts()->pending, 1u);
  EXPECT_TRUE(*store_->knows(digest("cat")));
  EXPECT_FALSE(*store_->knows(digest("dog")));
}

TEST_P(StoreTest, the_same_blob_is_stored_once_under_many_aliases) {
  add("a.png", "cat");
  const Store::Claim again = claim("cat");
  EXPECT_TRUE(again.already_stored);
  EXPECT_TRUE(publish(again, "b.png", "cat"));
  EXPECT_EQ(store_->counts()->blobs, 1u);
  EXPECT_EQ(store_->counts()->aliases, 2u);
  EXPECT_EQ(store_->counts()->blob_bytes, 1234u);
}

TEST_P(StoreTest, two_uploads_of_one_picture_at_once_both_land) {
  const Store::Claim first = claim("cat"), second = claim("cat");
  EXPECT_FALSE(first.already_stored);
  EXPECT_FALSE(second.already_stored);
  EXPECT_TRUE(publish(second, "b.png", "cat"));
  EXPECT_TRUE(publish(first, "a.png", "cat"));
  EXPECT_TRUE(sweepable().empty());
}

TEST_P(StoreTest, an_alias_that_is_taken_commits_nothing) {
  add("a.png", "cat");
  const Status taken = publish(claim("dog"), "a.png", "dog");
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, "duplicate-alias");
  EXPECT_EQ((*store_->find("a.png"))->alias.blob, digest("cat"));
  EXPECT_EQ(store_->counts()->verdicts, 1u);
  EXPECT_FALSE(*store_->rendition(digest("original of dog"), "identity"));
}

TEST_P(StoreTest, a_claim_is_good_for_one_publication) {
  const Store::Claim once = claim("cat");
  EXPECT_TRUE(publish(once, "a.png", "cat"));
  EXPECT_FALSE(publish(once, "b.png", "cat"));
  EXPECT_FALSE(publish(claim("cat"), "c.png", "dog"));
  EXPECT_EQ(store_->counts()->aliases, 1u);
}

TEST_P(StoreTest, Invariant10_an_upload_that_began_before_a_lockdown_does_not_land_after_it) {
  const Store::Claim under_way = claim("cat");
  ASSERT_TRUE(store_->set_switch(closed()));
  const Status late = publish(under_way, "a.png", "cat");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, "uploads-closed");
  EXPECT_FALSE(*store_->find("a.png"));
  EXPECT_EQ(store_->counts()->verdicts, 0u);
  restart();
  const auto kept = store_->get_switch("uploads");
  ASSERT_TRUE(kept && *kept);
  EXPECT_EQ((*kept)->state, "closed");
  EXPECT_EQ((*kept)->message, "Back soon.");
  EXPECT_EQ((*kept)->who, "me");
}

TEST_P(StoreTest, a_switch_opens_by_itself_at_its_end) {
  ASSERT_TRUE(store_->set_switch(closed(clock_.now() + std::chrono::hours(1))));
  EXPECT_FALSE(publish(claim("cat"), "a.png", "cat"));
  clock_.advance(std::chrono::hours(1));
  EXPECT_TRUE(publish(claim("cat"), "a.png", "cat"));
  EXPECT_FALSE(*store_->get_switch("other"));
}

TEST_P(StoreTest, deleting_needs_the_token) {
  add("a.png", "cat");
  EXPECT_EQ(store_->delete_alias("a.png", "wrong").value().outcome, Store::Deleted::wrong_token);
  EXPECT_EQ(store_->delete_alias("a.png", "").value().outcome, Store::Deleted::wrong_token);
  EXPECT_TRUE(*store_->find("a.png"));
  EXPECT_EQ(store_->delete_alias("a.png", "token-of-a.png").value().outcome, Store::Deleted::yes);
  EXPECT_FALSE(*store_->find("a.png"));
  EXPECT_EQ(store_->delete_alias("a.png", "token-of-a.png").value().outcome,
            Store::Deleted::unknown_alias);
}

TEST_P(StoreTest, a_blob_goes_with_its_last_alias_and_not_before) {
  add("a.png", "cat");
  add("b.png", "cat");
  ASSERT_TRUE(store_->delete_alias("a.png", "token-of-a.png"));
  EXPECT_TRUE(sweepable().empty());
  ASSERT_TRUE(store_->delete_alias("b.png", "token-of-b.png"));
  EXPECT_EQ(sweepable(), std::set{digest("cat")});
  ASSERT_TRUE(store_->removed(digest("cat")));
  EXPECT_FALSE(*store_->knows(digest("cat")));
  EXPECT_FALSE(*store_->rendition(digest("original of cat"), "identity"));
  EXPECT_TRUE(sweepable().empty());
}

TEST_P(StoreTest, digests_in_flight_are_not_swept) {
  add("a.png", "cat");
  const Store::Claim stored = claim("cat"), fresh = claim("dog");
  ASSERT_TRUE(store_->delete_alias("a.png", "token-of-a.png"));
  EXPECT_TRUE(sweepable().empty());
  EXPECT_TRUE(publish(stored, "b.png", "cat"));
  EXPECT_TRUE(*store_->find("b.png"));
  ASSERT_TRUE(store_->abandon(fresh.id));
  EXPECT_EQ(sweepable(), std::set{digest("dog")});
}

// The sweeper may have removed the file before a crash kept it from saying so.
TEST_P(StoreTest, Invariant5_a_blob_that_was_to_go_is_written_again_before_it_is_used) {
  add("a.png", "cat");
  ASSERT_TRUE(store_->delete_alias("a.png", "token-of-a.png"));
  const Store::Claim again = claim("cat");
  EXPECT_FALSE(again.already_stored);
  EXPECT_EQ(store_->counts()->pending, 1u);
  EXPECT_TRUE(publish(again, "b.png", "cat"));
  EXPECT_EQ(store_->counts()->pending, 0u);
  EXPECT_TRUE(sweepable().empty());
}

TEST_P(StoreTest, a_claim_waits_while_the_file_is_being_removed) {
  add("a.png", "cat");
  ASSERT_TRUE(store_->delete_alias("a.png", "token-of-a.png"));
  ASSERT_EQ(sweepable().size(), 1u);
  Store::Claim waited;
  std::thread upload([&] { waited = claim("cat"); });
  ASSERT_TRUE(store_->removed(digest("cat")));
  upload.join();
  EXPECT_FALSE(waited.already_stored);
  EXPECT_TRUE(publish(waited, "b.png", "cat"));
}

TEST_P(StoreTest, what_could_not_be_removed_is_given_to_the_sweeper_again) {
  ASSERT_TRUE(store_->abandon(claim("cat").id));
  EXPECT_EQ(sweepable(), std::set{digest("cat")});
  EXPECT_EQ(sweepable(), std::set{digest("cat")});
}

TEST_P(StoreTest, Invariant5_what_an_earlier_run_left_half_done_is_swept) {
  add("a.png", "cat");
  claim("dog");
  restart();
  EXPECT_TRUE(sweepable().empty());  // until a server says that it begins
  ASSERT_TRUE(store_->begin_run());
  EXPECT_EQ(sweepable(), std::set{digest("dog")});
}

TEST_P(StoreTest, Invariant6_verdicts_come_back_with_their_facts_newest_first) {
  const VerdictRecord first = verdict("cat", P::refuse);
  ASSERT_TRUE(store_->record(first));
  clock_.advance(std::chrono::seconds(1));
  const VerdictRecord second = verdict("dog", P::hold);
  ASSERT_TRUE(store_->record(second));
  const auto records = store_->recent_verdicts(10);
  ASSERT_TRUE(records) << records.error().what;
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ((*records)[0].id, second.id);
  EXPECT_EQ((*records)[1].verdict, first.verdict);
  EXPECT_EQ((*records)[1].facts, first.facts);
  EXPECT_EQ((*records)[1].when, first.when);
  EXPECT_EQ(store_->recent_verdicts(1)->size(), 1u);
  EXPECT_EQ(store_->counts()->refused, 2u);
}

TEST_P(StoreTest, answers_are_remembered_for_their_time_and_their_version) {
  const AnswerKey key{digest("cat"), "nsfw", "1"};
  const policy::SignalAnswer answer{
      policy::Answer::no_match, false, {{"nsfw", 0.125}, {"sfw", 0.875}}, "why"};
  ASSERT_TRUE(store_->remember(key, answer, clock_.now() + std::chrono::hours(1)));
  EXPECT_EQ(**store_->answer(key, clock_.now()), answer);
  EXPECT_FALSE(*store_->answer({digest("cat"), "nsfw", "2"}, clock_.now()));
  EXPECT_FALSE(*store_->answer({digest("cat"), "other", "1"}, clock_.now()));
  EXPECT_FALSE(*store_->answer({digest("dog"), "nsfw", "1"}, clock_.now()));
  EXPECT_EQ(store_->expire_answers(clock_.now(), 10).value(), 0u);
  clock_.advance(std::chrono::hours(1));
  EXPECT_FALSE(*store_->answer(key, clock_.now()));
  EXPECT_EQ(store_->expire_answers(clock_.now(), 10).value(), 1u);
  EXPECT_EQ(store_->expire_answers(clock_.now(), 10).value(), 0u);
}

TEST_P(StoreTest, Invariant3_an_answer_that_says_nothing_is_never_remembered) {
  for (const policy::Answer answer : {policy::Answer::unanswered, policy::Answer::not_asked})
    EXPECT_FALSE(store_->remember({digest("cat"), "nsfw", "1"}, {answer, false, {}, {}},
                                  clock_.now() + std::chrono::hours(1)));
}

TEST_P(StoreTest, lists_are_kept_by_name) {
  const HashListRow row{"csam/a", "a.list", "0a", 3, "a.csv", clock_.now()};
  ASSERT_TRUE(store_->put_list(row));
  HashListRow newer = row;
  newer.version = "0b";
  ASSERT_TRUE(store_->put_list(newer));
  ASSERT_TRUE(store_->put_list({"banned", "b.list", "0c", 1, "b.csv", clock_.now()}));
  const auto rows = store_->lists();
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ((*rows)[0].name, "banned");
  EXPECT_EQ((*rows)[1].version, "0b");
  EXPECT_EQ((*rows)[1].added, row.added);
  EXPECT_TRUE(store_->remove_list("banned").value());
  EXPECT_FALSE(store_->remove_list("banned").value());
}

TEST_P(StoreTest, a_list_keeps_all_its_settings) {
  HashListRow row{"a/b", "f", "0a", 3, "https://x/y?z", clock_.now()};
  row.format = "ncmec";
  row.kind = "md5";
  row.credentials = "file:/x";
  row.tag = "confirmed";
  row.radius = 10;
  row.min_quality = 70;
  row.observe = true;
  row.checked = clock_.now() + std::chrono::hours(1);
  row.max_age = std::chrono::hours(48);
  ASSERT_TRUE(store_->put_list(row));
  EXPECT_EQ(store_->lists().value(), std::vector{row});
}

TEST_P(StoreTest, bans_and_their_list_change_together) {
  const auto ban = [&](const std::string& of, const std::string& digest) {
    return Ban{of, "md5", digest, "someone", "spam", clock_.now()};
  };
  const HashListRow row{"banned", "f", "0a", 2, "x", clock_.now()};
  ASSERT_TRUE(store_->change_bans({}, {ban("a", "1"), ban("a", "2"), ban("b", "1")}, row));
  ASSERT_TRUE(store_->change_bans({}, {ban("a", "1")}, row)) << "what is there stays";
  EXPECT_EQ(store_->bans().value(), (std::vector{ban("a", "1"), ban("a", "2"), ban("b", "1")}));
  EXPECT_EQ(store_->lists()->size(), 1u);
  ASSERT_TRUE(store_->change_bans({"a"}, {ban("c", "3")}, row));
  EXPECT_EQ(store_->bans().value(), (std::vector{ban("b", "1"), ban("c", "3")}));
  ASSERT_TRUE(store_->change_bans({"b", "c"}, {}, std::nullopt));
  EXPECT_TRUE(store_->bans()->empty());
  EXPECT_TRUE(store_->lists()->empty());
}

TEST_P(StoreTest, what_is_allowed_stays_as_it_was_first_said) {
  const Allowed cat{digest("cat"), "someone", "harmless", clock_.now()};
  EXPECT_FALSE(store_->is_allowed(cat.sha256).value());
  ASSERT_TRUE(store_->allow(cat));
  clock_.advance(std::chrono::hours(1));
  ASSERT_TRUE(store_->allow({digest("cat"), "another", "", clock_.now()}));
  const Allowed dog{digest("dog"), "another", "", clock_.now()};
  ASSERT_TRUE(store_->allow(dog));
  EXPECT_EQ(store_->allowed().value(), (std::vector{dog, cat}));
  EXPECT_TRUE(store_->is_allowed(cat.sha256).value());
  EXPECT_TRUE(store_->disallow(cat.sha256).value());
  EXPECT_FALSE(store_->disallow(cat.sha256).value());
  EXPECT_FALSE(store_->is_allowed(cat.sha256).value());
}

TEST_P(StoreTest, the_generation_changes_when_somebody_else_changes_something) {
  auto other = std::move(GetParam().open(folder_.path(), clock_).value());
  const auto before = store_->generation().value();
  EXPECT_EQ(store_->generation().value(), before);
  ASSERT_TRUE(other->set_switch(closed()));
  EXPECT_NE(store_->generation().value(), before);
}

TEST_P(StoreTest, many_threads_publish_and_delete_without_losing_anything) {
  constexpr int kThreads = 8, kEach = 25;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([this, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string alias = fmt::format("{}-{}.png", t, i),
                          blob = fmt::format("blob {}", i % 10);
        add(alias, blob);
        if (i % 5 == 0)
          EXPECT_EQ(store_->delete_alias(alias, "token-of-" + alias).value().outcome,
                    Store::Deleted::yes);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store_->counts()->aliases, std::uint64_t{kThreads * kEach * 4 / 5});
  EXPECT_EQ(store_->counts()->blobs, 8u);  // those of every fifth upload all lost their alias
  EXPECT_EQ(store_->counts()->verdicts, std::uint64_t{kThreads * kEach});
}

// --- what is derived from a stored picture ---

class HandingOn : public StoreTest {
 protected:
  HandedOn picture(const std::string& alias, policy::Origin source = policy::Origin::upload) {
    return {alias, "token-of-" + alias, digest("original of " + alias), clock_.now(), source};
  }
  Status hand_on(const HandedOn& one, const std::string& proxied = "") {
    return store_->hand_on(one, verdict("original of " + one.alias), proxied);
  }
};

TEST_P(HandingOn, is_remembered_with_its_verdict) {
  HandedOn one = picture("a.png");
  one.url = "https://origin.example/a";
  one.uploader = "2";
  ASSERT_TRUE(hand_on(one));
  restart();
  EXPECT_EQ(store_->handed_on("a.png").value(), one);
  EXPECT_EQ(store_->handed_on("b.png").value(), std::nullopt);
  EXPECT_EQ(store_->recent_verdicts(10)->front().original, one.original);
  EXPECT_EQ(store_->counts()->aliases, 0u);  // it is none of ours
}

TEST_P(HandingOn, Invariant10_nothing_lands_after_a_lockdown_but_what_is_remote_or_derived) {
  ASSERT_TRUE(store_->set_switch({"uploads", "closed", "", "me", clock_.now(), {}}));
  for (const auto source : {policy::Origin::upload, policy::Origin::import}) {
    const Status done = hand_on(picture("a.png", source));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, "uploads-closed");
  }
  EXPECT_EQ(store_->handed_on("a.png").value(), std::nullopt);
  EXPECT_EQ(store_->counts()->verdicts, 0u);
  EXPECT_TRUE(hand_on(picture("a.png", policy::Origin::remote)));
  ASSERT_TRUE(store_->set_switch({"remote", "block", "", "me", clock_.now(), {}}));
  EXPECT_EQ(hand_on(picture("c.png", policy::Origin::remote)).error().code, "remote-closed");
  HandedOn derived = picture("b.png");
  derived.parent = "a.png";
  EXPECT_TRUE(hand_on(derived));
}

TEST_P(HandingOn, letting_go_names_what_was_derived_and_serves_its_url_no_longer) {
  ASSERT_TRUE(hand_on(picture("a.png"), "https://origin.example/a"));
  HandedOn derived = picture("b.png");
  derived.parent = "a.png";
  ASSERT_TRUE(hand_on(derived));
  EXPECT_EQ(store_->remote("https://origin.example/a").value()->alias, "a.png");
  EXPECT_EQ(store_->let_go("a.png").value(), std::vector<HandedOn>{derived});
  EXPECT_EQ(store_->remote("https://origin.example/a").value()->alias, "");
  EXPECT_EQ(store_->handed_on("a.png").value(), std::nullopt);
  EXPECT_EQ(store_->handed_on("b.png").value(), derived);
  EXPECT_TRUE(store_->let_go("b.png").value().empty());
  EXPECT_TRUE(store_->let_go("unknown.png").value().empty());
}

TEST_P(HandingOn, what_is_served_for_a_url_is_unused_when_nobody_asked_for_long) {
  ASSERT_TRUE(hand_on(picture("a.png"), "https://origin.example/a"));
  ASSERT_TRUE(hand_on(picture("b.png"), "https://origin.example/b"));
  ASSERT_TRUE(hand_on(picture("c.png")));
  clock_.advance(std::chrono::hours(2));
  ASSERT_TRUE(store_->touch({{"https://origin.example/b", {}, {}, clock_.now()}}));
  const auto unused = store_->unused_handed_on(clock_.now() - std::chrono::hours(1), 10).value();
  ASSERT_EQ(unused.size(), 1u);
  EXPECT_EQ(unused[0].alias, "a.png");
  EXPECT_TRUE(store_->expire_proxied(clock_.now(), 10)->aliases.empty());  // not ours to expire
}

INSTANTIATE_TEST_SUITE_P(Engines, HandingOn, kEngines, kEngineName);

class Derived : public StoreTest {
 protected:
  Status add_derived(const std::string& alias, std::string_view blob, const std::string& parent) {
    Store::Publication publication{
        claim(blob).id, {alias, "token-of-" + alias, digest(blob), clock_.now()}, {}, {}, {}};
    publication.alias.parent = parent;
    return store_->publish(publication);
  }
  Status add_remote(const std::string& alias, std::string_view blob, const std::string& url) {
    Store::Publication publication{
        claim(blob).id,
        {alias, "token-of-" + alias, digest(blob), clock_.now(), policy::Origin::remote, {}, url},
        verdict("original of " + std::string(blob)),
        {},
        url};
    return store_->publish(publication);
  }
  Status add_variant(std::string_view of, const std::string& key, std::string_view blob) {
    return store_->publish_variant(claim(blob).id, {digest(of), key, digest(blob)}, clock_.now());
  }
  bool has_variant(std::string_view of, const std::string& key) {
    const auto found = store_->variant(digest(of), key);
    EXPECT_TRUE(found);
    return found->has_value();
  }
};

TEST_P(Derived, aliases_go_with_their_parent) {
  add("cat.png", "cat");
  ASSERT_TRUE(add_derived("small.webp", "small cat", "cat.png"));
  ASSERT_TRUE(add_derived("smaller.webp", "smaller cat", "small.webp"));
  EXPECT_EQ((*store_->find("small.webp"))->alias.parent, "cat.png");
  const auto deleted = store_->delete_alias("cat.png", "token-of-cat.png");
  ASSERT_TRUE(deleted);
  EXPECT_EQ(deleted->aliases, (std::vector<std::string>{"cat.png", "small.webp", "smaller.webp"}));
  EXPECT_FALSE(*store_->find("small.webp"));
  EXPECT_EQ(sweepable(), (std::set{digest("cat"), digest("small cat"), digest("smaller cat")}));
}

TEST_P(Derived, aliases_need_their_parent_to_exist) {
  const Status late = add_derived("small.webp", "small cat", "cat.png");
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, "gone");
}

TEST_P(Derived, and_remote_pictures_land_while_uploads_are_closed) {
  add("cat.png", "cat");
  ASSERT_TRUE(store_->set_switch(closed()));
  EXPECT_TRUE(add_derived("small.webp", "small cat", "cat.png"));
  EXPECT_TRUE(add_remote("dog.png", "dog", "https://example.org/dog.png"));
}

TEST_P(Derived, variants_are_found_and_go_with_the_last_alias_of_their_picture) {
  add("a.png", "cat");
  ASSERT_TRUE(publish(claim("cat"), "b.png", "cat"));
  ASSERT_TRUE(add_variant("cat", "thumbnail/96/webp", "small cat"));
  const auto found = store_->variant(digest("cat"), "thumbnail/96/webp");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->blob, digest("small cat"));
  EXPECT_EQ((*found)->details, details());
  EXPECT_EQ((*found)->created, clock_.now());
  EXPECT_FALSE(has_variant("cat", "thumbnail/97/webp"));
  EXPECT_TRUE(sweepable().empty());
  ASSERT_TRUE(store_->delete_alias("a.png", std::nullopt));
  EXPECT_TRUE(has_variant("cat", "thumbnail/96/webp"));
  ASSERT_TRUE(store_->delete_alias("b.png", std::nullopt));
  EXPECT_FALSE(has_variant("cat", "thumbnail/96/webp"));
  EXPECT_EQ(sweepable(), (std::set{digest("cat"), digest("small cat")}));
}

TEST_P(Derived, variants_of_a_picture_that_was_deleted_meanwhile_do_not_land) {
  add("a.png", "cat");
  const auto under_way = claim("small cat");
  ASSERT_TRUE(store_->delete_alias("a.png", std::nullopt));
  const Status late = store_->publish_variant(
      under_way.id, {digest("cat"), "webp", digest("small cat")}, clock_.now());
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, "gone");
}

TEST_P(Derived, variants_made_twice_stay_once) {
  add("a.png", "cat");
  ASSERT_TRUE(add_variant("cat", "webp", "one"));
  ASSERT_TRUE(add_variant("cat", "webp", "another"));
  EXPECT_EQ((*store_->variant(digest("cat"), "webp"))->blob, digest("one"));
  EXPECT_EQ(sweepable(), std::set{digest("another")});
}

TEST_P(Derived, a_variant_that_is_its_picture_byte_for_byte_harms_neither) {
  add("a.png", "cat");
  ASSERT_TRUE(add_variant("cat", "png", "cat"));
  EXPECT_TRUE(sweepable().empty());
  EXPECT_TRUE(has_variant("cat", "png"));
  EXPECT_TRUE(*store_->find("a.png"));
  ASSERT_TRUE(store_->delete_alias("a.png", std::nullopt));
  EXPECT_EQ(sweepable(), std::set{digest("cat")});
  ASSERT_TRUE(store_->removed(digest("cat")));
}

TEST_P(Derived, a_picture_that_is_somebodys_variant_as_well_stays_for_them) {
  add("a.png", "cat");
  ASSERT_TRUE(add_variant("cat", "webp", "small cat"));
  add("b.webp", "small cat");
  ASSERT_TRUE(store_->delete_alias("b.webp", std::nullopt));
  EXPECT_TRUE(sweepable().empty());
  ASSERT_TRUE(store_->purge("a.png"));
  EXPECT_EQ(sweepable(), (std::set{digest("cat"), digest("small cat")}));
}

TEST_P(Derived, purging_one_alias_removes_all_of_the_same_picture) {
  add("a.png", "cat");
  ASSERT_TRUE(publish(claim("cat"), "b.png", "cat"));
  ASSERT_TRUE(add_derived("small.webp", "small cat", "a.png"));
  add("dog.png", "dog");
  EXPECT_EQ(store_->aliases_with("b.png").value(), (std::vector<std::string>{"a.png", "b.png"}));
  const auto gone = store_->purge("b.png");
  ASSERT_TRUE(gone);
  EXPECT_EQ(std::set(gone->begin(), gone->end()),
            (std::set<std::string>{"a.png", "b.png", "small.webp"}));
  EXPECT_TRUE(*store_->find("dog.png"));
  EXPECT_TRUE(store_->purge("b.png")->empty());
  EXPECT_TRUE(store_->aliases_with("b.png")->empty());
}

TEST_P(Derived, a_remote_url_is_remembered_with_what_lay_behind_it) {
  const std::string url = "https://example.org/cat.png?a=1&b=2";
  EXPECT_FALSE(*store_->remote(url));
  ASSERT_TRUE(store_->announce(url, clock_.now()));
  EXPECT_TRUE((*store_->remote(url))->announced);
  EXPECT_FALSE((*store_->remote(url))->fetch);
  const Fetch fetch{digests_of(as_bytes("cat")), 3, clock_.now(), true};
  ASSERT_TRUE(store_->remember_fetch(url, fetch));
  ASSERT_TRUE(add_remote("cat.png", "cat", url));
  restart();
  const auto found = *store_->remote(url);
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->announced);
  EXPECT_EQ(found->alias, "cat.png");
  ASSERT_TRUE(found->fetch);
  EXPECT_EQ(found->fetch->original, fetch.original);
  EXPECT_EQ(found->fetch->when, fetch.when);
  EXPECT_TRUE(found->fetch->refused);
  EXPECT_EQ((*store_->find("cat.png"))->alias.url, url);
  ASSERT_TRUE(store_->delete_alias("cat.png", std::nullopt));
  EXPECT_EQ((*store_->remote(url))->alias, "");
  EXPECT_TRUE((*store_->remote(url))->announced);
}

TEST_P(Derived, many_urls_are_announced_at_once_and_keep_what_is_known_of_them) {
  const Fetch fetch{digests_of(as_bytes("cat")), 3, clock_.now(), true};
  ASSERT_TRUE(store_->remember_fetch("https://b.example/", fetch));
  ASSERT_TRUE(store_->announce_all(
      {"https://a.example/", "https://b.example/", "https://a.example/"}, clock_.now()));
  ASSERT_TRUE(store_->announce_all({}, clock_.now()));
  restart();
  EXPECT_TRUE((*store_->remote("https://a.example/"))->announced);
  EXPECT_TRUE((*store_->remote("https://b.example/"))->announced);
  EXPECT_TRUE((*store_->remote("https://b.example/"))->fetch->refused);
  EXPECT_FALSE(*store_->remote("https://c.example/"));
}

TEST_P(Derived, what_nobody_asks_for_expires) {
  const WallTime start = clock_.now();
  add("a.png", "cat");
  ASSERT_TRUE(add_variant("cat", "one", "1"));
  ASSERT_TRUE(add_variant("cat", "two", "2"));
  ASSERT_TRUE(add_remote("x.png", "x", "https://x/"));
  ASSERT_TRUE(add_remote("y.png", "y", "https://y/"));
  const WallTime later = start + std::chrono::hours(24);
  ASSERT_TRUE(store_->touch({{"", digest("cat"), "two", later}, {"https://y/", {}, "", later}}));
  const WallTime limit = start + std::chrono::hours(1);
  EXPECT_EQ(store_->expire_variants(limit, 10)->variants, 1u);
  EXPECT_FALSE(has_variant("cat", "one"));
  EXPECT_TRUE(has_variant("cat", "two"));
  EXPECT_EQ(store_->expire_proxied(limit, 10)->aliases, std::vector<std::string>{"x.png"});
  EXPECT_TRUE(*store_->find("y.png"));
  EXPECT_TRUE(*store_->find("a.png"));
  EXPECT_EQ(store_->expire_proxied(limit, 10)->aliases.size(), 0u);
}

TEST_P(Derived, the_longest_unused_make_room_and_uploads_never) {
  const auto at = [&](int hours) { return clock_.now() + std::chrono::hours(hours); };
  add("a.png", "cat");
  ASSERT_TRUE(add_variant("cat", "one", "1"));
  ASSERT_TRUE(add_remote("x.png", "x", "https://x/"));
  ASSERT_TRUE(add_variant("cat", "two", "2"));
  ASSERT_TRUE(store_->touch({{"", digest("cat"), "one", at(2)},
                             {"https://x/", {}, "", at(1)},
                             {"", digest("cat"), "two", at(3)}}));
  EXPECT_EQ(store_->usage()->all, 4 * 1234u);
  EXPECT_EQ(store_->usage()->variants, 2 * 1234u);
  const auto first = store_->evict(1000, false, 10);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->aliases, std::vector<std::string>{"x.png"});
  EXPECT_EQ(first->bytes, 1234u);
  EXPECT_EQ(store_->evict(1000, true, 10)->variants, 1u);
  EXPECT_FALSE(has_variant("cat", "one"));
  EXPECT_EQ(store_->evict(1'000'000, false, 10)->variants, 1u);
  EXPECT_EQ(store_->evict(1'000'000, false, 10)->bytes, 0u);
  EXPECT_TRUE(*store_->find("a.png"));
  EXPECT_EQ(store_->usage()->all, 1234u);
  EXPECT_EQ(store_->usage()->variants, 0u);
}

TEST_P(Derived, downloaded_pictures_make_room_last_and_lead_to_their_origin_then) {
  const auto download = [&](const std::string& alias) {
    ASSERT_TRUE(store_->publish({claim(alias).id,
                                 {alias,
                                  "t",
                                  digest(alias),
                                  clock_.now(),
                                  policy::Origin::remote,
                                  {},
                                  "https://far.example/" + alias},
                                 {},
                                 {},
                                 {}}));
    clock_.advance(std::chrono::seconds(1));
  };
  download("old.png");
  download("new.png");
  add("mine.png", "mine");
  ASSERT_TRUE(add_variant("new.png", "one", "a look"));
  EXPECT_EQ(store_->evict(1'000, false, 10)->variants, 1u);
  EXPECT_EQ(store_->evict(1'000, false, 10)->aliases, std::vector<std::string>{"old.png"});
  EXPECT_EQ((*store_->stand_in("old.png"))->url, "https://far.example/old.png");
  EXPECT_TRUE(*store_->find("new.png"));
  EXPECT_EQ(store_->evict(1'000'000, false, 10)->aliases, std::vector<std::string>{"new.png"});
  EXPECT_TRUE(store_->evict(1'000'000, false, 10)->aliases.empty()) << "uploads never go";
  EXPECT_TRUE(*store_->find("mine.png"));
}

TEST_P(Derived, pages_go_from_the_newest_to_the_oldest_and_back) {
  for (const char* name : {"a", "b", "c", "d", "e"}) {
    add(name, name);
    clock_.advance(std::chrono::seconds(1));
  }
  ASSERT_TRUE(publish(claim("c"), "c2", "c"));
  ASSERT_TRUE(add_variant("a", "webp", "no alias of its own"));
  const auto names = [](const BlobPage& page) {
    std::vector<std::string> all;
    all.reserve(page.entries.size());
    for (const BlobEntry& entry : page.entries)
      all.push_back(fmt::format("{}", fmt::join(entry.aliases, "+")));
    return all;
  };
  const auto first = store_->blobs(2, std::nullopt, std::nullopt);
  ASSERT_TRUE(first);
  EXPECT_EQ(names(*first), (std::vector<std::string>{"e", "d"}));
  EXPECT_FALSE(first->previous);
  ASSERT_TRUE(first->next);
  EXPECT_EQ(first->next->blob, digest("c"));
  const auto second = store_->blobs(2, first->next->blob, std::nullopt);
  EXPECT_EQ(names(*second), (std::vector<std::string>{"c+c2", "b"}));
  ASSERT_TRUE(second->previous && second->next);
  EXPECT_EQ(second->previous->blob, digest("e"));
  const auto last = store_->blobs(2, second->next->blob, std::nullopt);
  EXPECT_EQ(names(*last), (std::vector<std::string>{"a"}));
  EXPECT_FALSE(last->next);
  const WallTime of_d = first->entries[1].created;
  EXPECT_EQ(names(*store_->blobs(10, std::nullopt, of_d)),
            (std::vector<std::string>{"c+c2", "b", "a"}));
  EXPECT_EQ(names(*store_->blobs(1, digest("nobody"), std::nullopt)),
            (std::vector<std::string>{"e"}));
  EXPECT_EQ(store_->stored_after(std::nullopt, 100)->size(), 6u);
  EXPECT_EQ(store_->stored_after(store_->stored_after(std::nullopt, 100)->at(3), 100)->size(), 2u);
}

TEST_P(Derived, a_blob_whose_file_is_lost_goes_with_all_that_needs_it) {
  add("a.png", "cat");
  ASSERT_TRUE(add_variant("cat", "webp", "small cat"));
  EXPECT_TRUE(store_->forget_blob(digest("small cat"))->empty());
  EXPECT_FALSE(has_variant("cat", "webp"));
  EXPECT_EQ(*store_->forget_blob(digest("cat")), std::vector<std::string>{"a.png"});
  EXPECT_FALSE(*store_->find("a.png"));
}

TEST_P(Derived, settings_are_kept) {
  EXPECT_FALSE(*store_->setting("not-found"));
  ASSERT_TRUE(store_->put_setting("not-found", "a.png"));
  ASSERT_TRUE(store_->put_setting("not-found", "b.png"));
  restart();
  EXPECT_EQ(**store_->setting("not-found"), "b.png");
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreTest, kEngines, kEngineName);
INSTANTIATE_TEST_SUITE_P(Engines, Derived, kEngines, kEngineName);

}  // namespace
}  // namespace portcullis::store
