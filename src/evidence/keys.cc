#include <sodium.h>

#include "evidence/evidence.h"

namespace portcullis::evidence {

namespace {

static_assert(crypto_box_PUBLICKEYBYTES == std::tuple_size_v<KeyBytes> &&
              crypto_box_SECRETKEYBYTES == std::tuple_size_v<KeyBytes>);

std::string prefix(Purpose purpose, std::string_view half) {
  return fmt::format("pc-{}-{}-", name(purpose), half);
}

ByteView view(const KeyBytes& key) { return std::as_bytes(std::span(key)); }

std::optional<KeyBytes> key_bytes(std::string_view text, const std::string& prefix) {
  if (!text.starts_with(prefix)) return std::nullopt;
  const auto raw = from_hex(text.substr(prefix.size()));
  KeyBytes key;
  if (!raw || raw->size() != key.size()) return std::nullopt;
  std::memcpy(key.data(), raw->data(), key.size());
  return key;
}

}  // namespace

std::string_view name(Purpose purpose) {
  return purpose == Purpose::review ? "review" : "evidence";
}

PrivateKey::~PrivateKey() { ::sodium_memzero(bytes_.data(), bytes_.size()); }

PublicKey PrivateKey::public_half() const {
  PublicKey key{purpose_, {}};
  ::crypto_scalarmult_base(key.bytes.data(), bytes_.data());
  return key;
}

PrivateKey make_key(Purpose purpose) {
  PORTCULLIS_CHECK(::sodium_init() >= 0);
  KeyBytes open_half, secret_half;
  ::crypto_box_keypair(open_half.data(), secret_half.data());
  PrivateKey key(purpose, secret_half);
  ::sodium_memzero(secret_half.data(), secret_half.size());
  return key;
}

std::string to_text(const PublicKey& key) {
  return prefix(key.purpose, "public") + to_hex(view(key.bytes));
}

std::string to_text(const PrivateKey& key) {
  return prefix(key.purpose(), "private") + to_hex(view(key.bytes()));
}

Result<PublicKey> public_key_from(std::string_view text, Purpose purpose) {
  if (text.find("-private-") != std::string_view::npos)
    return fail(Fault::client,
                "this is a private key, and belongs on no server: put its public half here, and "
                "make new keys (`portcullis evidence keygen`) if others can read this file");
  const auto bytes = key_bytes(text, prefix(purpose, "public"));
  if (!bytes)
    return fail(Fault::client, "a public {0} key is \"pc-{0}-public-\" and 64 hexadecimal digits",
                name(purpose));
  return PublicKey{purpose, *bytes};
}

Result<PrivateKey> private_key_from(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with('#')) continue;
    for (const Purpose purpose : {Purpose::review, Purpose::evidence})
      if (const auto bytes = key_bytes(line, prefix(purpose, "private")))
        return PrivateKey(purpose, *bytes);
    return fail(Fault::client,
                "this is no private key: one is \"pc-review-private-\" or \"pc-evidence-private-\" "
                "and 64 hexadecimal digits, alone on a line");
  }
  return fail(Fault::client, "there is no private key in this file");
}

}  // namespace portcullis::evidence
