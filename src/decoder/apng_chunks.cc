#include "decoder/apng_chunks.h"

#include <algorithm>
#include <array>
#include <boost/crc.hpp>
#include <optional>

namespace portcullis::decoder {

namespace {

constexpr std::size_t kSignature = 8, kHeaderEnd = 33;

template <class... Args>
std::unexpected<Error> damaged(fmt::format_string<Args...> text, Args&&... args) {
  return fail_with(Fault::client, "command-failure", text, std::forward<Args>(args)...);
}

std::uint64_t number(ByteView bytes, std::size_t place, std::size_t length) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < length; ++i)
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[place + i]);
  return value;
}
std::uint32_t word(ByteView bytes, std::size_t place) {
  return static_cast<std::uint32_t>(number(bytes, place, 4));
}

struct Chunk {
  std::string_view kind;
  ByteView content, whole;
};
std::optional<Chunk> chunk_at(ByteView bytes, std::size_t place) {
  if (place > bytes.size() || bytes.size() - place < 12) return std::nullopt;
  const std::size_t length = word(bytes, place);
  if (length > bytes.size() - place - 12) return std::nullopt;
  return Chunk{as_text(bytes.subspan(place + 4, 4)), bytes.subspan(place + 8, length),
               bytes.subspan(place, length + 12)};
}

// A delay of 0 is as long as a program likes; browsers take anything so short for a tenth of a
// second, and so they do one millisecond.
int delay_of(ByteView control) {
  const std::uint64_t numerator = number(control, 20, 2), denominator = number(control, 22, 2);
  const std::uint64_t per_second = denominator == 0 ? 100 : denominator;
  return static_cast<int>(
      std::clamp<std::uint64_t>((numerator * 1000 + per_second / 2) / per_second, 1, 65'535));
}

Status check_region(ByteView control, const Apng& apng) {
  const std::uint64_t width = word(control, 4), height = word(control, 8), x = word(control, 12),
                      y = word(control, 16);
  if (width == 0 || height == 0 || x + width > apng.width || y + height > apng.height)
    return damaged("a frame beyond its picture");
  return {};
}

}  // namespace

Result<Apng> read_apng(ByteView bytes, std::uint32_t max_frames) {
  Apng apng;
  std::uint32_t announced = 0;
  bool is_announced = false, has_data = true, has_ended = false;
  const auto head = bytes.size() >= kSignature ? chunk_at(bytes, kSignature) : std::nullopt;
  if (!head || head->kind != "IHDR" || head->content.size() != 13)
    return damaged("no header of a PNG");
  apng.width = word(head->content, 0);
  apng.height = word(head->content, 4);
  const auto keep = [&](ByteView part) {
    apng.bytes.insert(apng.bytes.end(), part.begin(), part.end());
  };
  keep(bytes.first(kSignature));
  keep(head->whole);
  for (std::size_t place = kHeaderEnd; !has_ended;) {
    const auto chunk = chunk_at(bytes, place);
    if (!chunk) return damaged("a truncated PNG");
    place += chunk->whole.size();
    const std::string_view kind = chunk->kind;
    if (kind == "IHDR") return damaged("two headers in one PNG");
    if (kind == "acTL") {
      if (chunk->content.size() != 8 || is_announced) return damaged("a damaged animation");
      is_announced = true;
      announced = word(chunk->content, 0);
      apng.plays = word(chunk->content, 4);
    } else if (kind == "fcTL") {
      if (chunk->content.size() != 26 || !is_announced || !has_data)
        return damaged("a damaged animation");
      TRY(check_region(chunk->content, apng));
      if (apng.delays.size() == max_frames)
        return fail_with(Fault::client, "validate-frames", "more than {} frames", max_frames);
      apng.delays.push_back(delay_of(chunk->content));
      has_data = false;
    } else if (kind == "IDAT" || kind == "fdAT") {
      if (apng.delays.empty()) continue;  // for programs that know no animations
      has_data = true;
    } else if (kind == "IEND") {
      has_ended = true;
    } else if (kind != "PLTE" && kind != "tRNS") {
      continue;
    }
    keep(chunk->whole);
  }
  if (!has_data || apng.delays.empty() || apng.delays.size() != announced)
    return damaged("{} frames where {} are announced", apng.delays.size(), announced);
  return apng;
}

Bytes as_apng(ByteView png) {
  PORTCULLIS_CHECK(png.size() > kHeaderEnd);
  Bytes bytes(png.begin(), png.begin() + kHeaderEnd);
  const auto put = [&bytes](std::uint32_t value) {
    for (const unsigned shift : {24U, 16U, 8U, 0U})
      bytes.push_back(static_cast<std::byte>(value >> shift));
  };
  const auto put_chunk = [&](std::string_view kind, const auto& words, std::size_t length) {
    put(static_cast<std::uint32_t>(length));
    const std::size_t start = bytes.size();
    bytes.insert(bytes.end(), as_bytes(kind).begin(), as_bytes(kind).end());
    for (const std::uint32_t value : words) put(value);
    bytes.resize(start + 4 + length);
    boost::crc_32_type crc;
    crc.process_bytes(bytes.data() + start, bytes.size() - start);
    put(crc.checksum());
  };
  put_chunk("acTL", std::array<std::uint32_t, 2>{1, 0}, 8);
  // Number, width, height, place; then a delay of 1/10, and two zeros of one byte each.
  put_chunk("fcTL",
            std::array<std::uint32_t, 7>{0, word(png, 16), word(png, 20), 0, 0, 0x0001000A, 0}, 26);
  bytes.insert(bytes.end(), png.begin() + kHeaderEnd, png.end());
  return bytes;
}

}  // namespace portcullis::decoder
