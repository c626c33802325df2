#include <charconv>

#include "store/store.h"

namespace portcullis::store {

namespace {

void add(std::string& text, std::string_view member) {
  text += std::to_string(member.size());
  text += ':';
  text += member;
}

}  // namespace

Sha256 hash_of(const AuditEntry& entry) {
  std::string text;
  add(text, std::to_string(entry.sequence));
  add(text, std::to_string(entry.when.time_since_epoch().count()));
  add(text, entry.actor);
  add(text, entry.action);
  add(text, entry.subject);
  add(text, entry.details);
  add(text, entry.personal ? entry.personal->hex() : "");
  add(text, entry.previous.hex());
  return sha256_of(as_bytes(text));
}

std::string to_text(const Head& head) {
  return fmt::format("{}:{}", head.sequence, head.hash.hex());
}

std::optional<Head> head_from(std::string_view text) {
  Head head;
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), head.sequence);
  if (fault != std::errc() || stop == text.data() + text.size() || *stop != ':')
    return std::nullopt;
  const auto hash = Sha256::from(text.substr(static_cast<std::size_t>(stop - text.data()) + 1));
  if (!hash || head.sequence == 0) return std::nullopt;
  head.hash = *hash;
  return head;
}

Status ChainVerifier::add(const AuditEntry& entry) {
  const std::uint64_t next = head_.sequence + 1;
  if (entry.sequence != next)
    return fail(Fault::storage, "entry {} of the audit chain is missing", next);
  if (entry.previous != head_.hash)
    return fail(Fault::storage,
                "entry {} of the audit chain does not follow the one before: one of them was "
                "changed, or something was taken out or put in",
                next);
  if (hash_of(entry) != entry.hash)
    return fail(Fault::storage, "entry {} of the audit chain was changed", next);
  head_ = {entry.sequence, entry.hash};
  if (expected_ && expected_->sequence == entry.sequence && expected_->hash != entry.hash)
    return fail(Fault::storage,
                "entry {} is not the one that was there when this head was taken: the chain was "
                "written anew",
                next);
  return {};
}

Status ChainVerifier::finish() const {
  if (expected_ && expected_->sequence > head_.sequence)
    return fail(Fault::storage,
                "the audit chain ends with entry {}, but had {} when this head was taken: its end "
                "was cut off",
                head_.sequence, expected_->sequence);
  return {};
}

}  // namespace portcullis::store
