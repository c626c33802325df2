// What a picture may be, from its header alone.
#include <boost/crc.hpp>
#include <fstream>
#include <iterator>

#include "testing/decoding.h"

namespace portcullis::decoder {
namespace {

using testing::animation;
using testing::any_job;
using testing::code_of;
using testing::gif;
using testing::jpeg;
using testing::landscape;
using testing::png;
using testing::WorkerTest;
using vips::VImage;

TEST_F(WorkerTest, limits_are_those_of_the_picture_as_shown) {
  VImage image = landscape(300, 200).copy();
  image.set(VIPS_META_ORIENTATION, 6);
  WireJob job = any_job();
  job.image.max_width = 200;
  job.image.max_height = 300;
  EXPECT_EQ(code_of(jpeg(image), job), "");
  std::swap(job.image.max_width, job.image.max_height);
  EXPECT_EQ(code_of(jpeg(image), job), "validate-height");
}

TEST_F(WorkerTest, a_picture_beyond_the_memory_is_refused_by_its_header) {
  const Bytes still = png(landscape(2'000, 1'500)), moving = gif(animation(40, 400, 300));
  WireJob job = any_job();
  job.memory = 320ull << 20;
  EXPECT_EQ(code_of(still, job), "validate-area");
  EXPECT_EQ(code_of(moving, job), "validate-frames");
  job.memory = 0;
  EXPECT_EQ(code_of(still, job), "");
}

TEST_F(WorkerTest, limits_are_kept_from_the_header_alone) {
  WireJob job = any_job();
  const Bytes good = png(landscape(100, 50));
  const auto with = [&](auto change) {
    WireJob other = job;
    change(other);
    return other;
  };
  EXPECT_EQ(code_of(good, with([](WireJob& j) { j.image.max_width = 99; })), "validate-width");
  EXPECT_EQ(code_of(good, with([](WireJob& j) { j.image.max_height = 49; })), "validate-height");
  EXPECT_EQ(code_of(good, with([](WireJob& j) { j.image.max_area = 4'999; })), "validate-area");
  EXPECT_EQ(code_of(good, with([](WireJob& j) { j.image.max_file_size = 10; })),
            "validate-file-size");
  EXPECT_EQ(code_of(good, with([](WireJob& j) { j.formats = 1 << int(Format::jpeg); })),
            "media-disallowed");
  EXPECT_EQ(code_of({}), "validate-file-empty");
  const Bytes moving = gif(animation(5));
  EXPECT_EQ(code_of(moving), "");
  EXPECT_EQ(code_of(moving, with([](WireJob& j) { j.animation.max_frames = 4; })),
            "validate-frames");
  EXPECT_EQ(code_of(moving, with([](WireJob& j) { j.animation.max_width = 119; })),
            "validate-width");

  // 50,000 x 50,000 pixels are said and not there: nothing may be allocated for them.
  Bytes bomb = good;
  for (const std::size_t at : {16u, 20u})
    bomb[at] = bomb[at + 1] = std::byte{0}, bomb[at + 2] = std::byte{0xC3},
    bomb[at + 3] = std::byte{0x50};
  boost::crc_32_type checksum;
  checksum.process_bytes(bomb.data() + 12, 17);
  for (std::size_t i = 0; i < 4; ++i)
    bomb[29 + i] = static_cast<std::byte>(checksum.checksum() >> 8 * (3 - i));
  EXPECT_EQ(code_of(bomb), "validate-width");
}

TEST_F(WorkerTest, what_is_no_picture_of_a_known_format_is_not_taken) {
  const std::string_view cases[] = {"hello",
                                    "<svg xmlns='http://www.w3.org/2000/svg'/>",
                                    "%PDF-1.4",
                                    "BM\x36\0\0\0",
                                    "II*\0",
                                    "\xFF\xD8\xFF",
                                    "GIF89a",
                                    "\x89PNG\r\n\x1A\n",
                                    "RIFF\0\0\0\0WEBPVP8 "};
  for (const std::string_view bytes : cases)
    EXPECT_EQ(code_of(as_bytes(bytes)), "command-failure") << bytes;
}

// A seed of decode_fuzz, since the encoder for HEVC leaks.
TEST_F(WorkerTest, an_avif_of_hevc_is_none_of_the_known_formats) {
  std::ifstream file("fuzz/corpus/decode_fuzz/avif-hevc", std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const ByteView bytes = as_bytes(text);
  // libheif would open it.
  EXPECT_EQ(open_header(Format::avif, bytes).width(), 24);
  EXPECT_EQ(code_of(bytes), "command-failure");
}

}  // namespace
}  // namespace portcullis::decoder
