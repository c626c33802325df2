#include <gmock/gmock.h>

#include "store/store.h"

namespace portcullis::store {
namespace {

using ::testing::HasSubstr;

std::vector<AuditEntry> chain(std::size_t length) {
  std::vector<AuditEntry> entries;
  Sha256 previous;
  for (std::size_t i = 1; i <= length; ++i) {
    AuditEntry entry{i,
                     WallTime{std::chrono::seconds(1'700'000'000 + i)},
                     "server",
                     "verdict refuse",
                     fmt::format("picture {}", i),
                     R"({"rule":"banned here"})",
                     i % 2 ? std::optional(sha256_of(as_bytes("salt and name"))) : std::nullopt,
                     previous,
                     {}};
    previous = entry.hash = hash_of(entry);
    entries.push_back(std::move(entry));
  }
  return entries;
}

// What is wrong with the chain; empty: nothing.
std::string fault_of(const std::vector<AuditEntry>& entries,
                     std::optional<Head> expected = std::nullopt) {
  ChainVerifier verifier(expected);
  for (const AuditEntry& entry : entries)
    if (const Status added = verifier.add(entry); !added) return added.error().what;
  const Status finished = verifier.finish();
  return finished ? "" : finished.error().what;
}

Head head_of(const AuditEntry& entry) { return {entry.sequence, entry.hash}; }

TEST(Invariant12AuditChain, is_whole_when_nobody_touched_it) {
  const auto entries = chain(5);
  EXPECT_EQ(fault_of({}), "");
  EXPECT_EQ(fault_of(entries), "");
  for (const AuditEntry& entry : entries) EXPECT_EQ(fault_of(entries, head_of(entry)), "");
}

TEST(Invariant12AuditChain, shows_a_change_of_any_member) {
  const std::pair<const char*, void (*)(AuditEntry&)> changes[] = {
      {"when", [](AuditEntry& e) { e.when += std::chrono::microseconds(1); }},
      {"actor", [](AuditEntry& e) { e.actor = "somebody"; }},
      {"action", [](AuditEntry& e) { e.action = "verdict accept"; }},
      {"subject", [](AuditEntry& e) { e.subject += '!'; }},
      {"details", [](AuditEntry& e) { e.details = "{}"; }},
      {"personal", [](AuditEntry& e) { e.personal.reset(); }},
      {"personal of another", [](AuditEntry& e) { e.personal = sha256_of(as_bytes("x")); }},
      // Members are told apart by their lengths, not by what stands between them.
      {"moved between members",
       [](AuditEntry& e) {
         e.subject = e.action.back() + e.subject;
         e.action.pop_back();
       }},
  };
  for (const auto& [what, change] : changes) {
    auto entries = chain(5);
    change(entries[2]);
    EXPECT_THAT(fault_of(entries), HasSubstr("entry 3")) << what;
    entries[2].hash = hash_of(entries[2]);  // by one who also makes its hash anew
    EXPECT_THAT(fault_of(entries), HasSubstr("entry 4")) << what;
  }
}

TEST(Invariant12AuditChain, shows_missing_doubled_and_reordered_entries) {
  const auto whole = chain(5);
  for (std::size_t missing = 0; missing < 4; ++missing) {
    auto entries = whole;
    entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(missing));
    EXPECT_THAT(fault_of(entries), HasSubstr(fmt::format("entry {}", missing + 1)));
    for (std::size_t i = missing; i < entries.size(); ++i) entries[i].sequence = i + 1;
    EXPECT_NE(fault_of(entries), "");
  }
  auto swapped = whole;
  std::swap(swapped[1], swapped[2]);
  EXPECT_NE(fault_of(swapped), "");
  auto doubled = whole;
  doubled.insert(doubled.begin() + 1, doubled[0]);
  EXPECT_NE(fault_of(doubled), "");
}

TEST(Invariant12AuditChain, shows_a_cut_tail_and_a_rewritten_one_by_a_head_kept_elsewhere) {
  const auto whole = chain(5);
  auto cut = whole;
  cut.pop_back();
  EXPECT_EQ(fault_of(cut), "");  // by itself it looks whole
  EXPECT_THAT(fault_of(cut, head_of(whole.back())), HasSubstr("cut off"));

  auto rewritten = whole;
  Sha256 previous = rewritten[2].hash;
  rewritten[3].subject = "nothing to see";
  for (std::size_t i = 3; i < rewritten.size(); ++i) {
    rewritten[i].previous = previous;
    previous = rewritten[i].hash = hash_of(rewritten[i]);
  }
  EXPECT_EQ(fault_of(rewritten), "");
  EXPECT_THAT(fault_of(rewritten, head_of(whole.back())), HasSubstr("written anew"));
}

TEST(Head, comes_back_from_its_text) {
  const Head head = head_of(chain(3).back());
  EXPECT_EQ(head_from(to_text(head)), head);
  for (const char* text : {"", ":", "3", "3:", "3:zz", "0:00", "-1:00", "x:00"})
    EXPECT_EQ(head_from(text), std::nullopt) << text;
}

}  // namespace
}  // namespace portcullis::store
