#include <gmock/gmock.h>

#include "pictrs/pictrs.h"

namespace portcullis::pictrs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kDigest(64, 'a');
// SHA-256, six bytes of size, one of format.
const std::string kHex = kDigest + "00000001000205";

TEST(FileKey, says_digest_size_and_format_in_hexadecimal_and_in_base64) {
  const auto from_hex = FileKey::from_hex(kHex);
  ASSERT_TRUE(from_hex);
  EXPECT_EQ(from_hex->sha256.hex(), kDigest);
  EXPECT_EQ(from_hex->size, 65'538u);
  EXPECT_EQ(from_hex->format, 5);
  std::string base64;
  for (int i = 0; i < 10; ++i) base64 += "qqqq";
  base64 += "qqoAAAABAAIF";
  EXPECT_EQ(FileKey::from_base64(base64), from_hex);
}

TEST(FileKey, is_nothing_else) {
  for (const std::string& text :
       {std::string(), kDigest, kHex + "00", kHex.substr(1), "x" + kHex.substr(1)})
    EXPECT_FALSE(FileKey::from_hex(text)) << text;
  for (const std::string& text :
       {std::string(), std::string(51, 'q'), std::string(53, 'q'), std::string(56, 'q'),
        std::string(51, 'q') + "=", std::string(51, 'q') + "-"})
    EXPECT_FALSE(FileKey::from_base64(text)) << text;
}

TEST(Page, has_the_entries_and_where_the_next_begins) {
  const auto page = parse_page(
      R"({"msg":"ok","page":{"limit":2,"current":"x","next":"qqo_-A","hashes":[
        {"hex":")" +
      kHex + R"(","aliases":["a.jpeg","b.jpeg"],"details":{"width":3,"height":4,"frames":null,
        "content_type":"image/jpeg","created_at":"2024-06-25T20:34:48.123456789Z","format":"Image",
        "blurhash":"x"}},
        {"hex":")" +
      kHex + R"(","aliases":[],"details":null}]}})");
  ASSERT_TRUE(page) << page.error().what;
  EXPECT_EQ(page->next, "qqo_-A");
  EXPECT_EQ(page->skipped, 0u);
  ASSERT_EQ(page->entries.size(), 2u);
  const Entry& first = page->entries[0];
  EXPECT_THAT(first.aliases, ElementsAre("a.jpeg", "b.jpeg"));
  ASSERT_TRUE(first.details);
  EXPECT_EQ(first.details->width, 3u);
  EXPECT_EQ(first.details->frames, std::nullopt);
  EXPECT_EQ(first.details->content_type, "image/jpeg");
  EXPECT_EQ(rfc3339(first.details->created.value()), "2024-06-25T20:34:48.123456Z");
  EXPECT_THAT(page->entries[1].aliases, IsEmpty());
  EXPECT_FALSE(page->entries[1].details);
}

TEST(Page, skips_and_counts_what_cannot_be_one_of_its_entries) {
  const auto page = parse_page(R"({"page":{"hashes":[7,{},{"hex":"beef"},{"hex":")" + kHex +
                               R"(","aliases":["../../etc/passwd","a/b","",".","ok.png",9]}]}})");
  ASSERT_TRUE(page) << page.error().what;
  ASSERT_EQ(page->entries.size(), 1u);
  EXPECT_THAT(page->entries[0].aliases, ElementsAre("ok.png"));
  EXPECT_EQ(page->skipped, 8u);
  EXPECT_EQ(page->next, "");
}

TEST(Replies, that_are_no_pict_rs_say_so) {
  for (const char* text : {"", "x", "[]", "{}", R"({"page":[]})", R"({"page":{"hashes":{}}})"}) {
    const auto page = parse_page(text);
    ASSERT_FALSE(page) << text;
    EXPECT_EQ(page.error().code, "pict-rs-failed") << text;
    EXPECT_FALSE(parse_details(text)) << text;
    EXPECT_FALSE(parse_aliases(text)) << text;
    EXPECT_FALSE(parse_identifier(text)) << text;
  }
  EXPECT_FALSE(parse_page(R"({"page":{"hashes":[],"next":")" + std::string(300, 'a') + R"("}})"));
  EXPECT_FALSE(parse_details(R"({"width":-1,"height":4,"content_type":"image/png"})"));
  EXPECT_FALSE(parse_details(R"({"width":1.5,"height":4,"content_type":"image/png"})"));
}

TEST(Identifier, leads_nowhere_but_below_the_folder) {
  for (const char* good : {"01/90/4b/0123456789ab.jpeg", "a", "with blank.png", "..a/b..", "a.b"})
    EXPECT_TRUE(is_identifier(good)) << good;
  for (const std::string& bad :
       {std::string(), std::string("/etc/passwd"), std::string("a/../b"), std::string(".."),
        std::string("a//b"), std::string("a/"), std::string("./a"), std::string("a\nb"),
        std::string("a\0b", 3), std::string(1'025, 'a')})
    EXPECT_FALSE(is_identifier(bad)) << bad;
  EXPECT_EQ(parse_identifier(R"({"msg":"ok","identifier":"01/90/x.jpeg"})").value(),
            "01/90/x.jpeg");
  EXPECT_FALSE(parse_identifier(R"({"msg":"ok","identifier":"../x.jpeg"})"));
}

}  // namespace
}  // namespace portcullis::pictrs
