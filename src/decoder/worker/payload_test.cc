// Nothing of a file is stored but what was looked at.
#include "testing/decoding.h"
#include "testing/videos.h"

namespace portcullis::decoder {
namespace {

using testing::animation;
using testing::any_job;
using testing::avif;
using testing::gif;
using testing::holds;
using testing::joined;
using testing::jpeg;
using testing::jxl;
using testing::kSecret;
using testing::landscape;
using testing::opened;
using testing::png;
using testing::webp;
using testing::WorkerTest;
using namespace std::string_view_literals;
using testing::png_chunk;
using testing::put;
using testing::put_number;
using testing::with_chunks;
using testing::with_segment;
using vips::VImage;

TEST_F(WorkerTest, nothing_hidden_survives) {
  const VImage plain = landscape(200, 150);
  VImage noted = plain.copy();
  const std::string secret(kSecret);
  noted.set("png-comment-0-Comment", secret.c_str());
  noted.set("exif-ifd0-ImageDescription",
            (secret + " (" + secret + ", ASCII, 20 components, 20 bytes)").c_str());
  noted.set(VIPS_META_XMP_NAME, nullptr, const_cast<char*>(secret.data()), secret.size());
  noted.set(VIPS_META_IPTC_NAME, nullptr, const_cast<char*>(secret.data()), secret.size());
  VImage moving = animation(3).copy();
  moving.set("gif-comment", secret.c_str());
  const Bytes second = jpeg(landscape(64, 48));
  const struct {
    const char* name;
    Bytes bytes;
  } cases[] = {
      {"jpeg", jpeg(noted)}, {"png", png(noted)},           {"webp", webp(noted)},
      {"gif", gif(plain)},   {"animated gif", gif(moving)}, {"animated webp", webp(moving)},
      {"avif", avif(noted)}, {"jxl", jxl(noted)},
  };
  for (const auto& c : cases) {
    Bytes bytes = c.bytes;
    const ByteView tail = as_bytes(kSecret);
    bytes.insert(bytes.end(), tail.begin(), tail.end());      // after the end
    bytes.insert(bytes.end(), second.begin(), second.end());  // a second picture
    ASSERT_TRUE(holds(bytes, kSecret)) << c.name;
    const Done done = do_job(bytes, any_job());
    EXPECT_FALSE(holds(done.rendition.bytes, kSecret)) << c.name;
    EXPECT_FALSE(holds(done.rendition.bytes, "Exif")) << c.name;
    EXPECT_FALSE(holds(done.rendition.bytes, "http://ns.adobe.com/xap")) << c.name;
    EXPECT_EQ(as_text(done.rendition.bytes).rfind("\xFF\xD8\xFF"),
              c.bytes == cases[0].bytes ? 0u : std::string_view::npos)
        << c.name;
  }
}

TEST_F(WorkerTest, colour_under_full_transparency_is_gone) {
  VImage hidden =
      landscape(80, 60).bandjoin(VImage::black(80, 60).cast(VIPS_FORMAT_UCHAR)).copy_memory();
  hidden.draw_rect({200, 30, 30, 255}, 0, 0, 20, 20, VImage::option()->set("fill", true));
  hidden = hidden.copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
  for (const Bytes& bytes : {png(hidden), webp(hidden, VImage::option()->set("lossless", true))}) {
    const VImage after = opened(do_job(bytes, any_job()).rendition.bytes);
    ASSERT_EQ(after.bands(), 4);
    EXPECT_EQ(
        (after.extract_band(0, VImage::option()->set("n", 3)) * (after.extract_band(3) == 0.0))
            .max(),
        0);
    EXPECT_EQ(after(5, 5)[0], 200);
  }
}

// --- files that are two things at once ---

// The first bytes of every part of the hidden file are six in a row that no picture has by chance.
bool holds_a_part(const Bytes& bytes, std::string_view hidden) {
  constexpr std::size_t kPart = 6;
  for (std::size_t place = 0; place + kPart <= hidden.size(); ++place)
    if (holds(bytes, hidden.substr(place, kPart))) return true;
  return false;
}

// A ZIP of one file that is stored as it is; readers find it from its end.
Bytes zip() {
  constexpr std::string_view kName = "a.txt";
  Bytes common;  // no flags, stored, no time, no checksum; two lengths, the name's, and no more
  put(common, "\0\0\0\0\0\0\0\0\0\0\0\0"sv);
  for (int i = 0; i < 2; ++i) put(common, "\x13\0\0\0"sv);
  put(common, "\x05\0\0\0"sv);
  const Bytes local =
      joined({as_bytes("PK\3\4\x0A\0"sv), common, as_bytes(kName), as_bytes(kSecret)});
  const Bytes central = joined({as_bytes("PK\1\2\x0A\0\x0A\0"sv), common,
                                as_bytes("\0\0\0\0\0\0\0\0\0\0\0\0\0\0"sv), as_bytes(kName)});
  Bytes end;
  put(end, "PK\5\6\0\0\0\0\1\0\1\0"sv);
  for (const std::size_t size : {central.size(), local.size()})
    put(end, joined({as_bytes(std::string{static_cast<char>(size), 0, 0, 0})}));
  put(end, "\0\0"sv);
  return joined({local, central, end});
}

// A box of ISO base media and of JPEG XL.
Bytes box(std::string_view kind, ByteView content) {
  Bytes bytes;
  put_number(bytes, content.size() + 8);
  put(bytes, kind);
  put(bytes, content);
  return bytes;
}

Bytes with_bytes_at(const Bytes& bytes, std::size_t place, ByteView more) {
  return joined({ByteView(bytes).first(place), more, ByteView(bytes).subspan(place)});
}
std::size_t place_of(const Bytes& bytes, std::string_view mark) {
  const std::size_t place = as_text(bytes).find(mark);
  PORTCULLIS_CHECK(place != std::string_view::npos);
  return place;
}

// The first chunk of a kind with `more` at its end and a checksum that agrees.
Bytes with_longer_chunk(const Bytes& png, std::string_view kind, ByteView more) {
  const std::size_t place = place_of(png, kind) - 4;
  const std::size_t length = std::to_integer<std::size_t>(png[place + 2]) << 8 |
                             std::to_integer<std::size_t>(png[place + 3]);
  return joined({ByteView(png).first(place),
                 png_chunk(kind, joined({ByteView(png).subspan(place + 8, length), more})),
                 ByteView(png).subspan(place + 12 + length)});
}

// One pixel of two colours is all that browsers need of a GIF whose other bytes are a program. Its
// width spells the beginning of a comment.
Bytes gif_and_script() {
  Bytes bytes;
  put(bytes, "GIF89a/*\1\0\x80\0\0\xFF\xFF\xFF\0\0\0"sv);
  put(bytes, "\x2C\0\0\0\0\1\0\1\0\0\2\2\x44\1\0"sv);
  put(bytes, "\x21\xFE\x1A*/=1;/*"sv);
  put(bytes, kSecret);
  put(bytes, "\0;*/alert(1)"sv);
  return bytes;
}

TEST_F(WorkerTest, what_else_a_file_is_besides_a_picture_is_gone) {
  const VImage image = landscape(160, 120);
  const Bytes photo = jpeg(image), drawing = png(image), moving = gif(animation(3)),
              av1 = avif(image), secret = joined({as_bytes(kSecret)}),
              film = testing::film(std::vector(4, image), "libx264", "mp4"),
              web_film = testing::film(std::vector(4, image), "libvpx", "webm");
  const VImage few_colours = ((image / 64).rint() * 64).cast(VIPS_FORMAT_UCHAR);
  const Bytes palette =
      png(few_colours.copy_memory(), testing::option()->set("palette", true)->set("bitdepth", 8));
  Bytes tables{std::byte{3}};  // a fourth table of 64 divisors, which no component uses
  put(tables, secret);
  tables.resize(65, std::byte{1});
  Bytes codes{std::byte{0x13}};  // a fourth table of codes, of which 19 have eight bits
  codes.resize(17);
  codes[8] = std::byte{19};
  put(codes, secret);
  Bytes thumbnail;
  put(thumbnail, "JFIF\0\1\1\0\0\1\0\1\7\1"sv);  // 7 x 1 pixels
  put(thumbnail, secret);
  thumbnail.resize(14 + 21);
  Bytes text;
  put(text, "Comment\0<script>"sv);
  put(text, secret);
  put(text, "</script>"sv);
  Bytes unknown;
  put(unknown, "tRUE\x13\0\0\0"sv);
  put(unknown, secret);
  unknown.push_back(std::byte{0});
  Bytes lossless = webp(image, testing::option()->set("lossless", true));
  lossless = joined({lossless, unknown});
  lossless[4] = static_cast<std::byte>((lossless.size() - 8) & 0xFF);
  lossless[5] = static_cast<std::byte>((lossless.size() - 8) >> 8 & 0xFF);
  lossless[6] = static_cast<std::byte>((lossless.size() - 8) >> 16);
  Bytes block{std::byte{19}};
  put(block, secret);
  Bytes void_element{std::byte{0xEC}, std::byte{0x93}};
  put(void_element, secret);
  const Bytes signature =
      joined({as_bytes("\0\0\0\x0CJXL \r\n\x87\n"sv), box("ftyp", as_bytes("jxl \0\0\0\0jxl "sv))});

  const struct {
    const char* name;
    Bytes bytes;
    bool may_be_refused = false;
  } cases[] = {
      {"jpeg and zip", joined({photo, zip()})},
      {"jpeg with a zip in its comment", with_segment(photo, 0xFE, zip())},
      {"jpeg and html", with_segment(photo, 0xFE, text)},
      {"jpeg with bytes before its end", with_bytes_at(photo, photo.size() - 2, secret)},
      {"jpeg with bytes between segments", with_bytes_at(photo, 20, secret)},
      {"jpeg with divisors for nobody", with_segment(photo, 0xDB, tables)},
      {"jpeg with codes for nobody", with_segment(photo, 0xC4, codes)},
      {"jpeg with a second beginning", joined({photo, photo, secret})},
      {"jpeg with a thumbnail of JFIF", with_segment(photo, 0xE0, thumbnail)},
      {"png and zip", joined({drawing, zip()})},
      {"png and html", with_chunks(drawing, png_chunk("tEXt", text))},
      {"png with an unknown chunk", with_chunks(drawing, png_chunk("heXx", secret))},
      {"png with bytes after its pixels", with_longer_chunk(drawing, "IDAT", secret), true},
      {"png with colours for nobody",
       with_longer_chunk(palette, "PLTE", joined({secret, as_bytes("xx"sv)}))},
      {"gif and script", gif_and_script()},
      {"gif and zip", joined({moving, zip()})},
      {"gif with an application's block",
       with_bytes_at(moving, place_of(moving, "\x21\xF9"),
                     joined({as_bytes("\x21\xFF\x0BXMP DataXMP"sv), block, as_bytes("\0"sv)}))},
      {"gif with bytes after its pixels", with_bytes_at(moving, moving.size() - 2, block), true},
      {"webp with an unknown chunk", lossless},
      {"webp and zip", joined({webp(image), zip()})},
      {"avif with free space", joined({av1, box("free", secret)})},
      {"avif and zip", joined({av1, zip()})},
      {"jxl with notes", joined({signature, box("xml ", secret), box("jxlc", jxl(image))})},
      {"jxl with an unknown box",
       joined({signature, box("jxlc", jxl(image)), box("what", secret)})},
      {"mp4 with free space", joined({film, box("free", secret)})},
      {"mp4 and zip", joined({film, box("uuid", zip())})},
      {"webm with empty space", joined({web_film, void_element}), true},
  };
  WireJob job = any_job();
  job.image.max_width = 20'000;
  for (const auto& c : cases) {
    ASSERT_TRUE(holds(c.bytes, kSecret)) << c.name;
    try {
      const Done done = do_job(c.bytes, job);
      EXPECT_FALSE(holds_a_part(done.rendition.bytes, kSecret)) << c.name;
      for (const std::string_view sign : {"PK\3\4"sv, "PK\5\6"sv, "<script"sv, "alert(1)"sv})
        EXPECT_FALSE(holds(done.rendition.bytes, sign)) << c.name;
      EXPECT_EQ(testing::code_of(done.rendition.bytes, job), "") << c.name;
    } catch (const NotTaken& reason) {
      EXPECT_TRUE(c.may_be_refused) << c.name << ": " << reason.what;
    } catch (const vips::VError& error) {
      EXPECT_TRUE(c.may_be_refused) << c.name << ": " << error.what();
      vips_error_clear();
    }
  }
}

}  // namespace
}  // namespace portcullis::decoder
