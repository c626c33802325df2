#include "image/image.h"

#include <algorithm>
#include <boost/json.hpp>

namespace portcullis::image {

namespace json = boost::json;

Result<std::vector<Format>> formats_from(const std::vector<std::string>& names) {
  std::vector<Format> formats;
  for (const std::string& name : names) {
    const auto format = decoder::format_from(name);
    if (!format) return fail(Fault::client, "there is no image format \"{}\"", name);
    formats.push_back(*format);
  }
  return formats;
}

Seen seen(const decoder::Decoded& decoded) {
  return {decoded.format, decoded.width,        decoded.height,
          decoded.frames, decoded.fingerprints, decoded.made};
}

std::string to_json(const Seen& seen) {
  json::array fingerprints;
  for (const hash::Dihedral& one : seen.fingerprints) {
    json::array hashes;
    for (const hash::PdqHash& pdq : one.pdq) hashes.emplace_back(hash::to_hex(pdq));
    fingerprints.push_back(json::object{{"quality", one.quality}, {"pdq", std::move(hashes)}});
  }
  return json::serialize(json::object{{"format", decoder::name(seen.format)},
                                      {"width", seen.width},
                                      {"height", seen.height},
                                      {"frames", seen.frames},
                                      {"fingerprints", std::move(fingerprints)},
                                      {"made",
                                       {{"format", decoder::name(seen.made.format)},
                                        {"width", seen.made.width},
                                        {"height", seen.made.height},
                                        {"frames", seen.made.frames},
                                        {"blurhash", seen.made.blurhash}}}});
}

namespace {

Result<Format> format_in(const json::object& object) {
  const auto format = decoder::format_from(std::string_view(object.at("format").as_string()));
  if (!format) return fail(Fault::storage, "a remembered decode names no known format");
  return *format;
}

}  // namespace

Result<Seen> seen_from_json(std::string_view text) {
  try {
    const json::value root = json::parse({text.data(), text.size()});
    const json::object& object = root.as_object();
    Seen seen;
    seen.format = TRY(format_in(object));
    seen.width = object.at("width").to_number<std::uint32_t>();
    seen.height = object.at("height").to_number<std::uint32_t>();
    seen.frames = object.at("frames").to_number<std::uint32_t>();
    for (const json::value& one : object.at("fingerprints").as_array()) {
      hash::Dihedral dihedral;
      dihedral.quality = one.at("quality").to_number<int>();
      const json::array& hashes = one.at("pdq").as_array();
      if (hashes.size() != dihedral.pdq.size())
        return fail(Fault::storage, "a remembered fingerprint has {} hashes instead of 8",
                    hashes.size());
      for (std::size_t i = 0; i < hashes.size(); ++i) {
        const auto pdq = hash::pdq_from_hex(std::string_view(hashes[i].as_string()));
        if (!pdq) return fail(Fault::storage, "a remembered fingerprint is not a PDQ hash");
        dihedral.pdq[i] = *pdq;
      }
      seen.fingerprints.push_back(dihedral);
    }
    if (seen.fingerprints.empty())
      return fail(Fault::storage, "a remembered decode has no fingerprint");
    const json::object& made = object.at("made").as_object();
    seen.made = {TRY(format_in(made)), made.at("width").to_number<std::uint32_t>(),
                 made.at("height").to_number<std::uint32_t>(),
                 made.at("frames").to_number<std::uint32_t>(),
                 std::string(made.at("blurhash").as_string())};
    return seen;
  } catch (const std::exception& error) {
    return fail(Fault::storage, "a remembered decode cannot be read: {}", error.what());
  }
}

Status within(const Rules& rules, const Seen& seen, std::uint64_t file_size) {
  if (std::ranges::find(rules.formats, seen.format) == rules.formats.end())
    return fail_with(Fault::client, "media-disallowed", "{} is switched off",
                     decoder::name(seen.format));
  const bool is_video = decoder::is_video(seen.format), moves = seen.frames > 1;
  if (is_video ? !rules.allow_video : moves ? !rules.allow_animation : !rules.allow_image)
    return fail_with(Fault::client, "media-disallowed", "{} are not taken",
                     is_video ? "videos"
                     : moves  ? "animations"
                              : "stills");
  const decoder::Limits& limits = is_video ? rules.video : moves ? rules.animation : rules.image;
  if (file_size > limits.max_file_size)
    return fail_with(Fault::client, "validate-file-size", "{} bytes are over {}", file_size,
                     limits.max_file_size);
  if (seen.width > limits.max_width)
    return fail_with(Fault::client, "validate-width", "width {} is over {}", seen.width,
                     limits.max_width);
  if (seen.height > limits.max_height)
    return fail_with(Fault::client, "validate-height", "height {} is over {}", seen.height,
                     limits.max_height);
  if (std::uint64_t{seen.width} * seen.height > limits.max_area)
    return fail_with(Fault::client, "validate-area", "{} x {} pixels are over {}", seen.width,
                     seen.height, limits.max_area);
  if ((moves || is_video) && seen.frames > limits.max_frames)
    return fail_with(Fault::client, "validate-frames", "{} frames are over {}", seen.frames,
                     limits.max_frames);
  return {};
}

decoder::Job job(const Rules& rules, int fd, std::uint64_t size,
                 std::vector<decoder::ViewSize> views) {
  decoder::Job job;
  job.fd = fd;
  job.size = size;
  for (const Format format : rules.formats)
    job.formats |= static_cast<std::uint16_t>(1u << static_cast<unsigned>(format));
  job.image = rules.image;
  job.animation = rules.animation;
  job.video = rules.video;
  job.allow_audio = rules.allow_audio;
  job.views = std::move(views);
  return job;
}

namespace {

// What is stored was let in; today's limits do not count for it.
decoder::Job stored_job(int fd, std::uint64_t size) {
  constexpr std::uint32_t kAny = 65'535;
  decoder::Job job;
  job.fd = fd;
  job.size = size;
  job.formats = 0xFFFF;
  job.image = job.animation =
      job.video = {kAny, kAny, std::uint64_t{kAny} * kAny, size, UINT32_MAX};
  job.want_fingerprints = false;
  return job;
}

}  // namespace

decoder::Job looking_job(int fd, std::uint64_t size, std::vector<decoder::ViewSize> views) {
  decoder::Job job = stored_job(fd, size);
  job.views = std::move(views);
  job.want_rendition = false;
  job.priority = decoder::Priority::rescan;
  return job;
}

decoder::Job variant_job(int fd, std::uint64_t size, const decoder::Rendering& rendering) {
  decoder::Job job = stored_job(fd, size);
  job.rendering = rendering;
  job.priority = decoder::Priority::variant;
  return job;
}

}  // namespace portcullis::image
