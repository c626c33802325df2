// image/image.h: which pictures are taken, and what is asked of a decoder.
//
// Pure values and functions over decoder/'s types; decoding itself happens in decoder::Pool. A Seen
// is what a decode told about an original; it is remembered as JSON, so that known bytes need not
// be decoded again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "decoder/decoder.h"
#include "hash/hash.h"

namespace portcullis::image {

using decoder::Format;

// The formats and sizes that this site takes.
struct Rules {
  std::vector<Format> formats;
  decoder::Limits image;
  decoder::Limits animation;
};

// Turns configured names ("jpeg") into formats; Fault::client names one that does not exist.
Result<std::vector<Format>> formats_from(const std::vector<std::string>& names);

struct Seen {
  Format format = Format::jpeg;
  std::uint32_t width = 0, height = 0;  // as shown
  std::uint32_t frames = 1;
  std::vector<hash::Dihedral> fingerprints;
  bool operator==(const Seen&) const = default;
};
Seen seen(const decoder::Decoded& decoded);
std::string to_json(const Seen& seen);
Result<Seen> seen_from_json(std::string_view json);

// Whether an original that was decoded under other rules may be taken under these. Errors carry the
// same codes as decoder::Pool::decode.
Status within(const Rules& rules, const Seen& seen, std::uint64_t file_size);

// A job for a whole original, with a rendition.
decoder::Job job(const Rules& rules, int fd, std::uint64_t size,
                 std::vector<decoder::ViewSize> views);

// Names what was made of an original, so that a rendition is reused only for the same request and
// the same decoder.
std::string operations(std::string_view decoder_version);

}  // namespace portcullis::image
