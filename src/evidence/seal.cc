#include <sodium.h>

#include <algorithm>

#include "base/fd.h"
#include "evidence/evidence.h"

namespace portcullis::evidence {

namespace {

constexpr std::string_view kMagic = "PCSEAL01";
constexpr std::size_t kPiece = 64 * 1024;
constexpr std::size_t kStreamKey = crypto_secretstream_xchacha20poly1305_KEYBYTES;
constexpr std::size_t kStreamHead = crypto_secretstream_xchacha20poly1305_HEADERBYTES;
constexpr std::size_t kOverhead = crypto_secretstream_xchacha20poly1305_ABYTES;
constexpr std::size_t kSealedKey = kStreamKey + crypto_box_SEALBYTES;
constexpr std::size_t kMostRecipients = 2;

unsigned char* raw(Bytes& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }
const unsigned char* raw(ByteView bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

// Fills `bytes` unless the source ends before; gives how many there are.
Result<std::size_t> fill(const Source& source, std::span<std::byte> bytes) {
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const std::size_t count = TRY(source(bytes.subspan(filled)));
    if (count == 0) break;
    filled += count;
  }
  return filled;
}

std::unexpected<Error> damaged(std::string_view why) {
  return fail(Fault::storage, "the sealed file is damaged: {}", why);
}

struct Recipient {
  Purpose purpose = Purpose::review;
  Bytes sealed_key;
};

Bytes exactly(std::size_t size) { return Bytes(size); }

Result<Bytes> read_exactly(const Source& source, std::size_t size) {
  Bytes bytes = exactly(size);
  if (TRY(fill(source, bytes)) != size) return damaged("it is too short");
  return bytes;
}

Result<std::vector<Recipient>> read_recipients(const Source& source) {
  const Bytes head = TRY(read_exactly(source, kMagic.size() + 1));
  if (as_text(head).substr(0, kMagic.size()) != kMagic)
    return damaged("it is none of this version");
  const auto count = std::to_integer<std::size_t>(head.back());
  if (count == 0 || count > kMostRecipients) return damaged("its number of recipients is wrong");
  std::vector<Recipient> recipients;
  for (std::size_t i = 0; i < count; ++i) {
    Bytes entry = TRY(read_exactly(source, 1 + kSealedKey));
    const auto purpose = static_cast<Purpose>(std::to_integer<std::uint8_t>(entry.front()));
    if (purpose != Purpose::review && purpose != Purpose::evidence)
      return damaged("it names an unknown recipient");
    entry.erase(entry.begin());
    recipients.push_back({purpose, std::move(entry)});
  }
  return recipients;
}

Status write_recipients(const std::vector<Recipient>& recipients, const Sink& sink) {
  Bytes head(as_bytes(kMagic).begin(), as_bytes(kMagic).end());
  head.push_back(static_cast<std::byte>(recipients.size()));
  for (const Recipient& recipient : recipients) {
    head.push_back(static_cast<std::byte>(recipient.purpose));
    head.insert(head.end(), recipient.sealed_key.begin(), recipient.sealed_key.end());
  }
  return sink(head);
}

// The key of one sealed text; wiped when it goes.
struct StreamKey {
  std::array<unsigned char, kStreamKey> bytes{};
  ~StreamKey() { ::sodium_memzero(bytes.data(), bytes.size()); }
};

Status open_key(const PrivateKey& key, const std::vector<Recipient>& recipients, StreamKey& into) {
  const PublicKey open_half = key.public_half();
  for (const Recipient& recipient : recipients)
    if (recipient.purpose == key.purpose() &&
        ::crypto_box_seal_open(into.bytes.data(), raw(ByteView(recipient.sealed_key)), kSealedKey,
                               open_half.bytes.data(), key.bytes().data()) == 0)
      return {};
  return fail(
      Fault::client,
      "this {} key does not open it: it was sealed to another key, or for the other purpose",
      name(key.purpose()));
}

}  // namespace

Status seal(const std::vector<PublicKey>& recipients, const Source& source, const Sink& sink) {
  PORTCULLIS_CHECK(::sodium_init() >= 0);
  PORTCULLIS_CHECK(!recipients.empty() && recipients.size() <= kMostRecipients);
  StreamKey key;
  ::crypto_secretstream_xchacha20poly1305_keygen(key.bytes.data());
  std::vector<Recipient> sealed;
  for (const PublicKey& recipient : recipients) {
    Bytes box = exactly(kSealedKey);
    if (::crypto_box_seal(raw(box), key.bytes.data(), key.bytes.size(), recipient.bytes.data()) !=
        0)
      return fail(Fault::us, "the public {} key is unusable", name(recipient.purpose));
    sealed.push_back({recipient.purpose, std::move(box)});
  }
  TRY(write_recipients(sealed, sink));

  crypto_secretstream_xchacha20poly1305_state state;
  Bytes head = exactly(kStreamHead);
  ::crypto_secretstream_xchacha20poly1305_init_push(&state, raw(head), key.bytes.data());
  TRY(sink(head));
  Bytes plain(kPiece), piece(kPiece + kOverhead);
  for (bool last = false; !last;) {
    const std::size_t count = TRY(fill(source, plain));
    last = count < kPiece;  // a text that fills its last piece has an empty one after it
    ::crypto_secretstream_xchacha20poly1305_push(
        &state, raw(piece), nullptr, raw(ByteView(plain)), count, nullptr, 0,
        last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL
             : crypto_secretstream_xchacha20poly1305_TAG_MESSAGE);
    TRY(sink(ByteView(piece).first(count + kOverhead)));
  }
  return {};
}

Status open(const PrivateKey& key, const Source& source, const Sink& sink) {
  PORTCULLIS_CHECK(::sodium_init() >= 0);
  StreamKey stream_key;
  TRY(open_key(key, TRY(read_recipients(source)), stream_key));
  crypto_secretstream_xchacha20poly1305_state state;
  const Bytes head = TRY(read_exactly(source, kStreamHead));
  if (::crypto_secretstream_xchacha20poly1305_init_pull(&state, raw(ByteView(head)),
                                                        stream_key.bytes.data()) != 0)
    return damaged("its stream cannot be opened");
  Bytes piece(kPiece + kOverhead), plain(kPiece);
  while (true) {
    const std::size_t count = TRY(fill(source, piece));
    if (count < kOverhead) return damaged("it was cut off");
    unsigned char tag = 0;
    if (::crypto_secretstream_xchacha20poly1305_pull(&state, raw(plain), nullptr, &tag,
                                                     raw(ByteView(piece)), count, nullptr, 0) != 0)
      return damaged("it was changed or cut off");
    TRY(sink(ByteView(plain).first(count - kOverhead)));
    if (tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL) break;
    if (count < piece.size()) return damaged("it was cut off");
  }
  if (TRY(source(std::span(piece).first(1))) != 0) return damaged("something stands after its end");
  return {};
}

Status narrow(Purpose keep, const Source& source, const Sink& sink) {
  std::vector<Recipient> recipients = TRY(read_recipients(source));
  std::erase_if(recipients, [&](const Recipient& one) { return one.purpose != keep; });
  if (recipients.empty()) return fail(Fault::client, "it is not sealed to the {} key", name(keep));
  TRY(write_recipients(recipients, sink));
  Bytes piece(kPiece);
  while (const std::size_t count = TRY(fill(source, piece)))
    TRY(sink(ByteView(piece).first(count)));
  return {};
}

Result<Bytes> seal(const std::vector<PublicKey>& recipients, ByteView plain) {
  Bytes sealed;
  TRY(seal(recipients, source_of(plain), sink_into(sealed)));
  return sealed;
}

Result<Bytes> open(const PrivateKey& key, ByteView sealed) {
  Bytes plain;
  TRY(open(key, source_of(sealed), sink_into(plain)));
  return plain;
}

Source source_of(ByteView bytes) {
  return [bytes](std::span<std::byte> into) mutable -> Result<std::size_t> {
    const std::size_t count = std::min(bytes.size(), into.size());
    std::copy_n(bytes.begin(), count, into.begin());
    bytes = bytes.subspan(count);
    return count;
  };
}

Source source_of_file(int fd) {
  return [fd, offset = std::uint64_t{0}](std::span<std::byte> into) mutable -> Result<std::size_t> {
    const std::size_t count = TRY(read_at(fd, into, offset));
    offset += count;
    return count;
  };
}

Sink sink_into(Bytes& bytes) {
  return [&bytes](ByteView more) -> Status {
    bytes.insert(bytes.end(), more.begin(), more.end());
    return {};
  };
}

}  // namespace portcullis::evidence
