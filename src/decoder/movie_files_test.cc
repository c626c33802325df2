#include "decoder/movie_files.h"

#include <gtest/gtest.h>

namespace portcullis::decoder {
namespace {

using namespace std::string_view_literals;

std::string number(std::uint64_t value, std::size_t length) {
  std::string text;
  for (std::size_t i = length; i-- > 0;) text += static_cast<char>(value >> (8 * i));
  return text;
}
std::string box(std::string_view kind, std::string content) {
  return number(content.size() + 8, 4) + std::string(kind) + content;
}

struct Track {
  std::string_view handler = "vide";
  std::uint64_t flags = 3, descriptions = 1, samples = 5, self_contained = 1;
  std::string more = {};
};
std::string track(const Track& of) {
  const std::string reference =
      box("dref", number(0, 4) + number(1, 4) + box("url ", number(of.self_contained, 4)));
  return box(
      "trak",
      box("tkhd", number(of.flags, 4) + std::string(80, '\0')) +
          box("edts", box("elst", number(0, 4) + number(1, 4) + number(700, 4) + number(20, 4) +
                                      number(0x10000, 4))) +
          box("mdia",
              box("mdhd", number(0, 12) + number(12'800, 4) + number(0, 8)) +
                  box("hdlr", number(0, 8) + std::string(of.handler) + std::string(12, '\0')) +
                  box("minf",
                      box("dinf", reference) +
                          box("stbl", box("stsd", number(0, 4) + number(of.descriptions, 4)) +
                                          box("stsz", number(0, 8) + number(of.samples, 4))))) +
          of.more);
}
const std::string kType = box("ftyp", "isom" + number(0, 4) + "isom"),
                  kData = box("mdat", "pictures"),
                  kHead = box("mvhd", number(0, 12) + number(1'000, 4) + number(0, 80));
std::string movie(const std::string& tracks) { return box("moov", kHead + tracks); }

TEST(Mp4Outline, says_what_the_boxes_say) {
  const std::string film = kType + kData + movie(track({}) + track({.handler = "soun"}));
  const auto outline = read_mp4_outline(as_bytes(film + "garbage that is no box"), 5);
  ASSERT_TRUE(outline) << outline.error().what;
  EXPECT_EQ(outline->end, film.size());
  EXPECT_EQ(outline->movie_size, film.size() - kType.size() - kData.size());
  EXPECT_EQ(outline->time_scale, 1'000u);
  EXPECT_EQ(outline->track_time_scale, 12'800u);
  ASSERT_EQ(outline->edits.size(), 1u);
  EXPECT_EQ(outline->edits[0].duration, 700u);
  EXPECT_EQ(outline->edits[0].start, 20);
}

TEST(Mp4Outline, is_refused_where_a_file_says_several_things_or_too_many) {
  std::string nested = "x";
  for (int i = 0; i < 40; ++i) nested = box("trak", nested);
  const struct {
    const char* name;
    std::string film;
    const char* code;  // empty: taken
  } cases[] = {
      {"a film", kType + movie(track({})) + kData, ""},
      {"in pieces",
       kType + movie(track({.samples = 0})) +
           box("moof", box("traf", box("trun", number(0, 4) + number(5, 4)))) + kData,
       ""},
      {"no header", kType + kData, "command-failure"},
      {"two headers", kType + movie(track({})) + movie(track({})), "command-failure"},
      {"two types", kType + kType + movie(track({})), "command-failure"},
      {"two tracks", kType + movie(track({}) + track({})), "command-failure"},
      {"sound alone", kType + movie(track({.handler = "soun"})), "command-failure"},
      {"switched off", kType + movie(track({.flags = 2})), "command-failure"},
      {"two descriptions", kType + movie(track({.descriptions = 2})), "command-failure"},
      {"in another file", kType + movie(track({.self_contained = 0})), "command-failure"},
      {"too many frames", kType + movie(track({.samples = 6})), "validate-frames"},
      {"a table that only counts",
       kType + movie(track({.handler = "soun", .samples = 0xFFFFFFFF}) + track({})),
       "command-failure"},
      {"a piece that only counts",
       kType + movie(track({})) +
           box("moof", box("traf", box("trun", number(0, 4) + number(0xFFFFFFFF, 4)))),
       "command-failure"},
      {"a compressed header", kType + box("moov", box("cmov", "x")), "command-failure"},
      {"two edit lists", kType + movie(track({.more = box("edts", box("elst", number(0, 8)))})),
       "command-failure"},
      {"an edit list longer than its box",
       kType + movie(track({.more = box("elst", number(0, 4) + number(9, 4))})), "command-failure"},
      {"boxes in boxes", kType + box("moov", nested), "command-failure"},
      {"a box larger than its parent", kType + box("moov", number(99, 4) + "trak"),
       "command-failure"},
      {"empty", "", "command-failure"},
  };
  for (const auto& c : cases) {
    const auto outline = read_mp4_outline(as_bytes(c.film), 5);
    EXPECT_EQ(outline ? "" : outline.error().code, c.code) << c.name;
  }
}

TEST(WebmEnd, is_where_the_one_segment_ends) {
  const std::string head = "\x1A\x45\xDF\xA3\x87\x42\x82\x84webm", segment = "\x18\x53\x80\x67",
                    cluster = "\x1F\x43\xB6\x75", open = "\x01\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
                    empty = "\xEC\x82xx";
  const struct {
    const char* name;
    std::string film;
    std::optional<std::size_t> want;
  } cases[] = {
      {"a segment", head + segment + "\x84" + empty, 21},
      {"garbage behind it", head + segment + "\x84" + empty + "garbage", 21},
      {"a gap before it", head + empty + segment + "\x84" + empty, 25},
      {"a segment without a size", head + segment + open + empty + cluster + open + empty, 44},
      {"cluster with a size", head + segment + open + cluster + "\x84" + empty, 33},
      {"truncated", head + segment + "\x85" + empty, std::nullopt},
      {"truncated cluster", head + segment + open + cluster + "\x85" + empty, std::nullopt},
      {"another film behind it", head + segment + "\x84" + empty + head, std::nullopt},
      {"another segment behind it", head + segment + "\x84" + empty + segment + "\x80",
       std::nullopt},
      {"another film inside", head + segment + open + empty + head, std::nullopt},
      {"no segment", head, std::nullopt},
      {"something else", head + "\xA0\x80", std::nullopt},
      {"empty", "", std::nullopt},
  };
  for (const auto& c : cases) {
    const auto end = webm_end(as_bytes(c.film));
    EXPECT_EQ(end ? std::optional(*end) : std::nullopt, c.want) << c.name;
  }
}

}  // namespace
}  // namespace portcullis::decoder
