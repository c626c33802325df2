#include <cstring>

#include "decoder/blurhash.h"
#include "decoder/links.h"

namespace portcullis::decoder {

namespace {

template <std::size_t N>
std::string text_of(const std::array<char, N>& from) {
  std::string text(from.data(), ::strnlen(from.data(), N));
  for (char& c : text)
    if (c < 0x20 || c > 0x7e) c = '?';
  return text;
}

// The words a worker may use; a compromised one cannot make the gate say anything else.
bool is_code(std::string_view code) {
  for (const char* known : {"validate-width", "validate-height", "validate-area", "validate-frames",
                            "validate-file-size", "validate-file-empty", "media-disallowed",
                            "video-disabled", "command-failure"})
    if (code == known) return true;
  return false;
}

std::unexpected<Error> lie(std::string_view what) { return fail(Fault::upstream, "{}", what); }

// Takes from the front of a view whose size was checked before.
class Cursor {
 public:
  explicit Cursor(ByteView bytes) : bytes_(bytes) {}
  ByteView take(std::size_t count) {
    PORTCULLIS_CHECK(count <= bytes_.size());
    const ByteView taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  bool at_end() const { return bytes_.empty(); }

 private:
  ByteView bytes_;
};

Status check_numbers(const Job& job, const WireReply& reply) {
  if (static_cast<std::size_t>(reply.format) >= kFormats ||
      (job.formats >> static_cast<unsigned>(reply.format) & 1) == 0)
    return lie("a format that was not asked for");
  const Limits& limits = is_video(reply.format) ? job.video
                         : reply.frames > 1     ? job.animation
                                                : job.image;
  if (reply.width == 0 || reply.height == 0 || reply.width > limits.max_width ||
      reply.height > limits.max_height ||
      std::uint64_t{reply.width} * reply.height > limits.max_area)
    return lie("a size beyond the limits");
  if (reply.frames == 0 ||
      ((reply.frames > 1 || is_video(reply.format)) && reply.frames > limits.max_frames))
    return lie("a number of frames beyond the limits");
  if ((reply.fingerprints > 0) != job.want_fingerprints ||
      reply.fingerprints > 2 * kMaxFingerprints ||
      reply.fingerprints > std::uint64_t{2} * (1 + kMaxTrims) * reply.frames)
    return lie("a number of fingerprints that does not fit the frames");
  for (std::size_t i = 0; i < kMaxViewSizes; ++i) {
    const bool wanted = i < job.views.size();
    if (wanted ? reply.pictures[i] == 0 || reply.pictures[i] > kMaxPictures
               : reply.pictures[i] != 0)
      return lie("a number of pictures that was not asked for");
  }
  if ((reply.rendition_size > 0) != job.want_rendition)
    return lie("a rendition that was not asked for, or none");
  return {};
}

Result<Rendition> check_rendition(const Job& job, const WireReply& reply) {
  Rendition made{reply.rendition_format, reply.rendition_width, reply.rendition_height,
                 reply.rendition_frames, text_of(reply.blurhash)};
  if (made.format != job.rendering.format.value_or(reply.format))
    return lie("a rendition of another format");
  // Nothing is done to a video that stays one.
  const auto operations =
      is_video(made.format) ? std::vector<Operation>() : job.rendering.operations;
  if (size_after(operations, {reply.width, reply.height}) != Size{made.width, made.height})
    return lie("a rendition of another size");
  // WebP puts frames that are alike into one.
  const bool may_be_fewer = made.format == Format::webp && made.frames < reply.frames;
  if (made.frames == 0 || (made.frames != 1 && made.frames != reply.frames && !may_be_fewer))
    return lie("a rendition with another number of frames");
  if (!is_blurhash(made.blurhash)) return lie("a blurhash that is none");
  return made;
}

}  // namespace

Result<Decoded> read_outputs(const Job& job, const WireReply& reply, UniqueFd views_fd,
                             UniqueFd rendition_fd) {
  if (!reply.taken) {
    std::string code = text_of(reply.code);
    if (!is_code(code)) return lie("an unknown word");
    return std::unexpected(Error{Fault::client, text_of(reply.what), std::move(code)});
  }
  TRY(check_numbers(job, reply));

  std::uint64_t wanted = std::uint64_t{reply.fingerprints} * sizeof(WireFingerprint);
  for (std::size_t i = 0; i < job.views.size(); ++i)
    wanted += std::uint64_t{reply.pictures[i]} * job.views[i].width * job.views[i].height * 3;
  if (reply.views_size != wanted) return lie("views of another size than their number says");
  const SealedBytes views = TRY(SealedBytes::seal(std::move(views_fd), reply.views_size));

  Decoded decoded;
  decoded.format = reply.format;
  decoded.width = reply.width;
  decoded.height = reply.height;
  decoded.frames = reply.frames;
  Cursor cursor(views.view());
  for (std::uint32_t i = 0; i < reply.fingerprints; ++i) {
    WireFingerprint from;
    std::memcpy(&from, cursor.take(sizeof from).data(), sizeof from);
    if (from.quality < 0 || from.quality > 100) return lie("a quality that is none");
    decoded.fingerprints.push_back({from.pdq, static_cast<int>(from.quality)});
  }
  for (std::size_t i = 0; i < job.views.size(); ++i) {
    std::vector<Picture>& pictures = decoded.views.emplace_back();
    for (std::uint32_t n = 0; n < reply.pictures[i]; ++n) {
      const ViewSize& size = job.views[i];
      const ByteView rgb = cursor.take(std::size_t{size.width} * size.height * 3);
      pictures.push_back({size.width, size.height, Bytes(rgb.begin(), rgb.end())});
    }
  }
  PORTCULLIS_CHECK(cursor.at_end());
  if (job.want_rendition) {
    decoded.made = TRY(check_rendition(job, reply));
    decoded.rendition = TRY(SealedBytes::seal(std::move(rendition_fd), reply.rendition_size));
  }
  return decoded;
}

}  // namespace portcullis::decoder
