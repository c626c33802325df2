// image/image.h: which pictures are taken, and what is asked of a decoder.
//
// Pure values and functions over decoder/'s types; decoding itself happens in decoder::Pool. A Seen
// is what a decode told about an original; it is remembered as JSON, so that known bytes need not
// be decoded again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
  decoder::Limits video = {};
  bool allow_image = true, allow_animation = true, allow_video = true;
  bool allow_audio = false;  // whether videos keep their sound
};

// Turns configured names ("jpeg") into formats; Fault::client names one that does not exist.
Result<std::vector<Format>> formats_from(const std::vector<std::string>& names);

// Query parameters as they came, decoded, in order.
using Parameters = std::vector<std::pair<std::string, std::string>>;

// pict-rs's operations: identity, thumbnail, resize, crop, blur, applied in the order in which they
// stand. Fault::client, code "invalid-process-path", for any other key or for a value that is none.
Result<std::vector<decoder::Operation>> operations_from(const Parameters& parameters);

// What an upload asks for besides being stored.
struct Wishes {
  std::optional<std::uint16_t> max_width, max_height;
  std::optional<std::uint32_t> max_area, max_frame_count;
  std::optional<std::uint64_t> max_file_size;  // bytes
  bool allow_image = true, allow_animation = true, allow_video = true;
  std::optional<std::vector<decoder::Operation>> operations;  // none: the site's own steps
  bool operator==(const Wishes&) const = default;
};
// Limits ("invalid-query" when one is no number) and operations of an upload's query.
Result<Wishes> wishes_from(const Parameters& parameters);
// The rules, and the wishes where they are stricter.
Rules narrowed(const Rules& rules, const Wishes& wishes);

// A size or look of a stored picture that is made when it is asked for.
struct Variant {
  decoder::Rendering rendering;
  std::string key;  // "thumbnail/96/webp", as pict-rs writes it
  bool operator==(const Variant&) const = default;
};
// "webp", "jpg", …; nothing for what no variant can be, a video above all.
std::optional<Format> variant_format(std::string_view extension);
// Parameters whose key is not among `filters` are left out, as pict-rs does. Codes
// "invalid-file-extension" and "invalid-process-path".
Result<Variant> variant_from(std::string_view extension, const Parameters& parameters,
                             const std::vector<std::string>& filters);

struct Seen {
  Format format = Format::jpeg;
  std::uint32_t width = 0, height = 0;  // as shown
  std::uint32_t frames = 1;
  std::vector<hash::Dihedral> fingerprints;
  decoder::Rendition made;
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
// A job for looking at a stored picture again: views and nothing else, whatever its size.
decoder::Job looking_job(int fd, std::uint64_t size, std::vector<decoder::ViewSize> views);
// A job for a variant of a stored picture: nothing but the new picture.
decoder::Job variant_job(int fd, std::uint64_t size, const decoder::Rendering& rendering);

// Names what was made of an original, so that a rendition is reused only for the same request and
// the same decoder.
std::string operations(const decoder::Rendering& rendering, std::string_view decoder_version);

}  // namespace portcullis::image
