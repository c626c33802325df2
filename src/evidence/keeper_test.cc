#include <gmock/gmock.h>

#include <fstream>

#include "base/id.h"
#include "evidence/evidence.h"
#include "testing/temporary_folder.h"
#include "testing/virtual_clock.h"

namespace portcullis::evidence {
namespace {

using store::EvidenceState;
using store::Kept;
using ::testing::HasSubstr;

constexpr std::chrono::hours kDay{24};

class KeeperTest : public ::testing::Test {
 protected:
  KeeperTest() {
    std::filesystem::create_directory(folder_.path() / "evidence");
    store_ = std::move(store::open_sqlite({.file = folder_.path() / "s"}, clock_).value());
    configure(review_.public_half(), evidence_.public_half());
  }

  void configure(std::optional<PublicKey> review, std::optional<PublicKey> evidence) {
    keeper_ = std::make_unique<Keeper>(Keeper::Options{.folder = folder_.path() / "evidence",
                                                       .review = review,
                                                       .evidence = evidence,
                                                       .max_bytes = 100'000,
                                                       .held_per_uploader = 2},
                                       *store_, *files_, clock_);
  }

  store::VerdictRecord refused(std::string_view original) const {
    store::VerdictRecord record{random_uuid(), sha256_of(as_bytes(original)), "r", {}, {},
                                clock_.now()};
    record.verdict.rule = "known";
    record.facts.sha256 = record.original;
    return record;
  }

  Result<store::Evidence> keep(std::string_view original, Kept kept) {
    return keeper_->keep(kept, source_of(as_bytes(original)), refused(original),
                         {policy::Origin::upload, "42", R"({"address":"192.0.2.7"})"});
  }

  // What the key opens; nothing when it does not.
  std::optional<std::string> opened(const std::string& id, const PrivateKey& key) {
    const auto fd = keeper_->open_sealed(id);
    if (!fd) return std::nullopt;
    Bytes plain;
    if (!open(key, source_of_file(fd->get()), sink_into(plain))) return std::nullopt;
    return std::string(as_text(plain));
  }

  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_.path() / "evidence"), {}));
  }

  testing::TemporaryFolder folder_;
  testing::VirtualClock clock_;
  PrivateKey review_ = make_key(Purpose::review), evidence_ = make_key(Purpose::evidence);
  std::unique_ptr<blob::FileSystem> files_ = blob::real_file_system();
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Keeper> keeper_;
};

TEST_F(KeeperTest, Invariant7_what_is_preserved_opens_with_the_evidence_key_alone) {
  const auto one = keep("a picture", Kept::preserved);
  ASSERT_TRUE(one) << one.error().what;
  EXPECT_EQ(opened(one->id, evidence_), "a picture");
  EXPECT_FALSE(opened(one->id, review_));
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path()))
    if (entry.is_regular_file()) {
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(in)), {});
      EXPECT_EQ(bytes.find("a picture"), std::string::npos) << entry.path();
      EXPECT_EQ(bytes.find("192.0.2.7"), std::string::npos) << entry.path();
    }
}

TEST_F(KeeperTest, what_is_held_opens_for_review_until_it_becomes_evidence) {
  const auto one = keep("a picture", Kept::held);
  ASSERT_TRUE(one);
  EXPECT_EQ(opened(one->id, review_), "a picture");
  EXPECT_EQ(opened(one->id, evidence_), "a picture");
  ASSERT_TRUE(keeper_->preserve(one->id, "admin", "seen"));
  EXPECT_FALSE(opened(one->id, review_));
  EXPECT_EQ(opened(one->id, evidence_), "a picture");
  EXPECT_EQ(files(), 1u);
}

TEST_F(KeeperTest, a_held_picture_that_is_found_on_a_list_later_becomes_evidence_too) {
  const auto held = keep("a picture", Kept::held);
  const auto known = keep("a picture", Kept::preserved);
  ASSERT_TRUE(known) << known.error().what;
  EXPECT_EQ(known->id, held->id);
  EXPECT_FALSE(opened(held->id, review_));
  EXPECT_EQ(opened(held->id, evidence_), "a picture");
  EXPECT_EQ(files(), 1u);
}

TEST_F(KeeperTest, the_sealed_context_of_an_attempt_opens_with_the_key) {
  const auto one = keep("a picture", Kept::preserved);
  const auto attempts = store_->attempts(one->id).value();
  ASSERT_EQ(attempts.size(), 1u);
  const Bytes context = open(evidence_, attempts[0].context).value();
  EXPECT_EQ(as_text(context), R"({"address":"192.0.2.7"})");
}

TEST_F(KeeperTest, without_a_key_nothing_is_kept_and_the_error_says_what_to_do) {
  configure(std::nullopt, evidence_.public_half());
  const auto held = keep("a", Kept::held);
  ASSERT_FALSE(held);
  EXPECT_EQ(held.error().code, "no-key");
  EXPECT_THAT(held.error().what, HasSubstr("keygen"));
  EXPECT_TRUE(keep("b", Kept::preserved));
  configure(review_.public_half(), std::nullopt);
  EXPECT_EQ(keep("c", Kept::preserved).error().code, "no-key");
  EXPECT_TRUE(keep("d", Kept::held));
  EXPECT_EQ(files(), 2u);
}

TEST_F(KeeperTest, a_quota_that_is_used_up_leaves_no_file_behind) {
  ASSERT_TRUE(keep("a", Kept::held));
  ASSERT_TRUE(keep("b", Kept::held));
  EXPECT_EQ(keep("c", Kept::held).error().code, "held-quota");
  EXPECT_EQ(files(), 2u);
}

TEST_F(KeeperTest, what_is_over_its_time_goes_and_nothing_before) {
  const auto held = keep("a", Kept::held), preserved = keep("b", Kept::preserved);
  clock_.advance(29 * kDay);
  EXPECT_EQ(keeper_->destroy_due(10).value(), 0u);
  clock_.advance(2 * kDay);
  EXPECT_EQ(keeper_->destroy_due(10).value(), 1u);
  EXPECT_EQ(store_->evidence(held->id).value()->state, EvidenceState::destroyed);
  EXPECT_FALSE(keeper_->open_sealed(held->id));
  clock_.advance(333 * kDay);
  EXPECT_EQ(keeper_->destroy_due(10).value(), 0u);
  EXPECT_EQ(keeper_->end(preserved->id, EvidenceState::destroyed, "admin", "").error().code,
            "too-early");
  EXPECT_EQ(opened(preserved->id, evidence_), "b");
  clock_.advance(2 * kDay);
  EXPECT_EQ(keeper_->destroy_due(10).value(), 1u);
  EXPECT_EQ(files(), 0u);
}

TEST_F(KeeperTest, what_a_crash_left_is_cleared_and_nothing_else) {
  const auto one = keep("a", Kept::preserved);
  const auto write_old = [&](const char* name) {
    const auto path = folder_.path() / "evidence" / name;
    std::ofstream(path) << "left";
    std::filesystem::last_write_time(
        path, std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  };
  write_old("00000000-0000-4000-8000-000000000000");
  write_old("00000000-0000-4000-8000-000000000000.preserved");
  std::filesystem::last_write_time(
      folder_.path() / "evidence" / one->id,
      std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
  ASSERT_TRUE(keeper_->remove_orphans());
  EXPECT_EQ(files(), 1u);
  EXPECT_EQ(opened(one->id, evidence_), "a");
}

TEST_F(KeeperTest, Invariant7_fullness_counts_what_is_kept) {
  EXPECT_EQ(keeper_->fullness().value(), 0.0);
  const auto one = keep(std::string(50'000, 'x'), Kept::held);
  EXPECT_NEAR(keeper_->fullness().value(), 0.5, 0.01);
  ASSERT_TRUE(keep(std::string(90'000, 'y'), Kept::preserved)) << "evidence is never dropped";
  EXPECT_GT(keeper_->fullness().value(), 1.0);
  ASSERT_TRUE(keeper_->end(one->id, EvidenceState::released, "admin", ""));
  EXPECT_LT(keeper_->fullness().value(), 1.0);
}

}  // namespace
}  // namespace portcullis::evidence
