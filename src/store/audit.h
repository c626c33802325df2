// store/audit.h: the audit chain: what was done, each entry bound to the one before. Pure. Part of
// store/store.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/digest.h"
#include "base/result.h"

namespace portcullis::store {

// One thing that was done. Its hash covers the one before.
struct AuditEntry {
  std::uint64_t sequence = 0;  // 1, 2, 3, ...
  WallTime when;
  std::string actor;    // "server", "admin at the command line", ...; names no uploader
  std::string action;   // "verdict refuse", "switch", "list add", "evidence destroy", ...
  std::string subject;  // what it was done to: an id, a name, a digest
  std::string details;  // JSON; nothing about a person
  // Salted SHA-256 of the personal data that belong to it, which are kept elsewhere and can be
  // erased there; empty: none.
  std::optional<Sha256> personal;
  Sha256 previous;  // hash of entry sequence - 1; all zeros for the first
  Sha256 hash;
};
// SHA-256 over every member but `hash`, each with its length in front.
Sha256 hash_of(const AuditEntry& entry);

// An entry by number and hash, to be kept elsewhere: "1234:9f86d0…".
struct Head {
  std::uint64_t sequence = 0;
  Sha256 hash;
  bool operator==(const Head&) const = default;
};
std::string to_text(const Head& head);
std::optional<Head> head_from(std::string_view text);

// Is given every entry in order. The first that is wrong is an error that names it.
class ChainVerifier {
 public:
  // `expected`: a head that was seen earlier; the chain must contain it.
  explicit ChainVerifier(std::optional<Head> expected = std::nullopt) : expected_(expected) {}
  Status add(const AuditEntry& entry);
  // After the last one. A chain that ends before the expected head was cut.
  Status finish() const;
  const Head& head() const { return head_; }

 private:
  std::optional<Head> expected_;
  Head head_;
};

}  // namespace portcullis::store
