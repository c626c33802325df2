#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/net.h"

namespace portcullis::net {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

struct Part {
  std::string name;
  std::optional<std::string> filename;
  std::string content_type;
  std::string data;
  bool ended = false;
  bool operator==(const Part&) const = default;
};

struct Outcome {
  std::vector<Part> parts;
  std::optional<Fault> fault;
  bool operator==(const Outcome&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
  for (const Part& part : outcome.parts)
    out << part.name << "|" << part.filename.value_or("-") << "|" << part.content_type << "|"
        << part.data << "|" << part.ended << "\n";
  return out << "fault " << (outcome.fault ? static_cast<int>(*outcome.fault) : -1);
}

MultipartParser::Events recording_in(std::vector<Part>& parts) {
  return {
      .part_begin = [&](const PartHeader& header) -> Status {
        parts.push_back({header.name, header.filename, header.content_type, "", false});
        return {};
      },
      .part_data = [&](ByteView bytes) -> Status {
        parts.back().data += as_text(bytes);
        return {};
      },
      .part_end = [&]() -> Status {
        parts.back().ended = true;
        return {};
      },
  };
}

// Feeds the pieces between the cuts, then the end.
Outcome parse(std::string_view body, const std::vector<std::size_t>& cuts = {},
              MultipartLimits limits = {}) {
  Outcome outcome;
  auto parser = MultipartParser::create("multipart/form-data; boundary=b42", limits,
                                        recording_in(outcome.parts));
  PORTCULLIS_CHECK(parser);
  std::size_t from = 0;
  Status status;
  for (const std::size_t cut : cuts) {
    status = parser->feed(as_bytes(body.substr(from, cut - from)));
    from = cut;
  }
  status = parser->feed(as_bytes(body.substr(from)));
  if (status) status = parser->finish();
  if (!status) outcome.fault = status.error().fault;
  return outcome;
}

Outcome parse_byte_by_byte(std::string_view body) {
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < body.size(); ++i) cuts.push_back(i);
  return parse(body, cuts);
}

std::string part(std::string_view headers, std::string_view data) {
  return fmt::format("--b42\r\n{}\r\n\r\n{}\r\n", headers, data);
}
constexpr std::string_view kField = "Content-Disposition: form-data; name=\"f\"";

Outcome one(std::string data) { return {{{"f", {}, "", std::move(data), true}}, {}}; }

struct Case {
  std::string name;
  std::string body;
  Outcome want;
};

std::vector<Case> good_cases() {
  const std::string end = "--b42--\r\n";
  return {
      {"nothing but the end", end, {}},
      {"one field", part(kField, "abc") + end, one("abc")},
      {"no CR LF at the end", part(kField, "abc") + "--b42--", one("abc")},
      {"empty part", part(kField, "") + end, one("")},
      {"empty part without its own line", "--b42\r\n"s + std::string(kField) + "\r\n\r\n" + end,
       one("")},
      {"preamble and epilogue", "to be\r\nignored\r\n" + part(kField, "a") + end + "--b42\r\nmore",
       one("a")},
      {"padding after a boundary", "--b42 \t \r\n" + part(kField, "a").substr(7) + "--b42-- \t\r\n",
       one("a")},
      {"a file",
       part("Content-Disposition: form-data; name=\"images[]\"; filename=\"a.jpg\"\r\n"
            "content-type:  image/jpeg ",
            "\xff\xd8\r\n\r\n\xff\xd9") +
           end,
       {{{"images[]", "a.jpg", "image/jpeg", "\xff\xd8\r\n\r\n\xff\xd9", true}}, {}}},
      {"two parts",
       part(kField, "a") + part("Content-Disposition: form-data; name=g", "b") + end,
       {{{"f", {}, "", "a", true}, {"g", {}, "", "b", true}}, {}}},
      {"data like a boundary",
       part(kField, "\r\n--b4\r\n--\r\r\n-\n--b42\r--b42 --b42--\r\n-b42\r\n\r\n") + end,
       one("\r\n--b4\r\n--\r\r\n-\n--b42\r--b42 --b42--\r\n-b42\r\n\r\n")},
      {"data of CR alone", part(kField, "\r\r\r") + end, one("\r\r\r")},
      {"data with NUL", part(kField, "a\0b"sv) + end, one("a\0b"s)},
      {"nested multipart stays as it is",
       part("Content-Disposition: form-data; name=f\r\nContent-Type: multipart/mixed; boundary=in",
            "--in\r\n\r\nx\r\n--in--") +
           end,
       {{{"f", {}, "multipart/mixed; boundary=in", "--in\r\n\r\nx\r\n--in--", true}}, {}}},
  };
}

TEST(Multipart, gives_the_same_parts_however_the_body_is_cut) {
  for (const auto& c : good_cases()) {
    EXPECT_EQ(parse(c.body), c.want) << c.name;
    EXPECT_EQ(parse_byte_by_byte(c.body), c.want) << c.name;
    for (std::size_t cut = 0; cut <= c.body.size(); ++cut)
      EXPECT_EQ(parse(c.body, {cut}), c.want) << c.name << ", cut at " << cut;
  }
}

TEST(Multipart, three_pieces_around_the_boundary_are_one_boundary) {
  const std::string body = part(kField, "abc\r\n--b4") + "--b42--\r\n";
  for (std::size_t a = 0; a <= body.size(); ++a)
    for (std::size_t b = a; b <= body.size(); ++b)
      EXPECT_EQ(parse(body, {a, b}), one("abc\r\n--b4")) << a << " " << b;
}

TEST(Multipart, every_missing_end_is_an_error) {
  const std::string body = part(kField, "abc") + "--b42--";
  for (std::size_t size = 0; size < body.size(); ++size)
    EXPECT_EQ(parse(body.substr(0, size)).fault, Fault::client) << size;
}

TEST(Multipart, refuses_what_another_reader_could_take_differently) {
  const std::string end = "--b42--\r\n";
  const struct {
    std::string name, body;
  } cases[] = {
      {"empty body", ""},
      {"LF for CR LF everywhere", "--b42\nContent-Disposition: form-data; name=f\n\na\n--b42--\n"},
      {"LF after the boundary", "--b42\n" + part(kField, "a").substr(7) + end},
      {"LF between headers", part(std::string(kField) + "\nX: y", "a") + end},
      {"LF before the last boundary", "--b42\r\n" + std::string(kField) + "\r\n\r\na\n" + end},
      {"CR alone in a header", part(std::string(kField) + "\rX: y", "a") + end},
      {"boundary that goes on", part(kField, "a\r\n--b42x") + end},
      {"one dash after the boundary", part(kField, "a") + "--b42-\r\n"},
      {"letters after the end", part(kField, "a") + "--b42--x\r\n"},
      {"folded header", part("Content-Disposition: form-data;\r\n name=f", "a") + end},
      {"no headers", "--b42\r\n\r\na\r\n" + end},
      {"no disposition", part("Content-Type: image/png", "a") + end},
      {"two dispositions", part(std::string(kField) + "\r\n" + std::string(kField), "a") + end},
      {"two types",
       part(std::string(kField) + "\r\nContent-Type: a/b\r\nContent-Type: a/b", "") + end},
      {"another disposition", part("Content-Disposition: attachment; name=f", "a") + end},
      {"no name", part("Content-Disposition: form-data; filename=a", "a") + end},
      {"two names", part("Content-Disposition: form-data; name=a; name=b", "a") + end},
      {"open quote", part("Content-Disposition: form-data; name=\"a", "a") + end},
      {"NUL in the name", part("Content-Disposition: form-data; name=\"a\0b\""sv, "a") + end},
      {"NUL in a file name",
       part("Content-Disposition: form-data; name=a; filename=\"\0\""sv, "") + end},
      {"escape character in a name",
       part("Content-Disposition: form-data; name=\"\x1b\"", "") + end},
      {"space before the colon", part("Content-Disposition : form-data; name=f", "a") + end},
      {"encoded part",
       part(std::string(kField) + "\r\nContent-Transfer-Encoding: base64", "YQ==") + end},
      {"broken filename*",
       part("Content-Disposition: form-data; name=f; filename*=utf-8''%zz", "") + end},
      {"NUL in filename*",
       part("Content-Disposition: form-data; name=f; filename*=utf-8''%00", "") + end},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(parse(c.body).fault, Fault::client) << c.name;
    EXPECT_EQ(parse_byte_by_byte(c.body), parse(c.body)) << c.name;
  }
}

TEST(Multipart, gives_file_names_as_they_were_sent) {
  const struct {
    std::string_view parameters;
    std::optional<std::string> want;
  } cases[] = {
      {"", {}},
      {"; filename=\"\"", ""},
      {"; filename=a.jpg", "a.jpg"},
      {R"(; filename="a\"b.jpg")", "a\"b.jpg"},
      {"; filename=\"a%22b.jpg\"", "a%22b.jpg"},
      {"; filename=\"../../etc/passwd\"", "../../etc/passwd"},
      {R"(; filename="C:\temp\new.jpg")", "C:\\temp\\new.jpg"},
      {"; filename=\"\xd0\xba\xd0\xbe\xd1\x82.jpg\"", "\xd0\xba\xd0\xbe\xd1\x82.jpg"},
      {"; filename*=UTF-8''%D0%BA.jpg", "\xd0\xba.jpg"},
      {"; filename=a.jpg; filename*=UTF-8''b.jpg", "a.jpg"},
  };
  for (const auto& c : cases) {
    const auto got = parse(part(std::string(kField) + std::string(c.parameters), "") + "--b42--");
    ASSERT_EQ(got.parts.size(), 1u) << c.parameters;
    EXPECT_EQ(got.parts[0].filename, c.want) << c.parameters;
    EXPECT_EQ(got.fault, std::nullopt) << c.parameters;
  }
}

TEST(Multipart, bounds_a_parts_headers_wherever_they_are_cut) {
  const MultipartLimits limits{.max_header_bytes = 100, .max_parts = 100};
  // The header's length with its empty line is 4 more.
  const auto headers = [](std::size_t size) {
    return std::string(kField) + "\r\nX: " + std::string(size - kField.size() - 5, 'a');
  };
  EXPECT_EQ(parse(part(headers(96), "a") + "--b42--", {}, limits).fault, std::nullopt);
  for (const std::string& body :
       {part(headers(98), "a") + "--b42--", "--b42\r\n" + std::string(100'000, 'a')}) {
    EXPECT_EQ(parse(body, {}, limits).fault, Fault::limits);
    EXPECT_EQ(parse(body, {50, 51, 90, 105, 106}, limits).fault, Fault::limits);
  }
}

TEST(Multipart, bounds_the_number_of_parts) {
  const MultipartLimits limits{.max_header_bytes = 1000, .max_parts = 2};
  const std::string two = part(kField, "a") + part(kField, "b");
  EXPECT_EQ(parse(two + "--b42--", {}, limits).fault, std::nullopt);
  const Outcome three = parse(two + part(kField, "c") + "--b42--", {}, limits);
  EXPECT_EQ(three.fault, Fault::limits);
  EXPECT_EQ(three.parts.size(), 2u);
}

TEST(Multipart, an_error_of_a_callback_comes_back_and_stays) {
  int calls = 0;
  auto parser = MultipartParser::create("multipart/form-data; boundary=b42", {},
                                        {.part_begin = [&](const PartHeader&) -> Status {
                                           ++calls;
                                           return fail_with(Fault::limits, "spool-full", "no");
                                         },
                                         .part_data = [](ByteView) -> Status { return {}; },
                                         .part_end = []() -> Status { return {}; }});
  ASSERT_TRUE(parser);
  const std::string body = part(kField, "abc") + "--b42--";
  for (int i = 0; i < 2; ++i) {
    const Status status = parser->feed(as_bytes(body));
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, "spool-full");
  }
  EXPECT_FALSE(parser->finish());
  EXPECT_EQ(calls, 1);
}

TEST(Multipart, takes_the_boundary_from_the_content_type) {
  const auto accepts = [](std::string_view type) {
    std::vector<Part> parts;
    return MultipartParser::create(type, {}, recording_in(parts)).has_value();
  };
  for (const auto type :
       {"multipart/form-data; boundary=x", "Multipart/Form-Data;BOUNDARY=\"a b:c\"",
        "multipart/form-data; charset=utf-8; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW"})
    EXPECT_TRUE(accepts(type)) << type;
  const std::string long_boundary(71, 'a');
  for (const std::string& type : std::vector<std::string>{
           "", "multipart/form-data", "multipart/mixed; boundary=x", "image/png; boundary=x",
           "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"",
           "multipart/form-data; boundary=\"a \"", "multipart/form-data; boundary=\"a\\\"\"",
           "multipart/form-data; boundary=a; boundary=b", "multipart/form-data; boundary=a b",
           "multipart/form-data; boundary=" + long_boundary})
    EXPECT_FALSE(accepts(type)) << type;
}

}  // namespace
}  // namespace portcullis::net
