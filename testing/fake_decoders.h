// testing/fake_decoders.h: decoders that "see" what the first bytes of a file say, for tests of
// what is built on them.
//
// A file is text: "picture NAME" decodes to a 64 x 48 PNG whose fingerprint follows from NAME and
// whose rendition is "rendition of NAME"; "picture NAME~MORE" looks the same to a perceptual hash.
// "broken" is no picture; "crash" is unanswered.
// Thread-safe.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <functional>
#include <string>

#include "decoder/decoder.h"

namespace portcullis::testing {

inline hash::Dihedral fingerprint_of(std::string_view name, int quality = 100) {
  hash::Dihedral print;
  print.quality = quality;
  for (std::size_t i = 0; i < print.pdq.size(); ++i) {
    const Sha256 digest = sha256_of(as_bytes(fmt::format("{}/{}", name, i)));
    std::memcpy(print.pdq[i].words.data(), digest.bytes.data(), sizeof print.pdq[i].words);
  }
  return print;
}

class FakeDecoders final : public decoder::Pool {
 public:
  Result<decoder::Decoded> decode(const decoder::Job& job, Deadline) override {
    ++decodes;
    if (on_decode) on_decode();
    if (fail_with) return std::unexpected(*fail_with);
    Bytes bytes(job.size);
    bytes.resize(TRY(read_at(job.fd, bytes, 0)));
    const std::string text(as_text(bytes));
    if (text.starts_with("crash"))
      return ::portcullis::fail_with(Fault::upstream, "decoder-unanswered", "the worker died");
    constexpr std::string_view kOriginal = "picture ", kRendition = "rendition of ";
    std::string name;
    if (text.starts_with(kOriginal))
      name = text.substr(kOriginal.size());
    else if (text.starts_with(kRendition))
      name = text.substr(kRendition.size());
    else
      return ::portcullis::fail_with(Fault::client, "command-failure", "no picture");

    decoder::Decoded decoded;
    decoded.format = decoder::Format::png;
    decoded.width = 64;
    decoded.height = 48;
    decoded.fingerprints = {fingerprint_of(std::string_view(name).substr(0, name.find('~')))};
    for (const decoder::ViewSize& view : job.views) {
      decoder::Picture picture{view.width, view.height, {}};
      picture.rgb.resize(std::size_t{view.width} * view.height * 3);
      decoded.views.push_back({std::move(picture)});
    }
    const decoder::Size size = decoder::size_after(job.rendering.operations, {64, 48});
    decoded.made = {job.rendering.format.value_or(decoder::Format::png), size.width, size.height, 1,
                    "L8Eyb[~qfQ~q~qt7fQt7fQfQfQfQ"};
    std::string rendition = "rendition of " + name;
    if (job.rendering != decoder::Rendering{})
      rendition +=
          fmt::format(" {}x{} {}", size.width, size.height, decoder::name(decoded.made.format));
    UniqueFd memory(::memfd_create("rendition", MFD_ALLOW_SEALING | MFD_CLOEXEC));
    TRY(write_all(memory.get(), as_bytes(rendition)));
    decoded.rendition = TRY(decoder::SealedBytes::seal(std::move(memory), rendition.size()));
    return decoded;
  }
  Health health() const override { return {}; }
  std::string version() const override { return "fake"; }

  std::atomic<int> decodes{0};
  std::function<void()> on_decode;
  std::optional<Error> fail_with;  // what every decode ends with
};

}  // namespace portcullis::testing
