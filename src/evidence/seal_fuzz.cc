// A sealed file that somebody has damaged: opening it must end in an error or in the plain text.
#include "evidence/evidence.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace evidence = portcullis::evidence;
  const portcullis::ByteView bytes = std::as_bytes(std::span(data, size));
  evidence::KeyBytes fixed{};
  fixed.fill(7);
  const evidence::PrivateKey key(evidence::Purpose::evidence, fixed);
  if (const auto plain = evidence::open(key, bytes)) PORTCULLIS_CHECK(plain->size() < bytes.size());
  portcullis::Bytes narrowed;
  (void)evidence::narrow(evidence::Purpose::evidence, evidence::source_of(bytes),
                         evidence::sink_into(narrowed));
  const auto text = portcullis::as_text(bytes);
  (void)evidence::private_key_from(text);
  (void)evidence::public_key_from(text, evidence::Purpose::review);
  return 0;
}
