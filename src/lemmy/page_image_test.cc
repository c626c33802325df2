#include "lemmy/lemmy.h"

#include <gtest/gtest.h>

namespace portcullis::lemmy {
namespace {

TEST(PageImage, is_what_the_page_names_as_its_own) {
  const struct {
    const char* name;
    std::string html;
    const char* image;
  } cases[] = {
      {"plain", R"(<head><meta property="og:image" content="https://a.example/x.png"></head>)",
       "https://a.example/x.png"},
      {"the other way round", R"(<META content='/x.png' PROPERTY='OG:IMAGE' />)", "/x.png"},
      {"without quotes", "<meta property=og:image content=/x.png>", "/x.png"},
      {"with spaces", "<meta\n property = \"og:image\"\tcontent = \"/x.png\" >", "/x.png"},
      {"by name", R"(<meta name="og:image" content="/x.png">)", "/x.png"},
      {"by its longer names", R"(<meta property="og:image:secure_url" content="/x.png">)",
       "/x.png"},
      {"the first that has one",
       R"(<meta property="og:image" content=""><meta property="og:image" content="/b.png">)",
       "/b.png"},
      {"with references", R"(<meta property="og:image" content="/x?a=1&amp;b=2&#38;c">)",
       "/x?a=1&b=2&c"},
      {"with a bracket in a value",
       R"(<meta name="d" content="a > b"><meta property="og:image" content="/x.png">)", "/x.png"},
      {"its width is no address", R"(<meta property="og:image:width" content="640">)", ""},
      {"in a comment", R"(<!-- <meta property="og:image" content="/x.png"> -->)", ""},
      {"in a script", R"(<script>'<meta property="og:image" content="/x.png">'</script>)", ""},
      {"behind a script",
       R"(<script>if (a<b) "</b>"</script><meta property="og:image" content="/x.png">)", "/x.png"},
      {"in another attribute", R"(<meta data-x="property=og:image" content="/x.png">)", ""},
      {"of another element", R"(<link property="og:image" content="/x.png">)", ""},
      {"without an end", R"(<meta property="og:image" content="/x.png")", ""},
      {"none", "<html><body>Hello</body></html>", ""},
      {"empty", "", ""},
      {"too long an address",
       R"(<meta property="og:image" content=")" + std::string(3'000, 'x') + R"(">)", ""},
      {"too late in the page",
       std::string(kPageBytes, ' ') + R"(<meta property="og:image" content="/x.png">)", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(page_image(c.html), c.image) << c.name;
}

TEST(ActivityImage, is_the_image_s_url) {
  const struct {
    const char* json;
    const char* image;
  } cases[] = {
      {R"({"type":"Page","image":{"type":"Image","url":"https://a.example/x.png"}})",
       "https://a.example/x.png"},
      {R"({"image":null})", ""},
      {R"({"image":"https://a.example/x.png"})", ""},
      {R"({"image":{"url":1}})", ""},
      {R"([{"image":{"url":"x"}}])", ""},
      {"<html>", ""},
      {"", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(activity_image(c.json), c.image) << c.json;
}

}  // namespace
}  // namespace portcullis::lemmy
