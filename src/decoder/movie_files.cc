#include "decoder/movie_files.h"

#include <algorithm>
#include <optional>

namespace portcullis::decoder {

namespace {

template <class... Args>
std::unexpected<Error> damaged(fmt::format_string<Args...> text, Args&&... args) {
  return fail_with(Fault::client, "command-failure", text, std::forward<Args>(args)...);
}

// Big-endian, of `length` bytes; 0 beyond the end.
std::uint64_t number(ByteView bytes, std::size_t place, std::size_t length) {
  if (place > bytes.size() || length > bytes.size() - place) return 0;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < length; ++i)
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[place + i]);
  return value;
}

// libav keeps an entry of 24 bytes for each sample that a table only counts.
constexpr std::uint64_t kMaxSamples = 1'000'000;
constexpr std::size_t kMaxEdits = 16;
constexpr int kMaxDepth = 8;

struct Box {
  std::string_view kind;
  ByteView content;
  std::size_t size = 0;  // with its header
};

// The box at `place`; nothing when none fits in there.
std::optional<Box> box_at(ByteView bytes, std::size_t place) {
  if (bytes.size() - place < 8) return std::nullopt;
  std::size_t header = 8;
  std::uint64_t size = number(bytes, place, 4);
  if (size == 1) {
    header = 16;
    size = number(bytes, place + 8, 8);
  } else if (size == 0) {
    size = bytes.size() - place;
  }
  if (size < header || size > bytes.size() - place) return std::nullopt;
  return Box{as_text(bytes.subspan(place + 4, 4)),
             bytes.subspan(place + header, static_cast<std::size_t>(size) - header),
             static_cast<std::size_t>(size)};
}

bool is_one_of(std::string_view kind, std::initializer_list<std::string_view> kinds) {
  return std::ranges::find(kinds, kind) != kinds.end();
}

struct Track {
  bool is_enabled = false, shows_pictures = false, is_elsewhere = false;
  std::uint64_t descriptions = 0, samples = 0;
  std::uint32_t time_scale = 0;
  std::size_t edit_lists = 0;
  std::vector<Edit> edits;
};

class Mp4Reader {
 public:
  Status read_movie(ByteView movie) { return read(movie, 0); }

  std::vector<Track> tracks;
  std::uint32_t time_scale = 0;
  std::uint64_t samples = 0;  // of all tracks

 private:
  Status read(ByteView boxes, int depth) {
    if (depth > kMaxDepth) return damaged("boxes in boxes in boxes");
    for (std::size_t place = 0; place < boxes.size();) {
      const auto box = box_at(boxes, place);
      if (!box) {
        // QuickTime ends some lists of boxes with four zeros.
        if (boxes.size() - place < 8) return {};
        return damaged("a box larger than what it lies in");
      }
      place += box->size;
      TRY(read_box(*box, depth));
    }
    return {};
  }

  Status read_box(const Box& box, int depth) {
    if (box.kind == "cmov") return damaged("a compressed film header");
    if (box.kind == "trak") tracks.emplace_back();
    if (is_one_of(box.kind, {"trak", "mdia", "minf", "stbl", "edts", "dinf", "traf"}))
      return read(box.content, depth + 1);
    if (box.kind == "mvhd") time_scale = time_scale_of(box.content);
    if (box.kind == "trun") return count(number(box.content, 4, 4), nullptr);
    if (!tracks.empty()) return read_track_box(box, tracks.back());
    return {};
  }

  Status read_track_box(const Box& box, Track& track) {
    const ByteView content = box.content;
    if (box.kind == "tkhd") track.is_enabled = (number(content, 0, 4) & 1) != 0;
    if (box.kind == "mdhd") track.time_scale = time_scale_of(content);
    if (box.kind == "hdlr" && content.size() >= 12 && as_text(content.subspan(8, 4)) == "vide")
      track.shows_pictures = true;
    if (box.kind == "stsd") track.descriptions += number(content, 4, 4);
    if (box.kind == "stsz" || box.kind == "stz2") return count(number(content, 8, 4), &track);
    if (box.kind == "dref") return read_references(content, track);
    if (box.kind == "elst") return read_edits(content, track);
    return {};
  }

  Status count(std::uint64_t more, Track* track) {
    samples += more;
    if (track != nullptr) track->samples += more;
    if (samples > kMaxSamples) return damaged("{} samples", samples);
    return {};
  }

  static std::uint32_t time_scale_of(ByteView content) {
    const bool is_long = number(content, 0, 1) == 1;
    return static_cast<std::uint32_t>(number(content, is_long ? 20 : 12, 4));
  }

  static Status read_references(ByteView content, Track& track) {
    for (std::size_t place = 8; place < content.size();) {
      const auto box = box_at(content, place);
      if (!box) return damaged("a damaged list of other files");
      place += box->size;
      if ((number(box->content, 0, 4) & 1) == 0) track.is_elsewhere = true;
    }
    return {};
  }

  static Status read_edits(ByteView content, Track& track) {
    ++track.edit_lists;
    const bool is_long = number(content, 0, 1) == 1;
    const std::size_t length = is_long ? 8 : 4, entry = 2 * length + 4;
    const std::uint64_t entries = number(content, 4, 4);
    if (entries > kMaxEdits || content.size() < 8 + entries * entry)
      return damaged("an edit list of {} entries", entries);
    for (std::size_t i = 0; i < entries; ++i) {
      const std::size_t place = 8 + i * entry;
      const std::uint64_t start = number(content, place + length, length);
      track.edits.push_back(
          {number(content, place, length),
           is_long ? static_cast<std::int64_t>(start) : static_cast<std::int32_t>(start),
           static_cast<std::uint32_t>(number(content, place + 2 * length, 4))});
    }
    return {};
  }
};

// Boxes that a film has on its outside; anything else after the film is not part of it.
bool is_outer(std::string_view kind) {
  return is_one_of(
      kind, {"ftyp", "moov", "mdat", "moof", "free", "skip", "wide", "uuid", "sidx", "ssix", "styp",
             "mfra", "meta", "pdin", "prft", "emsg", "pnot", "PICT", "udta"});
}

}  // namespace

Result<Mp4Outline> read_mp4_outline(ByteView bytes, std::uint32_t max_frames) {
  Mp4Outline outline;
  Mp4Reader reader;
  std::size_t types = 0, movies = 0;
  for (std::size_t place = 0; place + 8 <= bytes.size();) {
    const std::string_view kind = as_text(bytes.subspan(place + 4, 4));
    if (!is_outer(kind)) break;
    const auto box = box_at(bytes, place);
    if (!box) return damaged("a truncated film");
    if (kind == "ftyp" && ++types > 1) return damaged("several films in one file");
    if (kind == "moov") {
      if (++movies > 1) return damaged("several films in one file");
      outline.movie_size = box->size;
    }
    if (kind == "moov" || kind == "moof") TRY(reader.read_movie(box->content));
    place += box->size;
    outline.end = place;
  }
  if (movies == 0) return damaged("a truncated film");

  const auto shows = [](const Track& track) { return track.shows_pictures; };
  if (std::ranges::count_if(reader.tracks, shows) != 1)
    return damaged("{} tracks with pictures", std::ranges::count_if(reader.tracks, shows));
  const Track& track = *std::ranges::find_if(reader.tracks, shows);
  if (!track.is_enabled) return damaged("a track that is switched off");
  if (track.is_elsewhere) return damaged("a track that lies in another file");
  if (track.descriptions != 1) return damaged("a track with {} descriptions", track.descriptions);
  if (track.edit_lists > 1) return damaged("several edit lists");
  if (track.samples > max_frames)
    return fail_with(Fault::client, "validate-frames", "{} frames", track.samples);
  outline.time_scale = reader.time_scale;
  outline.track_time_scale = track.time_scale;
  outline.edits = track.edits;
  return outline;
}

namespace {

// An element of EBML: a number that keeps the mark of its length, and a size without it.
struct Element {
  std::uint64_t id = 0, size = 0;
  std::size_t header = 0;
  bool is_open = false;  // of unknown size
};

constexpr std::uint64_t kEbml = 0x1A45DFA3, kSegment = 0x18538067, kCluster = 0x1F43B675,
                        kVoid = 0xEC;

std::optional<std::size_t> length_at(ByteView bytes, std::size_t place, std::size_t most) {
  const auto first = static_cast<unsigned>(number(bytes, place, 1));
  std::size_t length = 1;
  while (length <= most && (first & (0x100U >> length)) == 0) ++length;
  if (length > most || place > bytes.size() || length > bytes.size() - place) return std::nullopt;
  return length;
}

std::optional<Element> element_at(ByteView bytes, std::size_t place) {
  const auto id_length = length_at(bytes, place, 4);
  if (!id_length) return std::nullopt;
  const auto size_length = length_at(bytes, place + *id_length, 8);
  if (!size_length) return std::nullopt;
  const std::uint64_t mask = (std::uint64_t{1} << (7 * *size_length)) - 1;
  Element element{number(bytes, place, *id_length),
                  number(bytes, place + *id_length, *size_length) & mask, *id_length + *size_length,
                  false};
  element.is_open = element.size == mask;
  return element;
}

// Past the children of a segment or of a cluster without a size, which end with the file or where
// something stands that is none of theirs.
Result<std::size_t> open_end(ByteView bytes, std::size_t place) {
  while (place < bytes.size()) {
    const auto child = element_at(bytes, place);
    if (!child || child->id == kSegment) break;
    if (child->id == kEbml) return damaged("several films in one file");
    place += child->header;
    if (child->is_open) {  // its children come next, as if they were its neighbours
      if (child->id != kCluster) return damaged("an element without an end");
      continue;
    }
    if (child->size > bytes.size() - place) return damaged("a truncated film");
    place += static_cast<std::size_t>(child->size);
  }
  return place;
}

}  // namespace

Result<std::size_t> webm_end(ByteView bytes) {
  const auto head = element_at(bytes, 0);
  if (!head || head->id != kEbml || head->is_open || head->size > bytes.size() - head->header)
    return damaged("no head of a WebM");
  std::size_t place = head->header + static_cast<std::size_t>(head->size);
  std::optional<std::size_t> end;
  while (!end) {
    const auto element = element_at(bytes, place);
    if (!element || (element->id != kSegment && element->id != kVoid))
      return damaged("a WebM without a segment");
    place += element->header;
    if (element->id == kSegment && element->is_open) {
      end = TRY(open_end(bytes, place));
      continue;
    }
    if (element->size > bytes.size() - place) return damaged("a truncated film");
    place += static_cast<std::size_t>(element->size);
    if (element->id == kSegment) end = place;
  }
  if (const auto after = element_at(bytes, *end);
      after && (after->id == kEbml || after->id == kSegment))
    return damaged("several films in one file");
  return *end;
}

}  // namespace portcullis::decoder
