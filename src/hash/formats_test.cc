#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hash/hash.h"

namespace portcullis::hash {
namespace {

using ::testing::HasSubstr;

const std::string kPdq = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa";
const std::string kSha256(64, 'a'), kSha1(40, 'b'), kMd5(32, 'c'), kMd52(32, 'd');

Result<ParsedList> read(std::string_view text, ListFormat format,
                        std::optional<Kind> kind = std::nullopt) {
  return parse_list(std::span(&text, 1), format, kind, "list");
}

TEST(Format, has_a_name) {
  for (const ListFormat format : {ListFormat::plain, ListFormat::csv, ListFormat::threatexchange,
                                  ListFormat::ncmec, ListFormat::stopncii})
    EXPECT_EQ(list_format_from(name(format)), format);
  for (const char* text : {"", "auto", "CSV", "json"}) EXPECT_FALSE(list_format_from(text)) << text;
}

TEST(Format, is_told_by_the_beginning_of_the_text) {
  const struct {
    std::string text;
    ListFormat format;
  } cases[] = {
      {"", ListFormat::plain},
      {"# only a comment\n", ListFormat::plain},
      {kMd5, ListFormat::plain},
      {"md5," + kMd5, ListFormat::plain},
      {"md5, " + kMd5 + "\n", ListFormat::plain},
      {"md5,nonsense", ListFormat::plain},
      {"# mine\ntype,hash,label,source,note\nmd5," + kMd5 + ",,,", ListFormat::csv},
      {"\xEF\xBB\xBFHash,Type\n", ListFormat::csv},
      {"pdq " + kPdq, ListFormat::threatexchange},
      {"{\"data\":[]}", ListFormat::threatexchange},
      {"\r\n [{\"type\":\"HASH_PDQ\"}]", ListFormat::threatexchange},
      {"{\"count\":0,\"hashRecords\":[]}", ListFormat::stopncii},
      {"signalType,hashValue,hashStatus\n", ListFormat::stopncii},
      {"<?xml version=\"1.0\"?><queryResult/>", ListFormat::ncmec},
      {"\xEF\xBB\xBF<queryResult/>", ListFormat::ncmec},
  };
  for (const auto& one : cases) EXPECT_EQ(detect_format(one.text), one.format) << one.text;
}

TEST(Csv, reads_columns_by_their_names) {
  const auto list =
      read("# from the club\nhash,Note,TYPE\n" + kMd5 + ",\"a, \"\"b\"\"\nc\",md5\n\n" + kPdq +
               " , ,pdq\n\"" + kSha256 + "\",x,\"sha256\"\r\n",
           ListFormat::csv);
  ASSERT_TRUE(list) << list.error().what;
  EXPECT_EQ(list->entries.md5, std::vector{Md5::from(kMd5).value()});
  EXPECT_EQ(list->entries.pdq, std::vector{pdq_from_hex(kPdq).value()});
  EXPECT_EQ(list->entries.sha256, std::vector{Sha256::from(kSha256).value()});
  const auto of_one_kind = read("hash\n" + kMd5, ListFormat::csv, Kind::md5);
  ASSERT_TRUE(of_one_kind) << of_one_kind.error().what;
  EXPECT_EQ(of_one_kind->entries.size(), 1u);
}

TEST(Csv, errors_name_the_line_where_the_row_begins) {
  const struct {
    std::string text, where, what;
  } cases[] = {
      {"a,b\n", "list:1: ", "`type` and `hash` among them"},
      {"hash,note\n" + kMd5 + ",", "list:1: ", "`type` and `hash`"},
      {"type,hash\nmd5\n", "list:2: ", "too few"},
      {"type,hash,note\nmd5," + kMd5 + ",\"two\nlines\"\ncrc32,00,\n", "list:4: ", "no type"},
      {"type,hash\n\nmd5," + kSha1, "list:3: ", "32 hexadecimal digits"},
      {"type,hash\nmd5,\"" + kMd5, "list:2: ", "a quote is opened"},
      {"type,hash\npdq," + std::string(64, 'f'), "list:2: ", "256 of the 256 bits"},
      {"type,hash\n" + std::string(100, ','), "list:2: ", "more than 64 columns"},
      {"type,hash,note\nmd5," + kMd5 + "," + std::string(70'000, 'x'), "list:2: ", "longer than"},
  };
  for (const auto& one : cases) {
    const auto list = read(one.text, ListFormat::csv);
    ASSERT_FALSE(list) << one.text;
    EXPECT_THAT(list.error().what, HasSubstr(one.where)) << one.text;
    EXPECT_THAT(list.error().what, HasSubstr(one.what)) << one.text;
  }
}

TEST(ThreatExchange, reads_updates_and_leaves_out_what_was_deleted) {
  const std::string text =
      R"({"data":[{"id":"1","type":"HASH_PDQ","indicator":")" + kPdq +
      R"(","should_delete":false,"tags":["media_type_photo"],"applications_with_opinions":[{"type":"x","indicator":"y"}]},
      {"indicator":")" +
      kMd5 + R"(","type":"HASH_MD5","last_updated":1600000000},
      {"indicator":")" +
      kMd52 + R"(","type":"HASH_VIDEO_MD5","should_delete":true},
      {"type":"HASH_TMK","indicator":"zz"},{"type":"HASH_PDQ_OCR","indicator":"zz"}],
      "paging":{"cursors":{"after":"QVF"},"next":"https://example.org/v1/threat_updates?after=QVF"}})";
  const auto list = read(text, ListFormat::threatexchange);
  ASSERT_TRUE(list) << list.error().what;
  EXPECT_EQ(list->entries.pdq, std::vector{pdq_from_hex(kPdq).value()});
  EXPECT_EQ(list->entries.md5, std::vector{Md5::from(kMd5).value()});
  EXPECT_EQ(list->withdrawn, 1u);
  EXPECT_EQ(list->foreign, 2u);
  EXPECT_EQ(next_page(text, ListFormat::threatexchange, "list").value(),
            "https://example.org/v1/threat_updates?after=QVF");
  EXPECT_EQ(next_page("{\"data\":[]}", ListFormat::threatexchange, "list").value(), "");
}

TEST(ThreatExchange, the_last_word_about_an_entry_counts_over_all_pages) {
  const auto record = [](const std::string& digest, bool deleted) {
    return fmt::format(R"({{"type":"HASH_MD5","indicator":"{}","should_delete":{}}})", digest,
                       deleted);
  };
  const std::string first = "[" + record(kMd5, false) + "," + record(kMd52, true) + "]";
  const std::string second =
      "[" + record(ascii_lower(kMd52), false) + "," + record(kMd5, true) + "]";
  const std::string_view pages[] = {first, second};
  const auto list = parse_list(pages, ListFormat::threatexchange, std::nullopt, "list");
  ASSERT_TRUE(list) << list.error().what;
  EXPECT_EQ(list->entries.md5, std::vector{Md5::from(kMd52).value()});
}

TEST(ThreatExchange, reads_lines_of_the_file_exchange) {
  const auto list =
      read("pdq " + kPdq + "\nvideo_md5 " + kMd5 + "\n\ntext some words\nurl http://x\n",
           ListFormat::threatexchange);
  ASSERT_TRUE(list) << list.error().what;
  EXPECT_EQ(list->entries.size(), 2u);
  EXPECT_EQ(list->foreign, 2u);
}

TEST(ThreatExchange, what_is_no_json_is_an_error) {
  for (const std::string text : {"{\"data\":[", "{\"data\":[]} x", "[1,]", "{'data':[]}",
                                 "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["})
    EXPECT_FALSE(read(text, ListFormat::threatexchange)) << text;
  EXPECT_TRUE(read("{\"data\":[1,null,[]],\"other\":{}}", ListFormat::threatexchange));
}

TEST(StopNcii, reads_both_forms_and_leaves_out_what_was_withdrawn) {
  const std::string json =
      R"({"count":4,"nextPageToken":"t2","hasMoreRecords":true,"hashRecords":[
      {"signalType":"ImagePDQ","hashValue":")" +
      kPdq + R"(","hashStatus":"Active","caseNumbers":["1"],
       "CSPFeedbacks":[{"feedbackValue":"None","tags":[],"source":"x"}]},
      {"signalType":"VideoMD5","hashValue":")" +
      kMd5 + R"(","hashStatus":"Received"},
      {"signalType":"VideoMD5","hashValue":")" +
      kMd52 + R"(","hashStatus":"Withdrawn"},
      {"signalType":"Text","hashValue":"words","hashStatus":"Active"}]})";
  const std::string csv = "signalType,hashValue,hashStatus,caseNumbers\nImagePDQ," + kPdq +
                          ",Active,1\nVideoMD5," + kMd5 + ",Received,\nVideoMD5," + kMd52 +
                          ",Deleted,\nText,words,Active,\n";
  for (const std::string& text : {json, csv}) {
    const auto list = read(text, ListFormat::stopncii);
    ASSERT_TRUE(list) << list.error().what;
    EXPECT_EQ(list->entries.pdq.size(), 1u);
    EXPECT_EQ(list->entries.md5, std::vector{Md5::from(kMd5).value()});
    EXPECT_EQ(list->withdrawn, 1u);
    EXPECT_EQ(list->foreign, 1u);
  }
  EXPECT_EQ(next_page(json, ListFormat::stopncii, "list").value(), "t2");
  EXPECT_EQ(next_page(R"({"nextPageToken":"t","hasMoreRecords":false})", ListFormat::stopncii, "l")
                .value(),
            "");
  EXPECT_FALSE(read("signalType,hashValue\n", ListFormat::stopncii));
}

std::string query_result(const std::string& inside) {
  return R"(<?xml version="1.0" encoding="UTF-8"?>
<queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2">)" +
         inside + "</queryResult>";
}
std::string image(const std::string& member, const std::string& id, const std::string& prints) {
  return "<image><member id=\"" + member + "\">Example</member><id>" + id +
         "</id><classification>A1</classification><fingerprints>" + prints +
         "</fingerprints></image>";
}

TEST(Ncmec, reads_entries_and_leaves_out_those_that_were_deleted) {
  const std::string first = query_result(
      "<images count=\"3\" maxTimestamp=\"2026-01-01T00:00:00Z\">" +
      image("42", "a", "<md5>" + kMd5 + "</md5><sha1>" + kSha1 + "</sha1><pdna>x</pdna>") +
      image("42", "b", "<pdq>" + kPdq + "</pdq>") + image("43", "b", "<md5>" + kMd52 + "</md5>") +
      "</images><paging><next>/v2/entries?start=2001&amp;size=1000</next></paging>");
  const std::string second = query_result(
      "<videos><video><member id=\"1\"/><id>v</id><fingerprints><md5>" + std::string(32, 'e') +
      "</md5></fingerprints></video><deletedVideo><member id=\"43\"/><id>b</id></deletedVideo>"
      "</videos>");
  const std::string_view pages[] = {first, second};
  const auto list = parse_list(pages, ListFormat::ncmec, std::nullopt, "list");
  ASSERT_TRUE(list) << list.error().what;
  EXPECT_EQ(list->entries.md5.size(), 2u) << "member 43's entry b was deleted, member 42's was not";
  EXPECT_EQ(list->entries.sha1.size(), 1u);
  EXPECT_EQ(list->entries.pdq.size(), 1u);
  EXPECT_EQ(list->withdrawn, 1u);
  EXPECT_EQ(list->foreign, 1u);
  EXPECT_EQ(next_page(first, ListFormat::ncmec, "list").value(),
            "/v2/entries?start=2001&size=1000");
  EXPECT_EQ(next_page(second, ListFormat::ncmec, "list").value(), "");
}

TEST(Ncmec, refuses_what_is_something_else_or_hostile) {
  const struct {
    std::string text, what;
  } cases[] = {
      {"<html><body>Log in</body></html>", "begins with <html>"},
      {"<queryResult><images>", "no element found"},
      {"<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><queryResult>&b;</queryResult>",
       "document type"},
      {"<!DOCTYPE x SYSTEM \"file:///etc/passwd\"><queryResult/>", "document type"},
      {"<queryResult>&other;</queryResult>", "undefined entity"},
      {query_result([] {
         std::string deep;
         for (int i = 0; i < 100; ++i) deep += "<a>";
         return deep;
       }()),
       "nested too deeply"},
      {query_result("<images>" + std::string(100'000, 'x') + "</images>"), "one text is too long"},
      {"<queryResult a=\"" + std::string(3'000'000, 'x') + "\"/>", "longer than 1 MiB"},
  };
  for (const auto& one : cases) {
    const auto list = read(one.text, ListFormat::ncmec);
    ASSERT_FALSE(list) << one.what;
    EXPECT_THAT(list.error().what, HasSubstr(one.what));
    EXPECT_LT(list.error().what.size(), 500u);
  }
}

TEST(Feed, leaves_out_a_few_damaged_entries_and_says_so) {
  std::string records;
  for (int i = 0; i < 200; ++i) records += fmt::format("md5 {:032x}\n", i + 1);
  const auto one_bad = read(records + "pdq " + std::string(64, 'f'), ListFormat::threatexchange);
  ASSERT_TRUE(one_bad) << one_bad.error().what;
  EXPECT_EQ(one_bad->entries.size(), 200u);
  EXPECT_EQ(one_bad->damaged, 1u);
  EXPECT_THAT(one_bad->first_damaged, HasSubstr("list:201: 256 of the 256 bits"));
  const auto many_bad = read(records + "md5 x\nmd5 y\nmd5 z\n", ListFormat::threatexchange);
  ASSERT_FALSE(many_bad);
  EXPECT_THAT(many_bad.error().what, HasSubstr("3 of 203 entries are damaged"));
}

TEST(Feed, says_its_kinds_itself) {
  EXPECT_FALSE(read("{}", ListFormat::threatexchange, Kind::pdq));
}

}  // namespace
}  // namespace portcullis::hash
