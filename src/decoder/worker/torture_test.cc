// Files that are damaged, that lie, and that are strange but right, through real, locked-in
// workers: each gives a clean picture or a clear refusal, and no worker dies of it. A library's way
// out of trouble may need a system call or memory that it needs nowhere else, so this is not done
// in the test's own process.
#include <atomic>
#include <random>
#include <thread>

#include "decoder/worker/apng.h"
#include "testing/decoding.h"
#include "testing/memory_file.h"
#include "testing/videos.h"

namespace portcullis::decoder {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using testing::animation;
using testing::avif;
using testing::deep;
using testing::drawing;
using testing::film;
using testing::gif;
using testing::grey_of;
using testing::joined;
using testing::jpeg;
using testing::jxl;
using testing::kSecret;
using testing::landscape;
using testing::option;
using testing::png;
using testing::png_chunk;
using testing::put;
using testing::put_number;
using testing::webp;
using vips::VImage;

struct File {
  std::string name;
  Bytes bytes;
};
using Files = std::vector<File>;

enum class Must : std::uint8_t { be_taken, be_refused, be_either };

const Limits kLimits{4'000, 4'000, 4'000'000, 20'000'000, 900};

class TortureTest : public testing::WorkerTest {
 protected:
  static void SetUpTestSuite() {
    testing::WorkerTest::SetUpTestSuite();
    Options options;
    options.program = std::filesystem::path(PORTCULLIS_BINARY_DIR) / "portcullis-decoder";
    options.workers = kWorkers;
    options.timeout = std::chrono::minutes(2);
    pool() = Pool::create(options, clock());
    ASSERT_EQ(pool()->health().problem, "");
  }
  static void TearDownTestSuite() { pool().reset(); }

  // Every file, on as many threads as there are workers.
  static void try_all(const Files& files, Must must, const Limits& limits = kLimits,
                      std::string_view code = "") {
    std::atomic<std::size_t> next = 0;
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < kWorkers; ++i)
      threads.emplace_back([&] {
        for (std::size_t n = next++; n < files.size(); n = next++)
          try_one(files[n], must, limits, code);
      });
    threads.clear();
    EXPECT_EQ(pool()->health().died, 0u);
    EXPECT_EQ(pool()->health().timed_out, 0u);
  }

 private:
  static constexpr std::size_t kWorkers = 2;

  static const Clock& clock() {
    static const SystemClock clock;
    return clock;
  }
  static std::unique_ptr<Pool>& pool() {
    static std::unique_ptr<Pool> pool;
    return pool;
  }

  static Result<Decoded> decode(ByteView bytes, const Limits& limits) {
    const UniqueFd fd = testing::memory_file(bytes);
    Job job{.fd = fd.get(), .size = bytes.size(), .formats = 0x1FF};
    job.image = job.animation = job.video = limits;
    job.views = {{32, 32, 28, 28}};
    return pool()->decode(job, clock().steady() + std::chrono::minutes(5));
  }

  static void try_one(const File& file, Must must, const Limits& limits, std::string_view code) {
    const auto decoded = decode(file.bytes, limits);
    if (!decoded) {
      EXPECT_NE(must, Must::be_taken) << file.name << ": " << decoded.error().what;
      EXPECT_EQ(decoded.error().fault, Fault::client) << file.name << ": " << decoded.error().what;
      EXPECT_FALSE(decoded.error().code.empty()) << file.name;
      if (!code.empty()) EXPECT_EQ(decoded.error().code, code) << file.name;
      return;
    }
    EXPECT_NE(must, Must::be_refused) << file.name << " was taken";
    EXPECT_EQ(as_text(decoded->rendition.view()).find(kSecret), std::string_view::npos)
        << file.name;
    const auto stored = decode(decoded->rendition.view(), limits);
    ASSERT_TRUE(stored) << file.name << ", as it is stored: " << stored.error().what;
    EXPECT_EQ(stored->format, decoded->format) << file.name;
    EXPECT_EQ(stored->width, decoded->width) << file.name;
    EXPECT_EQ(stored->height, decoded->height) << file.name;
    EXPECT_EQ(stored->frames, decoded->made.frames) << file.name;
    expect_same_looks(*decoded, *stored, file.name);
  }

  // Whatever was screened is found in what is stored, and the other way round.
  static void expect_same_looks(const Decoded& a, const Decoded& b, const std::string& name) {
    constexpr int kSameLooks = 31;  // the radius at which lists match
    for (const auto& [from, to] : {std::pair(&a, &b), std::pair(&b, &a)})
      // Whole frames come first; the parts behind them depend on what counts as an edge.
      for (const hash::Dihedral& print :
           std::span(from->fingerprints)
               .first(std::min<std::size_t>(from->frames, from->fingerprints.size()))) {
        if (print.quality < hash::kMinQuality) continue;
        int nearest = 256;
        for (const hash::Dihedral& other : to->fingerprints)
          nearest = std::min(nearest, hash::distance(print.pdq[0], other.pdq[0]));
        EXPECT_LE(nearest, kSameLooks) << name << (from == &a ? "" : ", as it is stored");
      }
  }
};

VImage drawing_with_alpha() {
  return drawing(96, 64)
      .bandjoin(landscape(96, 64).extract_band(1))
      .copy(option()->set("interpretation", VIPS_INTERPRETATION_sRGB))
      .copy_memory();
}
VImage moving_drawing() {
  VImage strip = drawing(96, 64)
                     .join(drawing(96, 64).rot180(), VIPS_DIRECTION_VERTICAL)
                     .join(drawing(96, 64).invert(), VIPS_DIRECTION_VERTICAL)
                     .copy_memory()
                     .copy();
  strip.set(VIPS_META_PAGE_HEIGHT, 64);
  return strip;
}

// One of each kind, whole.
const Files& kinds() {
  static const Files files = [] {
    const VImage image = drawing(96, 64), clear = drawing_with_alpha(), moving = moving_drawing();
    const std::vector<VImage> frames(4, image);
    return Files{
        {"jpeg", jpeg(image)},
        {"progressive jpeg", jpeg(image, option()->set("interlace", true))},
        {"grey jpeg", jpeg(grey_of(image))},
        {"cmyk jpeg", jpeg(image.colourspace(VIPS_INTERPRETATION_CMYK))},
        {"png", png(image)},
        {"interlaced png with alpha", png(clear, option()->set("interlace", true))},
        {"palette png with alpha", png(clear, option()->set("palette", true))},
        {"16-bit png with alpha", png(deep(clear))},
        {"1-bit png", png(grey_of(image), option()->set("bitdepth", 1))},
        {"webp", webp(image)},
        {"webp with alpha", webp(clear)},
        {"lossless webp", webp(image, option()->set("lossless", true))},
        {"animated webp", webp(moving)},
        {"gif", gif(image)},
        {"animated gif", gif(moving)},
        {"avif", avif(image)},
        {"avif with alpha", avif(clear)},
        {"jxl", jxl(image)},
        {"16-bit jxl with alpha", jxl(deep(clear))},
        {"apng", encode_apng({moving, 96, 64, 3, {80, 80, 80}, 0, false})},
        {"mp4", film(frames, "libx264", "mp4")},
        {"webm", film(frames, "libvpx-vp9", "webm")},
    };
  }();
  return files;
}

TEST_F(TortureTest, whole_files_are_taken) { try_all(kinds(), Must::be_taken); }

TEST_F(TortureTest, no_beginning_of_a_file_is_taken_for_the_whole) {
  constexpr std::size_t kLastChunk = 12;
  Files files;
  for (const File& whole : kinds()) {
    if (whole.name == "webm") continue;  // may lose its index, see VideoTest
    // The last chunk of a PNG says nothing.
    const std::size_t needed =
        whole.bytes.size() - (whole.name.find("png") != std::string::npos ? kLastChunk : 0);
    for (std::size_t part = 1; part < 64; ++part)
      files.push_back({fmt::format("{} cut to {}/64", whole.name, part),
                       joined({ByteView(whole.bytes).first(needed * part / 64)})});
  }
  try_all(files, Must::be_refused);
}

TEST_F(TortureTest, flipped_bits_give_a_clean_picture_or_a_refusal) {
  constexpr int kFlips = 16;  // of each kind
  constexpr std::size_t kHeaders = 400;
  std::mt19937_64 chance(20'261'127);  // the same ones every time
  Files files;
  for (const File& whole : kinds())
    for (int i = 0; i < kFlips; ++i) {
      File file{fmt::format("{}, flip {}", whole.name, i), whole.bytes};
      // A half of them where the headers are; every tenth file has several.
      const std::size_t end =
          i % 2 == 0 ? file.bytes.size() : std::min(kHeaders, file.bytes.size());
      for (int bits = i % 10 == 9 ? 8 : 1; bits > 0; --bits)
        file.bytes[chance() % end] ^= static_cast<std::byte>(1 << chance() % 8);
      files.push_back(std::move(file));
    }
  try_all(files, Must::be_either);
}

// --- sizes that are not so ---

// `bytes` with `length` of them at `place` put to `value`, the highest first, or the lowest.
Bytes changed(Bytes bytes, std::size_t place, std::uint64_t value, unsigned length,
              bool is_little_endian = false) {
  for (unsigned i = 0; i < length; ++i)
    bytes.at(place + i) =
        static_cast<std::byte>(value >> 8 * (is_little_endian ? i : length - 1 - i));
  return bytes;
}
std::size_t place_of(const Bytes& bytes, std::string_view mark) {
  const std::size_t place = as_text(bytes).find(mark);
  PORTCULLIS_CHECK(place != std::string_view::npos);
  return place;
}
const Bytes& of_kind(std::string_view name) {
  const auto found = std::ranges::find(kinds(), name, &File::name);
  PORTCULLIS_CHECK(found != kinds().end());
  return found->bytes;
}
// A PNG whose header says something else, with a checksum that agrees.
Bytes with_header(const Bytes& png, std::size_t place, std::uint64_t value, unsigned length) {
  const Bytes lying = changed(png, 16 + place, value, length);
  return joined({ByteView(lying).first(8), png_chunk("IHDR", ByteView(lying).subspan(16, 13)),
                 ByteView(lying).subspan(33)});
}

TEST_F(TortureTest, sizes_that_lie_give_a_clean_picture_or_a_refusal) {
  Files files;
  for (const std::uint64_t size : {0ull, 1ull, 8ull, 48ull, 63ull, 65ull, 200ull, 4'000ull,
                                   65'535ull, 0x7FFFFFFFull, 0x80000000ull}) {
    const auto lie = [&](std::string_view what, Bytes bytes) {
      files.push_back({fmt::format("{} {}", what, size), std::move(bytes)});
    };
    for (const auto& [name, mark] :
         {std::pair{"jpeg"sv, "\xFF\xC0"sv}, {"progressive jpeg"sv, "\xFF\xC2"sv}}) {
      const Bytes& bytes = of_kind(name);
      const std::size_t frame = place_of(bytes, mark);
      lie("jpeg height", changed(bytes, frame + 5, size, 2));
      lie("jpeg width", changed(bytes, frame + 7, size, 2));
    }
    for (const char* name : {"png", "interlaced png with alpha", "apng"}) {
      lie(name + " width"s, with_header(of_kind(name), 0, size, 4));
      lie(name + " height"s, with_header(of_kind(name), 4, size, 4));
    }
    for (const char* name : {"gif", "animated gif"}) {
      const Bytes& bytes = of_kind(name);
      lie(name + " width"s, changed(bytes, 6, size, 2, true));
      lie(name + " height"s, changed(bytes, 8, size, 2, true));
      const std::size_t frame = as_text(bytes).find("\x2C\0\0\0\0\x60\0\x40\0"sv);
      ASSERT_NE(frame, std::string_view::npos);
      for (const std::size_t part : {1u, 3u, 5u, 7u})
        lie(fmt::format("{} frame {}", name, part), changed(bytes, frame + part, size, 2, true));
    }
    const Bytes& still = of_kind("webp");
    lie("webp width", changed(still, place_of(still, "\x9D\x01\x2A"sv) + 3, size, 2, true));
    lie("webp height", changed(still, place_of(still, "\x9D\x01\x2A"sv) + 5, size, 2, true));
    const Bytes& moving = of_kind("animated webp");
    lie("webp canvas", changed(moving, place_of(moving, "VP8X") + 12, size, 3, true));
    lie("webp frame", changed(moving, place_of(moving, "ANMF") + 14, size, 3, true));
    lie("webp frame's place", changed(moving, place_of(moving, "ANMF") + 8, size, 3, true));
    for (const char* name : {"avif", "avif with alpha"}) {
      const Bytes& bytes = of_kind(name);
      lie(name + " width"s, changed(bytes, place_of(bytes, "ispe") + 8, size, 4));
      lie(name + " height"s, changed(bytes, place_of(bytes, "ispe") + 12, size, 4));
    }
    const Bytes& apng = of_kind("apng");
    const std::size_t control = place_of(apng, "fcTL");
    lie("apng frame",
        joined({ByteView(apng).first(control - 4),
                png_chunk("fcTL",
                          ByteView(changed(apng, control + 8, size, 4)).subspan(control + 4, 26)),
                ByteView(apng).subspan(control + 34)}));
    const Bytes& mp4 = of_kind("mp4");
    lie("mp4 track width", changed(mp4, place_of(mp4, "tkhd") + 80, size, 2));
  }
  for (int depth = 0; depth < 17; ++depth)
    for (int colour = 0; colour < 8; ++colour)
      files.push_back(
          {fmt::format("png of {} bits and colours {}", depth, colour),
           with_header(of_kind("png"), 8, static_cast<unsigned>(depth << 8 | colour), 2)});
  // A JPEG XL's header is bits, so each in its turn.
  for (std::size_t bit = 16; bit < 160; ++bit) {
    Bytes bytes = of_kind("jxl");
    bytes.at(bit / 8) ^= static_cast<std::byte>(1 << bit % 8);
    files.push_back({fmt::format("jxl bit {}", bit), bytes});
  }
  try_all(files, Must::be_either);
}

// --- many frames ---

constexpr std::uint32_t kMany = 10'000;

Bytes gif_of_many() {
  Bytes bytes;
  put(bytes, "GIF89a\x01\0\x01\0\x80\0\0\xFF\xFF\xFF\0\0\0"sv);
  for (std::uint32_t i = 0; i < kMany; ++i)
    put(bytes, "\x21\xF9\x04\0\x02\0\0\0\x2C\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0"sv);
  put(bytes, ";");
  return bytes;
}
void put_riff(Bytes& into, std::string_view kind, ByteView content) {
  put(into, kind);
  for (const unsigned shift : {0U, 8U, 16U, 24U})
    into.push_back(static_cast<std::byte>(content.size() >> shift));
  put(into, content);
  if (content.size() % 2 != 0) into.push_back(std::byte{0});
}
Bytes webp_of_many() {
  const Bytes one = webp(landscape(16, 16), option()->set("lossless", true)->set("strip", true));
  const std::size_t place = place_of(one, "VP8L");
  Bytes frame, chunks, all;
  put(frame, "\0\0\0\0\0\0\x0F\0\0\x0F\0\0\x0A\0\0\0"sv);
  const auto length = std::to_integer<std::size_t>(one[place + 4]) |
                      std::to_integer<std::size_t>(one[place + 5]) << 8;
  put(frame, ByteView(one).subspan(place, 8 + length + length % 2));
  put(chunks, "WEBP"sv);
  put_riff(chunks, "VP8X", as_bytes("\x02\0\0\0\x0F\0\0\x0F\0\0"sv));
  put_riff(chunks, "ANIM", as_bytes("\0\0\0\0\0\0"sv));
  for (std::uint32_t i = 0; i < kMany; ++i) put_riff(chunks, "ANMF", frame);
  put_riff(all, "RIFF", chunks);
  return all;
}
Bytes apng_of_many() {
  VImage strip = VImage::black(1, static_cast<int>(kMany), option()->set("bands", 3))
                     .copy(option()->set("interpretation", VIPS_INTERPRETATION_sRGB))
                     .copy_memory();
  return encode_apng({strip, 1, 1, static_cast<int>(kMany), std::vector<int>(kMany, 20), 0, false});
}
TEST_F(TortureTest, ten_thousand_tiny_frames_are_counted_before_they_are_decoded) {
  Files files{{"gif", gif_of_many()}, {"webp", webp_of_many()}, {"apng", apng_of_many()}};
  Limits many = kLimits;
  many.max_frames = kMany;
  try_all(files, Must::be_taken, many);
  // Films of no more than it takes, since they must be encoded first.
  const std::vector<VImage> frames(kLimits.max_frames + 1, landscape(16, 16));
  files.push_back({"mp4", film(frames, "libx264", "mp4", 100)});
  files.push_back({"webm", film(frames, "libvpx", "webm", 100)});
  try_all(files, Must::be_refused, kLimits, "validate-frames");
}

// --- colour profiles ---

TEST_F(TortureTest, strange_colour_profiles_give_a_clean_picture_or_a_refusal) {
  const VImage image = drawing(96, 64);
  VipsBlob* blob = nullptr;
  ASSERT_EQ(vips_profile_load("srgb", &blob, nullptr), 0);
  const Bytes good = testing::bytes_of(blob);
  const auto sized = [](Bytes profile, std::size_t size) {
    profile.resize(size);
    return changed(std::move(profile), 0, size, 4);
  };
  Bytes in_itself = good, many_tags = changed(good, 128, 0xFFFFFFFF, 4), no_end = good;
  for (std::size_t tag = 0; tag < std::to_integer<std::size_t>(good[131]); ++tag)
    in_itself =
        changed(changed(in_itself, 132 + 12 * tag + 4, 0, 4), 132 + 12 * tag + 8, good.size(), 4);
  for (std::size_t tag = 0; tag < std::to_integer<std::size_t>(good[131]); ++tag)
    no_end = changed(no_end, 132 + 12 * tag + 8, 0xFFFFFFF0, 4);
  const File profiles[] = {
      {"empty", {std::byte{0}}},
      {"of text", joined({as_bytes(kSecret)})},
      {"that is cut", joined({ByteView(good).first(good.size() / 2)})},
      {"whose every tag is the profile itself", in_itself},
      {"of four billion tags", many_tags},
      {"whose tags have no end", no_end},
      {"in a profile", joined({ByteView(sized(good, good.size() * 2)).first(good.size()), good})},
      {"of a megabyte", sized(good, 1 << 20)},
      {"of ten megabytes", sized(good, 10 << 20)},
      {"of another device", changed(good, 12, 0x6C696E6B, 4)},
      {"of another space", changed(good, 16, 0x434D594B, 4)},
      {"of a space that is none", changed(good, 16, 0x41424344, 4)},
  };
  Files files;
  for (const File& profile : profiles) {
    VImage tagged = image.copy();
    tagged.set(VIPS_META_ICC_NAME, nullptr, const_cast<std::byte*>(profile.bytes.data()),
               profile.bytes.size());
    for (const auto& [format, encode] :
         {std::pair<const char*, Bytes (*)(const VImage&)>{"jpeg",
                                                           [](const VImage& i) { return jpeg(i); }},
          {"cmyk jpeg",
           [](const VImage& i) {
             const VImage cmyk = i.copy(option()->set("interpretation", VIPS_INTERPRETATION_CMYK));
             return jpeg(cmyk.bandjoin(255.0));
           }},
          {"png", [](const VImage& i) { return png(i); }},
          {"webp", [](const VImage& i) { return webp(i); }},
          // JPEG XL's encoder ends its process on some of these.
          {"avif", [](const VImage& i) { return avif(i); }}}) {
      try {
        files.push_back(
            {fmt::format("{} with a profile {}", format, profile.name), encode(tagged)});
      } catch (const vips::VError&) {
        vips_error_clear();  // a saver that will not write such a thing
      }
    }
  }
  EXPECT_GT(files.size(), 40u);
  // In parts that are missing, twice there, or more than there are.
  for (const auto& [number, count] :
       {std::pair{1, 2}, {2, 1}, {0, 0}, {255, 255}, {0, 1}, {1, 255}}) {
    Bytes part;
    put(part, "ICC_PROFILE\0"sv);
    put_number(part, static_cast<unsigned>(number << 8 | count), 2);
    put(part, good);
    Bytes bytes = testing::with_segment(of_kind("jpeg"), 0xE2, part);
    files.push_back({fmt::format("jpeg with part {} of {}", number, count), bytes});
    files.push_back({fmt::format("jpeg with part {} of {} twice", number, count),
                     testing::with_segment(bytes, 0xE2, part)});
  }
  for (const std::string_view content :
       {"icc\0\0not deflated"sv, "icc\0\1"sv, "icc"sv, "\0\0\x78\x9C"sv})
    files.push_back({fmt::format("png with {} bytes of a profile", content.size()),
                     testing::with_chunks(of_kind("png"), png_chunk("iCCP", as_bytes(content)))});
  try_all(files, Must::be_either);
}

// --- strange but right ---

TEST_F(TortureTest, every_kind_of_pixel_is_taken) {
  const VImage image = drawing(96, 64), grey = grey_of(image);
  const VImage grey_alpha = grey.bandjoin(image.extract_band(0)).copy_memory();
  Files files;
  for (const int bits : {1, 2, 4, 8}) {
    files.push_back(
        {fmt::format("grey png of {} bits", bits), png(grey, option()->set("bitdepth", bits))});
    files.push_back(
        {fmt::format("palette png of {} bits with alpha", bits),
         png(drawing_with_alpha(), option()->set("palette", true)->set("bitdepth", bits))});
    files.push_back(
        {fmt::format("interlaced palette png of {} bits", bits),
         png(image,
             option()->set("palette", true)->set("bitdepth", bits)->set("interlace", true))});
  }
  for (const int bits : {8, 12})
    files.push_back({fmt::format("avif of {} bits", bits),
                     avif(bits == 8 ? image : deep(image), option()->set("bitdepth", bits))});
  const VImage grey_deep = (grey.cast(VIPS_FORMAT_USHORT) * 257)
                               .cast(VIPS_FORMAT_USHORT)
                               .copy(option()->set("interpretation", VIPS_INTERPRETATION_GREY16));
  files.push_back({"grey png of 16 bits", png(grey_deep)});
  files.push_back({"grey png with alpha", png(grey_alpha)});
  files.push_back({"grey webp", webp(grey)});
  files.push_back({"grey gif", gif(grey)});
  files.push_back({"gif with alpha", gif(drawing_with_alpha())});
  files.push_back({"grey avif", avif(grey)});
  files.push_back({"grey jxl", jxl(grey)});
  files.push_back({"lossless jxl", jxl(image, option()->set("lossless", true))});
  files.push_back({"grey jpeg, progressive", jpeg(grey, option()->set("interlace", true))});
  files.push_back({"cmyk jpeg, progressive", jpeg(image.colourspace(VIPS_INTERPRETATION_CMYK),
                                                  option()->set("interlace", true))});
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 300}, {300, 1}, {3, 2}}) {
    const VImage small =
        landscape(32, 32).extract_area(0, 0, 1, 1).zoom(width, height).copy_memory();
    const auto name = [&](const char* format) {
      return fmt::format("{} of {} x {}", format, width, height);
    };
    files.push_back({name("jpeg"), jpeg(small)});
    files.push_back({name("png"), png(small)});
    files.push_back({name("webp"), webp(small)});
    files.push_back({name("gif"), gif(small)});
    files.push_back({name("avif"), avif(small)});
    files.push_back({name("jxl"), jxl(small)});
  }
  try_all(files, Must::be_taken);
}

TEST_F(TortureTest, a_turned_picture_is_stored_as_it_was_screened) {
  Files files;
  for (int orientation = 1; orientation <= 8; ++orientation) {
    VImage image = drawing(97, 61).copy();
    image.set(VIPS_META_ORIENTATION, orientation);
    const auto turned = [&](const char* format, Bytes bytes) {
      files.push_back({fmt::format("{} turned by {}", format, orientation), std::move(bytes)});
    };
    turned("jpeg", jpeg(image));
    turned("grey jpeg", jpeg(grey_of(image)));
    turned("progressive jpeg", jpeg(image, option()->set("interlace", true)));
    turned("png", png(image));
    turned("webp", webp(image));
    turned("avif", avif(image));
    turned("jxl", jxl(image));
  }
  try_all(files, Must::be_taken);
}

}  // namespace
}  // namespace portcullis::decoder
