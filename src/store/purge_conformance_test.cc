// What every Store must do about switches' states, stand-ins and purging.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/id.h"
#include "store/engines_testing.h"
#include "testing/temporary_folder.h"
#include "testing/virtual_clock.h"

namespace portcullis::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr char kOrigin[] = "https://far.example/cat.png";

class PurgeTest : public ::testing::TestWithParam<Engine> {
 protected:
  PurgeTest() {
    auto opened = GetParam().open(folder_.path(), clock_);
    EXPECT_TRUE(opened) << opened.error().what;
    store_ = std::move(*opened);
  }

  static Sha256 digest(std::string_view text) { return sha256_of(as_bytes(text)); }

  Status publish(const Alias& alias, const std::string& proxied = {}, bool fills = false) {
    const auto claimed =
        store_->claim(alias.blob, {640, 480, std::nullopt, "image/png", "", 1'000}, clock_.now());
    EXPECT_TRUE(claimed) << claimed.error().what;
    return store_->publish({claimed->id, alias, std::nullopt, std::nullopt, proxied, fills});
  }
  void add(const Alias& alias, const std::string& proxied = {}) {
    const Status done = publish(alias, proxied);
    EXPECT_TRUE(done) << done.error().what;
  }
  Alias remote(const std::string& alias, std::string_view blob, std::string url = kOrigin) {
    return {alias, "token-of-" + alias, digest(blob), clock_.now(), policy::Origin::remote,
            {},    std::move(url)};
  }
  Alias upload(const std::string& alias, std::string_view blob, std::string uploader = {}) {
    return {alias, "token-of-" + alias, digest(blob), clock_.now(), policy::Origin::upload, {},
            {},    std::move(uploader)};
  }
  Store::Gone purge(const std::vector<Alias>& aliases) {
    job_.cursor = aliases.back().alias;
    const auto gone = store_->purge_remote(aliases, job_, clock_.now());
    EXPECT_TRUE(gone) << gone.error().what;
    return *gone;
  }
  std::vector<std::string> names(const Store::Selection& selection) {
    std::vector<std::string> names;
    for (const Alias& alias : store_->selected_after(selection, "", 100).value())
      names.push_back(alias.alias);
    return names;
  }

  testing::TemporaryFolder folder_;
  testing::VirtualClock clock_;
  std::unique_ptr<Store> store_;
  Job job_{"job", "purge federated", "", 0, 0, {}, {}};
};

TEST_P(PurgeTest, a_purged_picture_leaves_a_tombstone_with_its_token_and_its_time) {
  const Alias cat = remote("cat.png", "cat");
  add(cat);
  const Store::Gone gone = purge({cat});
  EXPECT_THAT(gone.aliases, ElementsAre("cat.png"));
  EXPECT_EQ(gone.bytes, 1'000u);
  EXPECT_FALSE(*store_->find("cat.png"));
  EXPECT_EQ(*store_->stand_in("cat.png"),
            (StandIn{"cat.png", cat.delete_token, kOrigin, cat.created, true}));
  EXPECT_EQ((*store_->job(job_.kind))->cursor, "cat.png") << "in the same commit";
  EXPECT_THAT(*store_->sweepable(10), ElementsAre(digest("cat")));
}

TEST_P(PurgeTest, an_upload_of_the_same_bytes_stays_and_so_does_an_upload_that_is_named) {
  add(upload("mine.png", "cat"));
  add(remote("cat.png", "cat"));
  const Store::Gone gone = purge({remote("cat.png", "cat"), upload("mine.png", "cat")});
  EXPECT_THAT(gone.aliases, ElementsAre("cat.png"));
  EXPECT_EQ(gone.bytes, 0u);
  EXPECT_TRUE(*store_->find("mine.png"));
  EXPECT_THAT(*store_->sweepable(10), IsEmpty());
}

TEST_P(PurgeTest, what_was_derived_from_it_becomes_a_tombstone_too) {
  add(remote("cat.png", "cat"));
  Alias derived = upload("small.png", "small cat");
  derived.parent = "cat.png";
  add(derived);
  EXPECT_THAT(purge({remote("cat.png", "cat")}).aliases,
              UnorderedElementsAre("cat.png", "small.png"));
  EXPECT_EQ((*store_->stand_in("small.png"))->url, kOrigin);
}

TEST_P(PurgeTest, a_proxied_copy_needs_no_tombstone_and_is_remembered_as_purged) {
  add(remote("cat.png", "cat"), kOrigin);
  ASSERT_TRUE(store_->announce(kOrigin, clock_.now()));
  purge({remote("cat.png", "cat")});
  EXPECT_FALSE(*store_->stand_in("cat.png"));
  const auto found = store_->remote(kOrigin);
  ASSERT_TRUE(found && *found);
  EXPECT_TRUE((*found)->purged);
  EXPECT_TRUE((*found)->announced);
  EXPECT_EQ((*found)->alias, "");
  add(remote("again.png", "cat"), kOrigin);
  EXPECT_FALSE((*store_->remote(kOrigin))->purged) << "a copy has come since";
}

TEST_P(PurgeTest, one_without_an_origin_leaves_nothing) {
  add(remote("cat.png", "cat", ""));
  EXPECT_EQ(store_->count_remote()->without_origin, 1u);
  EXPECT_THAT(purge({remote("cat.png", "cat", "")}).aliases, ElementsAre("cat.png"));
  EXPECT_FALSE(*store_->stand_in("cat.png"));
}

TEST_P(PurgeTest, remote_pictures_are_counted_and_given_out_page_by_page) {
  for (const char* name : {"a.png", "b.png", "c.png"}) add(remote(name, name));
  add(upload("mine.png", "mine"));
  add(remote("copy.png", "mine"));  // the upload needs these bytes as well
  add(remote("proxied.png", "p", "https://far.example/p"), "https://far.example/p");
  const auto counts = store_->count_remote();
  EXPECT_EQ(counts->aliases, 5u);
  EXPECT_EQ(counts->bytes, 4'000u);
  std::vector<std::string> seen;
  for (std::string after;;) {
    const auto page = store_->remote_aliases_after(after, 2);
    if (page->empty()) break;
    for (const auto& one : *page) seen.push_back(one.alias.alias);
    after = seen.back();
  }
  EXPECT_THAT(seen, ElementsAre("a.png", "b.png", "c.png", "copy.png", "proxied.png"));
  EXPECT_TRUE(store_->remote_aliases_after("copy.png", 1)->at(0).is_proxied);
}

TEST_P(PurgeTest, a_stand_in_is_filled_by_a_picture_with_its_name_once) {
  ASSERT_TRUE(store_->put_stand_in({"a.png", "token", kOrigin, clock_.now()}));
  EXPECT_EQ(store_->put_stand_in({"a.png", "t", kOrigin, clock_.now()}).error().code,
            "duplicate-alias");
  EXPECT_EQ(publish(remote("a.png", "cat")).error().code, "duplicate-alias");
  EXPECT_TRUE(publish(remote("a.png", "cat"), {}, true));
  EXPECT_FALSE(*store_->stand_in("a.png"));
  EXPECT_TRUE(*store_->find("a.png"));
  EXPECT_EQ(publish(remote("a.png", "cat"), {}, true).error().code, "gone");
  EXPECT_EQ(store_->put_stand_in({"a.png", "t", kOrigin, clock_.now()}).error().code,
            "duplicate-alias");
}

TEST_P(PurgeTest, a_stand_in_is_deleted_with_its_token_or_by_a_purge_of_its_alias) {
  ASSERT_TRUE(store_->put_stand_in({"a.png", "token", kOrigin, clock_.now()}));
  EXPECT_EQ(store_->delete_alias("a.png", "wrong")->outcome, Store::Deleted::wrong_token);
  EXPECT_EQ(store_->delete_alias("a.png", "token")->outcome, Store::Deleted::yes);
  EXPECT_EQ(store_->delete_alias("a.png", "token")->outcome, Store::Deleted::unknown_alias);
  ASSERT_TRUE(store_->put_stand_in({"b.png", "token", kOrigin, clock_.now()}));
  EXPECT_THAT(*store_->purge("b.png"), ElementsAre("b.png"));
  EXPECT_FALSE(*store_->stand_in("b.png"));
}

TEST_P(PurgeTest, Invariant10_a_remote_picture_under_way_is_not_kept_after_the_switch_was_flipped) {
  const struct {
    const char* state;
    bool is_kept;
  } cases[] = {{"cache", true}, {"pass_through", false}, {"block", false}, {"nonsense", false}};
  for (const auto& c : cases) {
    ASSERT_TRUE(store_->set_switch({"remote", c.state, "", "me", clock_.now(), {}}));
    const Status done = publish(remote(std::string(c.state) + ".png", c.state));
    EXPECT_EQ(done.has_value(), c.is_kept) << c.state;
    if (!done) EXPECT_EQ(done.error().code, "remote-closed");
  }
  EXPECT_TRUE(publish(upload("mine.png", "mine"))) << "uploads are another matter";
}

TEST_P(PurgeTest, a_selection_is_by_uploader_by_host_or_by_blob) {
  add(upload("a.png", "a", "17"));
  add(upload("b.png", "b", "18"));
  add(remote("c.png", "c", "https://far.example/c"));
  add(remote("d.png", "d", "HTTPS://FAR.EXAMPLE:8443/d"));
  add(remote("e.png", "e", "https://far.example.net/e"));
  add(remote("f.png", "a", "https://notfar.example/f"));
  EXPECT_THAT(names({.uploader = "17"}), ElementsAre("a.png"));
  EXPECT_THAT(names({.host = "far.example"}), ElementsAre("c.png", "d.png"));
  EXPECT_THAT(names({.blobs = {digest("a"), digest("b")}}), ElementsAre("a.png", "b.png", "f.png"));
  EXPECT_THAT(names({}), IsEmpty()) << "nothing named is nothing meant";
}

TEST_P(PurgeTest, what_was_taken_off_is_gone_for_good_and_in_the_audit_chain) {
  add(upload("a.png", "a"));
  ASSERT_TRUE(store_->put_stand_in({"b.png", "token", kOrigin, clock_.now()}));
  const auto gone =
      store_->take_off({"a.png", "b.png", "c.png"}, "purge user 17", "me", clock_.now());
  ASSERT_TRUE(gone);
  EXPECT_THAT(gone->aliases, UnorderedElementsAre("a.png", "b.png"));
  for (const char* name : {"a.png", "b.png"}) EXPECT_TRUE(*store_->is_gone(name)) << name;
  EXPECT_FALSE(*store_->is_gone("c.png"));
  EXPECT_FALSE(*store_->stand_in("b.png"));
  const auto entries = store_->audit_after(0, 10);
  EXPECT_EQ(entries->back().action, "purge");
  EXPECT_EQ(entries->back().subject, "purge user 17");
}

TEST_P(PurgeTest, refusals_are_counted_by_rule_without_those_that_nobody_could_judge) {
  const auto refuse = [&](const char* rule, policy::Outcome outcome, bool unanswered = false) {
    VerdictRecord record{random_uuid(), digest(random_uuid()), "ruleset", {}, {}, clock_.now()};
    record.verdict.outcome = outcome;
    record.verdict.rule = rule;
    record.verdict.unanswered = unanswered;
    ASSERT_TRUE(store_->record(record));
  };
  refuse("old", policy::Outcome::refuse);
  const WallTime since = clock_.now();
  clock_.advance(std::chrono::seconds(1));
  refuse("known", policy::Outcome::refuse);
  refuse("known", policy::Outcome::hold);
  refuse("other", policy::Outcome::refuse);
  refuse("known", policy::Outcome::refuse, true);
  refuse("known", policy::Outcome::accept);
  EXPECT_EQ(*store_->refusals_by_rule(since),
            (std::map<std::string, std::uint64_t>{{"known", 2}, {"other", 1}}));
}

INSTANTIATE_TEST_SUITE_P(Engines, PurgeTest, kEngines, kEngineName);

// --- switches: pure ---

TEST(Switches, the_state_that_holds) {
  const WallTime now{std::chrono::seconds(1'000)};
  const auto value = [&](const char* state, std::optional<int> until, const char* before) {
    Switch made{"remote", state, "", "me", now, std::nullopt, "", before};
    if (until) made.until = WallTime{std::chrono::seconds(*until)};
    return std::optional(made);
  };
  const struct {
    const char* name;
    std::optional<Switch> value;
    const char* state;
    std::optional<RemotePictures> remote;
  } cases[] = {
      {"never flipped", std::nullopt, "", std::nullopt},
      {"for good", value("block", std::nullopt, "cache"), "block", RemotePictures::block},
      {"for a while yet", value("block", 1'001, "cache"), "block", RemotePictures::block},
      {"its time is over", value("block", 1'000, "cache"), "cache", RemotePictures::cache},
      {"over, and nothing before", value("block", 1'000, ""), "", std::nullopt},
      {"said to be the default", value("default", std::nullopt, "block"), "default", std::nullopt},
      {"a word that is not known", value("maybe", std::nullopt, ""), "maybe",
       RemotePictures::block},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(state_at(c.value, now), c.state) << c.name;
    EXPECT_EQ(remote_pictures(c.value, now), c.remote) << c.name;
  }
  EXPECT_TRUE(uploads_are_open(std::nullopt, now));
  EXPECT_FALSE(uploads_are_open(value("maybe", std::nullopt, ""), now));
  EXPECT_FALSE(check_switch("remote", "open"));
  EXPECT_FALSE(check_switch("nothing", "open"));
  EXPECT_TRUE(check_switch("uploads", "closed"));
}

}  // namespace
}  // namespace portcullis::store
