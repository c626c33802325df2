// evidence/evidence.h: originals sealed so that the server that keeps them cannot read them, and
// the audit chain.
//
// Pure, except that sealing and opening read and write the descriptors they are given. Nothing here
// knows a database, when something is kept or for how long (store/, media/, app/). All calls are
// thread-safe.
//
// Two pairs of keys: `review` opens what is held for a moderator, `evidence` opens what is
// preserved. What is held is sealed to both, so that it can become evidence later without being
// opened. The public halves stand in the configuration; the private halves are never on the server.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/result.h"

namespace portcullis::evidence {

enum class Purpose : std::uint8_t { review = 1, evidence = 2 };
std::string_view name(Purpose purpose);

// Curve25519 keys of libsodium's crypto_box, as text with what they are in front, so that one
// cannot be taken for another: "pc-review-public-" or "pc-evidence-private-" and 64 hexadecimal
// digits.
using KeyBytes = std::array<unsigned char, 32>;
struct PublicKey {
  Purpose purpose = Purpose::review;
  KeyBytes bytes{};
  bool operator==(const PublicKey&) const = default;
};
// Wiped when it goes.
class PrivateKey {
 public:
  PrivateKey(Purpose purpose, const KeyBytes& bytes) : purpose_(purpose), bytes_(bytes) {}
  PrivateKey(const PrivateKey&) = default;
  PrivateKey& operator=(const PrivateKey&) = default;
  ~PrivateKey();
  Purpose purpose() const { return purpose_; }
  const KeyBytes& bytes() const { return bytes_; }
  PublicKey public_half() const;

 private:
  Purpose purpose_;
  KeyBytes bytes_;
};
PrivateKey make_key(Purpose purpose);
std::string to_text(const PublicKey& key);
std::string to_text(const PrivateKey& key);
// Errors say what the text should be, and never repeat it. A private key where a public one belongs
// is an error that says so.
Result<PublicKey> public_key_from(std::string_view text, Purpose purpose);
// The first private key in `text`, a key file: lines; '#' starts a comment.
Result<PrivateKey> private_key_from(std::string_view text);

// Gives up to bytes.size() further bytes; 0 at the end.
using Source = std::function<Result<std::size_t>(std::span<std::byte> bytes)>;
using Sink = std::function<Status(ByteView)>;

// Encrypts what `source` gives with a fresh key (libsodium's secretstream, XChaCha20-Poly1305, 64
// KiB a piece), and that key to each recipient (crypto_box_seal). Flat memory.
//
//   magic "PCSEAL01", number of recipients, for each its purpose and the sealed key, the stream's
//   head, the pieces
Status seal(const std::vector<PublicKey>& recipients, const Source& source, const Sink& sink);
// A changed, truncated or foreign text is an error, before or after some of it went to `sink`: what
// `sink` got counts only when this succeeded.
Status open(const PrivateKey& key, const Source& source, const Sink& sink);
// Copies a sealed text for fewer recipients, without opening it: only those of `keep`.
Status narrow(Purpose keep, const Source& source, const Sink& sink);

// The same for what fits into memory.
Result<Bytes> seal(const std::vector<PublicKey>& recipients, ByteView plain);
Result<Bytes> open(const PrivateKey& key, ByteView sealed);
Source source_of(ByteView bytes);  // borrowed
Source source_of_file(int fd);     // borrowed; from its beginning
Sink sink_into(Bytes& bytes);

}  // namespace portcullis::evidence
