// evidence/evidence.h: originals sealed so that the server that keeps them cannot read them.
//
// Keys and sealing are pure; a Keeper puts sealed originals into a folder and their rows into the
// ledger. What is to be kept, policy says (media/, app/). All calls are thread-safe; a Keeper's
// block, so run them on the files pool.
//
// Two pairs of keys: `review` opens what is held for a moderator, `evidence` opens what is
// preserved. What is held is sealed to both, so that it can become evidence later without being
// opened. The public halves stand in the configuration; the private halves are never on the server.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/fd.h"
#include "base/result.h"
#include "blob/blob.h"
#include "store/store.h"

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

// Who brought an original in. `context` is text about the request (address, file name) and is
// sealed before it is stored.
struct Sender {
  policy::Origin origin = policy::Origin::upload;
  std::string uploader;  // Lemmy's local_user.id, as claimed; empty: nobody
  std::string context;
};

class Keeper {
 public:
  struct Options {
    std::filesystem::path folder;  // of the sealed files; is there already
    std::optional<PublicKey> review, evidence;
    std::uint64_t max_bytes = 10ull * 1024 * 1024 * 1024;
    std::chrono::seconds keep_held{30 * 86'400}, keep_preserved{365 * 86'400};
    std::size_t held_per_uploader = 10;
  };
  // All must outlive it.
  Keeper(Options options, store::Ledger& ledger, blob::FileSystem& files, const Clock& clock);

  // Whether there is a key for it.
  bool can(store::Kept kept) const;
  // Seals what `original` gives, makes it durable, and records verdict and attempt with it. When
  // this returned, both would survive a power cut. Codes: "no-key", "held-quota". A verdict is
  // recorded only on success.
  Result<store::Evidence> keep(store::Kept kept, const Source& original,
                               const store::VerdictRecord& verdict, const Sender& sender);

  // The sealed file of something that is kept.
  Result<UniqueFd> open_sealed(const std::string& id) const;
  // A held one becomes preserved: moderators cannot open it any more.
  Status preserve(const std::string& id, const std::string& who, const std::string& why);
  // As Ledger::end_evidence, and the sealed file goes.
  Status end(const std::string& id, store::EvidenceState how, const std::string& who,
             const std::string& why);
  // Destroys what is over its time, at most `most`; gives how many.
  Result<std::size_t> destroy_due(std::size_t most);
  // Removes sealed files that no row knows and that are older than an hour: what a crash left.
  Status remove_orphans();

  // Bytes kept, of options().max_bytes. When all are used up uploads must be closed: nothing that
  // is to be preserved is ever dropped.
  Result<double> fullness() const;
  const Options& options() const { return options_; }

 private:
  std::vector<PublicKey> recipients(store::Kept kept) const;
  Result<std::uint64_t> write(const std::filesystem::path& path,
                              const std::function<Status(const Sink&)>& fill);
  Status withdraw_review(const std::string& id);
  Status remove_files(const std::string& id);
  std::filesystem::path file(const std::string& id) const { return options_.folder / id; }
  // Written beside the first when it is sealed anew for fewer; counts instead of it.
  std::filesystem::path narrowed_file(const std::string& id) const {
    return options_.folder / (id + ".preserved");
  }

  const Options options_;
  store::Ledger& ledger_;
  blob::FileSystem& files_;
  const Clock& clock_;
};

}  // namespace portcullis::evidence
