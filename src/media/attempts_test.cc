#include <gtest/gtest.h>

#include "media/attempts.h"
#include "testing/virtual_clock.h"

namespace portcullis::media {
namespace {

// A fingerprint all of whose orientations are far from those of every other `number`.
std::vector<hash::Dihedral> look(std::uint64_t number, int changed_bits = 0, int quality = 100) {
  hash::Dihedral fingerprint;
  fingerprint.quality = quality;
  for (std::size_t i = 0; i < fingerprint.pdq.size(); ++i) {
    const std::string seed = fmt::format("{} turned {}", number, i);
    const Sha256 noise = sha256_of(as_bytes(seed));
    std::memcpy(fingerprint.pdq[i].words.data(), noise.bytes.data(), 32);
  }
  for (int bit = 0; bit < changed_bits; ++bit)
    fingerprint.pdq[0].words[bit / 64] ^= std::uint64_t{1} << (bit % 64);
  return {fingerprint};
}

Sha256 digest(std::uint64_t number) { return sha256_of(as_bytes(std::to_string(number))); }

class AttemptsTest : public ::testing::Test {
 protected:
  static Uploader account(std::string number) {
    Uploader uploader;
    uploader.account = std::move(number);
    return uploader;
  }
  static Uploader at(std::string address, bool is_verified = true) {
    Uploader uploader;
    uploader.address = std::move(address);
    uploader.address_is_verified = is_verified;
    return uploader;
  }
  void refuse(const Uploader& who, std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t i = first; i <= last; ++i) attempts_.note(who, digest(i), look(i));
  }

  testing::VirtualClock clock_;
  Attempts attempts_{{.slow_after = 2,
                      .close_after = 4,
                      .window = std::chrono::hours(24),
                      .close_for = std::chrono::hours(1),
                      .most_remembered = 100},
                     clock_};
};

TEST_F(AttemptsTest, several_different_refusals_close_uploads_for_that_account_for_a_while) {
  refuse(account("2"), 1, 3);
  EXPECT_FALSE(attempts_.is_closed(account("2")));
  refuse(account("2"), 4, 4);
  EXPECT_TRUE(attempts_.is_closed(account("2")));
  EXPECT_FALSE(attempts_.is_closed(account("3")));
  clock_.advance(std::chrono::minutes(61));
  EXPECT_FALSE(attempts_.is_closed(account("2")));
  refuse(account("2"), 5, 5);
  EXPECT_TRUE(attempts_.is_closed(account("2"))) << "those within the window still count";
  clock_.advance(std::chrono::hours(25));
  refuse(account("2"), 6, 6);
  EXPECT_FALSE(attempts_.is_closed(account("2")));
}

TEST_F(AttemptsTest, the_same_picture_and_its_variations_are_one_attempt) {
  for (int i = 0; i < 20; ++i) attempts_.note(account("2"), digest(1), look(1));
  for (int bits = 1; bits <= 31; ++bits)
    attempts_.note(account("2"), digest(100 + static_cast<std::uint64_t>(bits)), look(1, bits));
  EXPECT_FALSE(attempts_.is_closed(account("2")));
  EXPECT_EQ(attempts_.slowness(account("2")), 1);
}

TEST_F(AttemptsTest, a_variation_is_known_within_the_radius_and_the_window) {
  refuse(account("2"), 1, 1);
  EXPECT_TRUE(attempts_.varies_refused(account("2"), look(1)));
  EXPECT_TRUE(attempts_.varies_refused(account("2"), look(1, 31)));
  EXPECT_FALSE(attempts_.varies_refused(account("2"), look(1, 32)));
  EXPECT_FALSE(attempts_.varies_refused(account("2"), look(1, 0, 49)))
      << "flat pictures look alike";
  EXPECT_FALSE(attempts_.varies_refused(account("2"), look(2)));
  EXPECT_FALSE(attempts_.varies_refused(account("3"), look(1))) << "what others do is not theirs";
  clock_.advance(std::chrono::hours(24));
  EXPECT_FALSE(attempts_.varies_refused(account("2"), look(1)));
}

TEST_F(AttemptsTest, a_turned_picture_is_a_variation) {
  refuse(account("2"), 1, 1);
  auto turned = look(1);
  std::swap(turned[0].pdq[0], turned[0].pdq[5]);
  EXPECT_TRUE(attempts_.varies_refused(account("2"), turned));
}

TEST_F(AttemptsTest, what_was_never_decoded_counts_by_its_digest) {
  for (std::uint64_t i = 0; i < 4; ++i) attempts_.note(account("2"), digest(i), {});
  EXPECT_TRUE(attempts_.is_closed(account("2")));
}

TEST_F(AttemptsTest, answers_grow_slower_and_not_without_end) {
  std::vector<int> times;
  Attempts many({.slow_after = 2, .close_after = 100}, clock_);
  for (std::uint64_t i = 0; i < 8; ++i) {
    times.push_back(many.slowness(account("2")));
    many.note(account("2"), digest(i), look(i));
  }
  EXPECT_EQ(times, (std::vector<int>{1, 1, 1, 2, 4, 8, 8, 8}));
}

TEST_F(AttemptsTest, a_network_has_a_larger_share_and_only_if_its_address_is_believed) {
  for (std::uint64_t i = 0; i < 11; ++i) refuse(at(fmt::format("192.0.2.{}", i)), i, i);
  EXPECT_FALSE(attempts_.is_closed(at("192.0.2.200")));
  refuse(at("192.0.2.99"), 11, 11);
  EXPECT_TRUE(attempts_.is_closed(at("192.0.2.200")));
  EXPECT_FALSE(attempts_.is_closed(at("192.0.3.200")));
  EXPECT_FALSE(attempts_.is_closed(at("192.0.2.200", false)));
  for (std::uint64_t i = 0; i < 50; ++i) refuse(at("198.51.100.1", false), i, i);
  EXPECT_FALSE(attempts_.is_closed(at("198.51.100.1", false)));
  EXPECT_FALSE(attempts_.is_closed(at("198.51.100.1")));
}

TEST_F(AttemptsTest, nobody_is_never_closed_out) {
  for (std::uint64_t i = 0; i < 50; ++i) refuse(Uploader{}, i, i);
  EXPECT_FALSE(attempts_.is_closed(Uploader{}));
  EXPECT_EQ(attempts_.size(), 0u);
}

TEST_F(AttemptsTest, Invariant9_what_is_remembered_is_bounded_and_the_longest_silent_go_first) {
  refuse(account("1"), 1, 4);
  for (int i = 2; i <= 100; ++i) refuse(account(std::to_string(i)), 1, 1);
  refuse(account("1"), 5, 5);  // speaks up again
  for (int i = 101; i <= 150; ++i) refuse(account(std::to_string(i)), 1, 1);
  EXPECT_EQ(attempts_.size(), 100u);
  EXPECT_TRUE(attempts_.is_closed(account("1")));
  EXPECT_FALSE(attempts_.varies_refused(account("2"), look(1)));
}

}  // namespace
}  // namespace portcullis::media
