#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scan/scan.h"
#include "testing/lists.h"
#include "testing/run_task.h"
#include "testing/temporary_folder.h"
#include "testing/virtual_clock.h"

namespace portcullis::scan {
namespace {

using policy::Answer;
using ::testing::HasSubstr;
using ::testing::Not;

// Half of its bits are set; `distance` (even) bits differ from near(0).
hash::PdqHash near(int distance) {
  hash::PdqHash hash;
  hash.words = {0xAAAAAAAAAAAAAAAA, 0xAAAAAAAAAAAAAAAA, 0xAAAAAAAAAAAAAAAA, 0xAAAAAAAAAAAAAAAA};
  hash.words[0] ^= (std::uint64_t{1} << distance) - 1;
  return hash;
}

class ListSignalTest : public ::testing::Test {
 protected:
  NamedList list(std::string name, const hash::ListEntries& entries) {
    return {.name = std::move(name), .list = testing::list_of(entries), .why = {}};
  }
  NamedList near_list(std::string name) {
    return list(std::move(name), {.sha256 = {}, .sha1 = {}, .md5 = {}, .pdq = {near(0)}});
  }
  NamedList exact_list(std::string name) {
    return list(std::move(name), {.sha256 = {digests_.sha256}, .sha1 = {}, .md5 = {}, .pdq = {}});
  }

  // Of a picture whose hash is `distance` from near(0).
  policy::SignalAnswer ask(std::vector<NamedList> lists, int distance, int quality = 100) {
    const auto signal = list_signal(definition_, std::move(lists), pool_, clock_);
    hash::Dihedral print{.pdq = {}, .quality = quality};
    print.pdq.fill(near(distance));
    const std::vector<hash::Dihedral> prints{print};
    const Question question{.digests = digests_, .fingerprints = &prints};
    return testing::run_task(signal->ask(question, clock_.steady() + std::chrono::seconds(30)));
  }

  testing::VirtualClock clock_;
  Pool pool_{"test", 1};
  Digests digests_ = digests_of(as_bytes("a picture"));
  policy::SignalDefinition definition_{.name = "known", .lists = {"*"}, .model = {}};
};

TEST_F(ListSignalTest, the_smaller_of_the_lists_and_the_signals_radius_counts) {
  const struct {
    int of_signal, of_list, distance;
    bool match;
  } cases[] = {{31, 31, 30, true},  {31, 31, 32, false}, {31, 10, 10, true},
               {31, 10, 12, false}, {10, 31, 12, false}, {0, 31, 0, true}};
  for (const auto& one : cases) {
    definition_.radius = one.of_signal;
    NamedList list = near_list("a");
    list.radius = one.of_list;
    EXPECT_EQ(ask({list}, one.distance).answer, one.match ? Answer::match : Answer::no_match)
        << one.of_signal << ' ' << one.of_list << ' ' << one.distance;
  }
}

TEST_F(ListSignalTest, a_picture_of_less_quality_than_the_list_wants_has_no_near_match) {
  NamedList list = near_list("a");
  list.min_quality = 80;
  EXPECT_EQ(ask({list}, 0, 79).answer, Answer::no_match);
  EXPECT_EQ(ask({list}, 0, 80).answer, Answer::match);
}

TEST_F(ListSignalTest, the_detail_names_list_tag_and_distance) {
  NamedList list = near_list("csam/x");
  list.tag = "confirmed";
  EXPECT_EQ(ask({list}, 12).detail, "perceptual hash at distance 12 in csam/x #confirmed");
  NamedList exact = exact_list("csam/y");
  exact.tag = "confirmed";
  const auto answer = ask({exact}, 0);
  EXPECT_TRUE(answer.exact);
  EXPECT_EQ(answer.detail, "exact match in csam/y #confirmed");
}

TEST_F(ListSignalTest, what_an_observed_list_finds_is_told_and_is_no_match) {
  NamedList near = near_list("new"), exact = exact_list("other");
  near.observe = exact.observe = true;
  const auto answer = ask({near, exact}, 12);
  EXPECT_EQ(answer.answer, Answer::no_match);
  EXPECT_EQ(answer.detail, "observed: near match in new at distance 12, exact match in other");
  const auto signal = list_signal(definition_, {exact}, pool_, clock_);
  EXPECT_EQ(signal->ask_digests(digests_).answer, Answer::not_asked);
}

TEST_F(ListSignalTest, an_observed_list_changes_nothing_about_what_others_find) {
  NamedList observed = near_list("new");
  observed.observe = true;
  const auto both = ask({observed, near_list("old")}, 12);
  EXPECT_EQ(both.answer, Answer::match);
  EXPECT_EQ(both.detail,
            "perceptual hash at distance 12 in old; observed: near match in new at distance 12");
  NamedList unreadable{.name = "gone", .list = nullptr, .why = "no file"};
  unreadable.observe = true;
  EXPECT_EQ(ask({unreadable}, 0).answer, Answer::no_match) << "its absence closes nothing";
  unreadable.observe = false;
  EXPECT_EQ(ask({unreadable}, 0).answer, Answer::unanswered);
}

TEST_F(ListSignalTest, Invariant3_a_list_that_is_too_old_finds_but_does_not_clear) {
  NamedList list = near_list("a");
  list.good_until = clock_.now() + std::chrono::hours(1);
  EXPECT_EQ(ask({list}, 60).answer, Answer::no_match);
  clock_.advance(std::chrono::hours(1));
  const auto late = ask({list}, 60);
  EXPECT_EQ(late.answer, Answer::unanswered);
  EXPECT_THAT(late.detail, HasSubstr("hashlist update a"));
  EXPECT_EQ(ask({list}, 0).answer, Answer::match);
}

TEST_F(ListSignalTest, the_version_changes_with_every_setting) {
  const auto version = [&](const NamedList& list) {
    return list_signal(definition_, {list}, pool_, clock_)->version();
  };
  const NamedList plain = near_list("a");
  NamedList radius = plain, quality = plain, tag = plain, observe = plain;
  radius.radius = 10;
  quality.min_quality = 60;
  tag.tag = "x";
  observe.observe = true;
  for (const NamedList& other : {radius, quality, tag, observe})
    EXPECT_THAT(version(other), Not(version(plain)));
}

}  // namespace
}  // namespace portcullis::scan
