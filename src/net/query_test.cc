#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/net.h"
#include "net/parameters.h"

namespace portcullis::net {
namespace {

using namespace std::string_literals;

TEST(PercentDecode, decodes_once_and_refuses_broken_escapes) {
  const struct {
    std::string_view text;
    std::optional<std::string> want;
  } cases[] = {
      {"", ""},       {"abc", "abc"},   {"a%20b", "a b"},  {"%41%7a%5A", "AzZ"},
      {"a+b", "a+b"}, {"%2541", "%41"}, {"%00", "\0"s},    {"%ff", "\xff"},
      {"%", {}},      {"a%2", {}},      {"%2g", {}},       {"%g2", {}},
      {"%%20", {}},   {"%+1", {}},      {"%\xc3\xa4", {}}, {"\xc3\xa4", "\xc3\xa4"},
  };
  for (const auto& c : cases) EXPECT_EQ(percent_decode(c.text), c.want) << c.text;
}

TEST(QueryValues, gives_the_decoded_values_in_order) {
  using Values = std::vector<std::string>;
  const struct {
    std::string_view query, key;
    Values want;
  } cases[] = {
      {"", "a", {}},
      {"a=1", "a", {"1"}},
      {"a=1&b=2&a=3", "a", {"1", "3"}},
      {"a=1&b=2", "c", {}},
      {"a", "a", {""}},
      {"a=", "a", {""}},
      {"&&a=1&&", "a", {"1"}},
      {"&&", "", {}},
      {"=1", "", {"1"}},
      {"a=b=c", "a", {"b=c"}},
      {"%61=%31+%26", "a", {"1+&"}},
      {"a=%zz&a=2", "a", {"2"}},
      {"%zz=1&a=2", "a", {"2"}},
      {"A=1", "a", {}},
      {"a=1;b=2", "a", {"1;b=2"}},
      {"src=x.jpg&thumbnail=256", "thumbnail", {"256"}},
  };
  for (const auto& c : cases) EXPECT_EQ(query_values(c.query, c.key), c.want) << c.query;
}

TEST(Parameters, reads_tokens_and_quoted_strings_and_refuses_doubt) {
  const struct {
    std::string_view text, name;
    std::optional<std::string_view> want;
  } cases[] = {
      {"form-data; name=a", "name", "a"},
      {"form-data;name=a;filename=b", "filename", "b"},
      {"form-data ; NAME=\"a b\" ; x=y;", "name", "a b"},
      {"form-data; name=\"a;b\\\"c\\\\d\"", "name", "a;b\"c\\d"},
      {R"(form-data; filename="C:\dir\file.jpg")", "filename", "C:\\dir\\file.jpg"},
      {"form-data; name=\"\"", "name", ""},
      {"form-data; name=\"a", "name", {}},
      {"form-data; name=a; name=b", "name", {}},
      {"form-data; name=a; Name=a", "name", {}},
      {"form-data; name=a b", "name", {}},
      {"form-data; name=\"a\"b", "name", {}},
      {"form-data; name =a", "name", {}},
      {"form-data; name= a", "name", {}},
      {"form-data; name=", "name", {}},
      {"form-data; name", "name", {}},
  };
  for (const auto& c : cases) {
    const auto parsed = parse_parameters(c.text);
    EXPECT_EQ(parsed ? parsed->find(c.name) : std::nullopt, c.want) << c.text;
  }
  EXPECT_EQ(parse_parameters("Text/Plain")->value, "Text/Plain");
}

}  // namespace
}  // namespace portcullis::net
