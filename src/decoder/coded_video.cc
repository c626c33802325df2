#include "decoder/coded_video.h"

#include <algorithm>
#include <optional>

namespace portcullis::decoder {

namespace {

constexpr std::size_t kMaxSet = 1024;  // bytes; an SPS with all that it may say has some 300

unsigned at(ByteView bytes, std::size_t place) { return std::to_integer<unsigned>(bytes[place]); }

void put(Bytes& into, ByteView bytes) { into.insert(into.end(), bytes.begin(), bytes.end()); }
void put_number(Bytes& into, std::size_t number, std::size_t length) {
  for (std::size_t i = length; i-- > 0;) into.push_back(static_cast<std::byte>(number >> (8 * i)));
}

template <class... Args>
std::unexpected<Error> damaged(fmt::format_string<Args...> text, Args&&... args) {
  return fail_with(Fault::client, "command-failure", text, std::forward<Args>(args)...);
}

// Takes from the front; nothing if there is not enough.
class Reader {
 public:
  explicit Reader(ByteView bytes) : bytes_(bytes) {}
  std::optional<ByteView> take(std::size_t count) {
    if (count > bytes_.size()) return std::nullopt;
    const ByteView taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  std::optional<std::size_t> number(std::size_t length) {
    const auto taken = take(length);
    if (!taken) return std::nullopt;
    std::size_t value = 0;
    for (const std::byte byte : *taken) value = value << 8 | std::to_integer<std::size_t>(byte);
    return value;
  }
  // AV1's little-endian numbers of seven bits a byte.
  std::optional<std::size_t> leb128() {
    std::size_t value = 0;
    for (unsigned i = 0; i < 8; ++i) {
      const auto byte = number(1);
      if (!byte) return std::nullopt;
      value |= (*byte & 0x7F) << (7 * i);
      if ((*byte & 0x80) == 0) return value;
    }
    return std::nullopt;
  }
  std::size_t left() const { return bytes_.size(); }
  ByteView rest() { return std::exchange(bytes_, {}); }
  bool at_end() const { return bytes_.empty(); }

 private:
  ByteView bytes_;
};

void put_leb128(Bytes& into, std::size_t number) {
  for (; number >= 0x80; number >>= 7)
    into.push_back(static_cast<std::byte>((number & 0x7F) | 0x80));
  into.push_back(static_cast<std::byte>(number));
}

// A unit holds no sequence that would end it where start codes divide units.
bool is_one_unit(ByteView unit) {
  for (std::size_t i = 0; i + 2 < unit.size(); ++i)
    if (at(unit, i) == 0 && at(unit, i + 1) == 0 && at(unit, i + 2) <= 2) return false;
  return true;
}

ByteView without_trailing_zeros(ByteView unit) {
  while (!unit.empty() && unit.back() == std::byte{0}) unit = unit.first(unit.size() - 1);
  return unit;
}

constexpr unsigned kSlice = 1, kIdrSlice = 5, kSequenceSet = 7, kPictureSet = 8;  // of H.264

Result<std::vector<Bytes>> read_sets(Reader& reader, std::size_t count, unsigned type) {
  std::vector<Bytes> sets;
  for (std::size_t i = 0; i < count; ++i) {
    const auto size = reader.number(2);
    const auto taken = size ? reader.take(*size) : std::nullopt;
    if (!taken) return damaged("truncated parameter sets");
    const ByteView set = without_trailing_zeros(*taken);
    if (set.empty() || (at(set, 0) & 0x1F) != type || set.size() > kMaxSet || !is_one_unit(set))
      return damaged("a parameter set that is none");
    sets.emplace_back(set.begin(), set.end());
  }
  return sets;
}

// Of AV1.
constexpr std::size_t kSequenceHeader = 1, kFrameHeader = 3, kTileGroup = 4, kFrame = 6,
                      kRepeatedHeader = 7, kTileList = 8;

bool is_kept(std::size_t type) {
  return type == kSequenceHeader || type == kFrameHeader || type == kTileGroup || type == kFrame ||
         type == kRepeatedHeader;
}

// Every unit is given its size, which the last of a sample may lack.
Status clean_units(ByteView from, bool sequence_header_alone, Bytes& into) {
  for (Reader reader(from); !reader.at_end();) {
    const std::size_t header = reader.number(1).value_or(0);
    const std::size_t type = header >> 3 & 15;
    const bool is_extended = (header & 4) != 0, has_size = (header & 2) != 0;
    const auto extension = is_extended ? reader.number(1) : std::optional<std::size_t>(0);
    const auto size = has_size ? reader.leb128() : std::optional(reader.left());
    const auto unit = size ? reader.take(*size) : std::nullopt;
    if ((header & 0x80) != 0 || !extension || !unit) return damaged("a unit of AV1 that is none");
    if ((*extension >> 3 & 3) != 0 || type == kTileList)
      return damaged("AV1 with several layers or with lists of tiles");
    if (sequence_header_alone ? type != kSequenceHeader : !is_kept(type)) continue;
    into.push_back(static_cast<std::byte>(type << 3 | (is_extended ? 4U : 0U) | 2U));
    if (is_extended) into.push_back(static_cast<std::byte>(*extension));
    put_leb128(into, unit->size());
    put(into, *unit);
  }
  return {};
}

}  // namespace

Result<H264Sets> read_avcc(ByteView bytes) {
  Reader reader(bytes);
  const auto head = reader.take(6);
  if (!head || at(*head, 0) != 1) return damaged("no parameter sets of H.264");
  H264Sets sets;
  sets.length_size = (at(*head, 4) & 3) + 1;
  if (sets.length_size == 3) return damaged("lengths of three bytes");
  sets.sequence = TRY(read_sets(reader, at(*head, 5) & 0x1F, kSequenceSet));
  const auto pictures = reader.number(1);
  if (!pictures) return damaged("truncated parameter sets");
  sets.picture = TRY(read_sets(reader, *pictures, kPictureSet));
  if (sets.sequence.empty() || sets.picture.empty() || sets.sequence[0].size() < 4)
    return damaged("no parameter sets of H.264");
  return sets;
}

Bytes write_avcc(const H264Sets& sets) {
  Bytes bytes{std::byte{1}};
  put(bytes, ByteView(sets.sequence[0]).subspan(1, 3));  // profile, constraints, level
  bytes.push_back(std::byte{0xFC | 3});                  // lengths of four bytes
  bytes.push_back(static_cast<std::byte>(0xE0 | sets.sequence.size()));
  const auto put_sets = [&](const std::vector<Bytes>& all) {
    for (const Bytes& set : all) {
      put_number(bytes, set.size(), 2);
      put(bytes, set);
    }
  };
  put_sets(sets.sequence);
  bytes.push_back(static_cast<std::byte>(sets.picture.size()));
  put_sets(sets.picture);
  return bytes;
}

Result<Bytes> clean_h264(ByteView sample, const H264Sets& sets) {
  Bytes clean;
  for (Reader reader(sample); !reader.at_end();) {
    const auto size = reader.number(sets.length_size);
    const auto taken = size ? reader.take(*size) : std::nullopt;
    if (!taken) return damaged("a truncated unit of H.264");
    const ByteView unit = without_trailing_zeros(*taken);
    if (unit.empty()) continue;
    const unsigned type = at(unit, 0) & 0x1F;
    if (type == kSequenceSet || type == kPictureSet) {
      const auto& known = type == kSequenceSet ? sets.sequence : sets.picture;
      if (std::ranges::none_of(known, [&](const Bytes& s) { return std::ranges::equal(s, unit); }))
        return damaged("parameter sets that change");
      continue;
    }
    if (type != kSlice && type != kIdrSlice) {
      if (type >= 2 && type <= 4) return damaged("H.264 in partitions");
      continue;
    }
    if ((at(unit, 0) & 0x80) != 0 || !is_one_unit(unit))
      return damaged("a unit of H.264 that is none");
    put_number(clean, unit.size(), 4);
    put(clean, unit);
  }
  if (clean.empty()) return damaged("a sample without a picture");
  return clean;
}

Result<Bytes> clean_av1(ByteView unit) {
  Bytes clean;
  TRY(clean_units(unit, false, clean));
  if (clean.empty()) return damaged("a sample without a picture");
  return clean;
}

Result<Bytes> clean_av1c(ByteView bytes) {
  if (bytes.empty()) return Bytes{};
  if (bytes.size() < 4 || at(bytes, 0) != 0x81) return damaged("no configuration of AV1");
  Bytes clean(bytes.begin(), bytes.begin() + 4);
  TRY(clean_units(bytes.subspan(4), true, clean));
  if (clean.size() > kMaxSet) return damaged("no configuration of AV1");
  return clean;
}

// Number of headers less one, the sizes of all but the last in bytes that count until one is not
// 255, then the headers.
Result<Bytes> clean_vorbis_headers(ByteView bytes) {
  constexpr std::size_t kMaxSetup = 64 * 1024;
  Reader reader(bytes);
  if (reader.number(1) != 2) return damaged("no headers of Vorbis");
  std::size_t sizes[2] = {};
  for (std::size_t& size : sizes)
    for (std::size_t part = 255; part == 255; size += part) {
      const auto next = reader.number(1);
      if (!next) return damaged("truncated headers of Vorbis");
      part = *next;
    }
  const auto identification = reader.take(sizes[0]);
  if (!identification || identification->size() != 30 || !reader.take(sizes[1]))
    return damaged("truncated headers of Vorbis");
  const ByteView setup = reader.rest();
  if (setup.empty() || setup.size() > kMaxSetup) return damaged("no headers of Vorbis");
  using namespace std::string_view_literals;
  const ByteView no_comment = as_bytes("\x03vorbis\0\0\0\0\0\0\0\0\x01"sv);
  Bytes clean{std::byte{2}, std::byte{30}, static_cast<std::byte>(no_comment.size())};
  put(clean, *identification);
  put(clean, no_comment);
  put(clean, setup);
  return clean;
}

}  // namespace portcullis::decoder
