// What every Ledger must do: verdicts, evidence, the audit chain, jobs, pictures taken off.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/id.h"
#include "store/engines_testing.h"
#include "store/store.h"
#include "testing/temporary_folder.h"
#include "testing/virtual_clock.h"

namespace portcullis::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr std::chrono::hours kDay{24};

class LedgerTest : public ::testing::TestWithParam<Engine> {
 protected:
  LedgerTest() { restart(); }

  void restart() {
    store_.reset();
    auto opened = GetParam().open(folder_.path(), clock_);
    EXPECT_TRUE(opened) << opened.error().what;
    store_ = std::move(*opened);
  }

  static Sha256 digest(std::string_view text) { return sha256_of(as_bytes(text)); }

  VerdictRecord refused(std::string_view original) {
    VerdictRecord record{random_uuid(), digest(original), "ruleset", {}, {}, clock_.now()};
    record.verdict.rule = "known";
    record.facts.sha256 = digest(original);
    return record;
  }

  Evidence fresh(std::string_view original, Kept kept) {
    return {.id = random_uuid(),
            .original = digest(original),
            .kept = kept,
            .rule = "known",
            .bytes = 1000,
            .since = clock_.now(),
            .keep_until = clock_.now() + (kept == Kept::held ? 30 * kDay : 365 * kDay)};
  }

  Attempt attempt(const VerdictRecord& verdict, std::string uploader = "42") {
    return {verdict.id,          clock_.now(),        policy::Origin::upload,
            std::move(uploader), Bytes{std::byte{1}}, Bytes{std::byte{2}, std::byte{3}}};
  }

  Result<Ledger::Keeping> keep(std::string_view original, Kept kept, std::string uploader = "42",
                               std::size_t most_held = 10) {
    const VerdictRecord verdict = refused(original);
    return store_->keep(verdict, fresh(original, kept), attempt(verdict, std::move(uploader)),
                        most_held);
  }

  Evidence kept(std::string_view original, Kept kept) {
    const auto keeping = keep(original, kept);
    EXPECT_TRUE(keeping) << keeping.error().what;
    return keeping->evidence;
  }

  std::vector<std::string> actions() {
    std::vector<std::string> all;
    for (const AuditEntry& entry : store_->audit_after(0, 1000).value())
      all.push_back(entry.action);
    return all;
  }

  Status chain() {
    ChainVerifier verifier;
    for (const AuditEntry& entry : store_->audit_after(0, 1000).value()) TRY(verifier.add(entry));
    EXPECT_EQ(store_->audit_head().value().value_or(Head{}), verifier.head());
    return verifier.finish();
  }

  testing::TemporaryFolder folder_;
  testing::VirtualClock clock_;
  std::unique_ptr<Store> store_;
};

TEST_P(LedgerTest, what_is_kept_comes_back_with_its_attempts) {
  const Evidence one = kept("cat", Kept::preserved);
  restart();
  EXPECT_EQ(store_->evidence(one.id).value(), one);
  EXPECT_EQ(store_->evidence_of(digest("cat")).value(), one);
  EXPECT_FALSE(store_->evidence_of(digest("dog")).value());
  EXPECT_FALSE(store_->evidence("no").value());
  const auto attempts = store_->attempts(one.id).value();
  ASSERT_EQ(attempts.size(), 1u);
  EXPECT_EQ(attempts[0].uploader, "42");
  EXPECT_EQ(attempts[0].context, (Bytes{std::byte{2}, std::byte{3}}));
  EXPECT_EQ(store_->recent_verdicts(10)->front().id, attempts[0].verdict);
  EXPECT_EQ(store_->evidence_bytes().value(), 1000u);
}

TEST_P(LedgerTest, Invariant7_one_sealed_copy_a_digest_and_further_attempts_add_a_row) {
  const Evidence first = kept("cat", Kept::preserved);
  const auto again = keep("cat", Kept::preserved, "43");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->evidence.id, first.id);
  EXPECT_FALSE(again->promoted);
  EXPECT_EQ(again->evidence.attempts, 2u);
  EXPECT_EQ(store_->evidence_list(true, 10)->size(), 1u);
  EXPECT_EQ(store_->evidence_bytes().value(), 1000u);
}

TEST_P(LedgerTest, a_held_picture_that_turns_out_to_be_known_is_preserved_from_then_on) {
  const Evidence held = kept("cat", Kept::held);
  const auto known = keep("cat", Kept::preserved);
  ASSERT_TRUE(known);
  EXPECT_TRUE(known->promoted);
  EXPECT_EQ(known->evidence.id, held.id);
  EXPECT_EQ(known->evidence.kept, Kept::preserved);
  EXPECT_EQ(known->evidence.keep_until, clock_.now() + 365 * kDay);
  const auto never_back = keep("cat", Kept::held);
  ASSERT_TRUE(never_back);
  EXPECT_EQ(never_back->evidence.kept, Kept::preserved);
}

TEST_P(LedgerTest, each_uploader_may_have_a_few_pictures_waiting_and_no_more) {
  ASSERT_TRUE(keep("a", Kept::held, "42", 2));
  ASSERT_TRUE(keep("b", Kept::held, "42", 2));
  const auto third = keep("c", Kept::held, "42", 2);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, "held-quota");
  EXPECT_TRUE(keep("c", Kept::held, "43", 2));
  EXPECT_TRUE(keep("a", Kept::held, "42", 2)) << "one that waits already takes no further place";
  EXPECT_TRUE(keep("d", Kept::preserved, "42", 2)) << "evidence knows no quota";
  EXPECT_EQ(store_->recent_verdicts(10)->size(), 5u) << "nothing was recorded of the refused one";
}

TEST_P(LedgerTest, nothing_preserved_goes_before_its_time_or_under_a_legal_hold) {
  const Evidence one = kept("cat", Kept::preserved);
  const auto destroy = [&] {
    return store_->end_evidence(one.id, EvidenceState::destroyed, "admin", "asked", clock_.now());
  };
  EXPECT_EQ(destroy().error().code, "too-early");
  ASSERT_TRUE(store_->set_legal_hold(one.id, "court order 7", "admin", clock_.now()));
  clock_.advance(366 * kDay);
  EXPECT_TRUE(store_->evidence_due(clock_.now(), 10)->empty());
  const Status on_hold = destroy();
  ASSERT_FALSE(on_hold);
  EXPECT_THAT(on_hold.error().what, HasSubstr("court order 7"));
  ASSERT_TRUE(store_->set_legal_hold(one.id, "", "admin", clock_.now()));
  EXPECT_EQ(store_->evidence_due(clock_.now(), 10)->front().id, one.id);
  EXPECT_TRUE(destroy());
  EXPECT_EQ(store_->evidence(one.id).value()->state, EvidenceState::destroyed);
  EXPECT_EQ(store_->evidence_bytes().value(), 0u);
  EXPECT_FALSE(destroy());
  EXPECT_FALSE(store_->evidence_of(digest("cat")).value());
  EXPECT_NE(kept("cat", Kept::preserved).id, one.id) << "a new attempt is kept anew";
}

TEST_P(LedgerTest, only_what_is_held_can_be_released) {
  const Evidence held = kept("cat", Kept::held), preserved = kept("dog", Kept::preserved);
  const auto release = [&](const std::string& id) {
    return store_->end_evidence(id, EvidenceState::released, "admin", "", clock_.now());
  };
  EXPECT_TRUE(release(held.id));
  EXPECT_FALSE(release(preserved.id));
  EXPECT_FALSE(release(held.id));
  EXPECT_FALSE(release("no such id"));
  EXPECT_EQ(store_->evidence_list(true, 10)->size(), 1u);
  EXPECT_EQ(store_->evidence_list(false, 10)->size(), 2u);
}

TEST_P(LedgerTest, what_was_held_can_be_made_evidence) {
  const Evidence held = kept("cat", Kept::held);
  ASSERT_TRUE(store_->preserve(held.id, clock_.now() + 365 * kDay, "admin", "seen", clock_.now()));
  EXPECT_EQ(store_->evidence(held.id).value()->kept, Kept::preserved);
  EXPECT_FALSE(store_->end_evidence(held.id, EvidenceState::released, "admin", "", clock_.now()));
}

TEST_P(LedgerTest, Invariant12_every_change_stands_in_the_audit_chain) {
  ASSERT_TRUE(store_->record(refused("fish")));
  const Evidence one = kept("cat", Kept::held);
  ASSERT_TRUE(keep("cat", Kept::held));
  ASSERT_TRUE(store_->set_legal_hold(one.id, "why", "admin", clock_.now()));
  ASSERT_TRUE(store_->set_legal_hold(one.id, "", "admin", clock_.now()));
  EXPECT_FALSE(store_->is_allowed(one.original).value());
  ASSERT_TRUE(store_->end_evidence(one.id, EvidenceState::released, "admin", "", clock_.now()));
  EXPECT_TRUE(store_->is_allowed(one.original).value()) << "so that it may be uploaded again";
  ASSERT_TRUE(store_->set_switch({"uploads", "closed", "", "admin", clock_.now(), {}}));
  ASSERT_TRUE(
      store_->audit({.actor = "admin", .action = "policy changed", .subject = "x"}, clock_.now()));
  EXPECT_THAT(actions(), ElementsAre("verdict refuse", "verdict refuse", "evidence held",
                                     "verdict refuse", "evidence tried again",
                                     "evidence legal hold", "evidence legal hold ended",
                                     "evidence released", "switch closed", "policy changed"));
  const Status whole = chain();
  EXPECT_TRUE(whole) << whole.error().what;
  restart();
  EXPECT_TRUE(chain());
}

TEST_P(LedgerTest, Invariant12_personal_data_stand_outside_the_chain) {
  ASSERT_TRUE(keep("cat", Kept::held, "a person's number"));
  bool is_bound = false;
  for (const AuditEntry& entry : store_->audit_after(0, 100).value()) {
    EXPECT_EQ(entry.details.find("a person"), std::string::npos);
    EXPECT_EQ(entry.subject.find("a person"), std::string::npos);
    is_bound |= entry.personal.has_value();
  }
  EXPECT_TRUE(is_bound);
}

TEST_P(LedgerTest, the_chain_goes_on_when_several_write_to_it) {
  auto other = GetParam().open(folder_.path(), clock_).value();
  for (int i = 0; i < 10; ++i)
    ASSERT_TRUE((i % 2 ? store_ : other)->audit({.action = std::to_string(i)}, clock_.now()));
  EXPECT_EQ(actions().size(), 10u);
  EXPECT_TRUE(chain());
}

TEST_P(LedgerTest, verdicts_are_read_in_pages_for_replay) {
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(store_->record(refused(name)));
  const auto first = store_->verdicts_after(0, 2).value();
  ASSERT_EQ(first.verdicts.size(), 2u);
  EXPECT_EQ(first.verdicts[0].original, digest("a"));
  const auto second = store_->verdicts_after(first.last, 2).value();
  ASSERT_EQ(second.verdicts.size(), 1u);
  EXPECT_EQ(second.verdicts[0].original, digest("c"));
  EXPECT_TRUE(store_->verdicts_after(second.last, 2)->verdicts.empty());
}

TEST_P(LedgerTest, a_picture_taken_off_is_gone_under_all_its_names_and_known_to_be) {
  const Details details{640, 480, std::nullopt, "image/png", "", 1234};
  const auto publish = [&](const std::string& alias) {
    const auto claim = store_->claim(digest("blob"), details, clock_.now());
    Alias row{alias, "token", digest("blob"), clock_.now(), policy::Origin::upload};
    row.uploader = "42";
    return store_->publish({claim->id, row, refused("cat"),
                            RenditionRecord{digest("cat"), "identity", digest("blob"), "{}",
                                            digests_of(as_bytes("cat"))}});
  };
  ASSERT_TRUE(publish("a.png"));
  ASSERT_TRUE(publish("b.png"));
  const auto known = store_->provenance(digest("blob")).value();
  ASSERT_EQ(known.aliases.size(), 2u);
  EXPECT_EQ(known.aliases[0].uploader, "42");
  ASSERT_EQ(known.originals.size(), 1u);
  EXPECT_EQ(known.originals[0].digests, digests_of(as_bytes("cat")));

  EXPECT_FALSE(store_->is_gone("a.png").value());
  EXPECT_THAT(store_->unpublish(digest("blob"), "verdict", "admin", clock_.now()).value(),
              UnorderedElementsAre("a.png", "b.png"));
  EXPECT_FALSE(*store_->find("a.png"));
  EXPECT_TRUE(store_->is_gone("a.png").value());
  EXPECT_TRUE(store_->is_gone("b.png").value());
  EXPECT_FALSE(store_->is_gone("c.png").value());
  EXPECT_THAT(store_->sweepable(10).value(), ElementsAre(digest("blob")));
  EXPECT_EQ(actions().back(), "unpublish");
}

TEST_P(LedgerTest, names_that_were_refused_elsewhere_are_gone_here) {
  ASSERT_TRUE(store_->remember_gone({"a.png", "b.png"}, "verdict", clock_.now()));
  ASSERT_TRUE(store_->remember_gone({"b.png"}, "another", clock_.now()));
  EXPECT_TRUE(store_->is_gone("a.png").value());
  EXPECT_TRUE(store_->is_gone("b.png").value());
  EXPECT_FALSE(store_->is_gone("c.png").value());
  EXPECT_FALSE(store_->was_deleted("a.png").value());
}

TEST_P(LedgerTest, a_job_goes_on_where_it_stopped) {
  EXPECT_FALSE(store_->job("rescan").value());
  Job job{"1", "rescan", "after 5", 5, 1, clock_.now(), clock_.now()};
  ASSERT_TRUE(store_->save_job(job));
  restart();
  EXPECT_EQ(store_->job("rescan").value(), job);
  job.cursor = "after 9";
  job.done = 9;
  ASSERT_TRUE(store_->save_job(job));
  EXPECT_EQ(store_->job("rescan").value(), job);
  EXPECT_FALSE(store_->job("purge").value());
  ASSERT_TRUE(store_->finish_job("1"));
  EXPECT_FALSE(store_->job("rescan").value());
}

INSTANTIATE_TEST_SUITE_P(Engines, LedgerTest, kEngines, kEngineName);

}  // namespace
}  // namespace portcullis::store
