#include "services/replies.h"

#include <gmock/gmock.h>

namespace portcullis::services {
namespace {

using ::testing::HasSubstr;

// "match csam,other", "no match", "unanswered", "not this picture".
std::string told(const Result<Finding>& found) {
  if (!found) return found.error().fault == Fault::client ? "not this picture" : "unanswered";
  if (!found->match) return found->labels.empty() && found->detail.empty() ? "no match" : "?";
  std::string text = found->exact ? "exact match" : "match";
  if (!found->labels.empty()) text += fmt::format(" {}", fmt::join(found->labels, ","));
  return text;
}

struct Row {
  const char* json;
  const char* told;
};

// What no reply of any service may be.
constexpr const char* kNoReplies[] = {
    "",    "null",     "[]",      "3",      "\"{}\"",           "{",
    "{}x", "{\"a\":}", "{'a':1}", "\xff{}", "{\"a\":\"\xff\"}", "<html>busy</html>",
};

TEST(HmaLookup, is_a_match_when_a_bank_holds_an_entry) {
  const Row table[] = {
      {R"({})", "no match"},
      {R"({"A":[]})", "no match"},
      {R"({"A":[{"bank_content_id":1001,"distance":"4"}]})", "match A"},
      {R"({"A":[{"bank_content_id":1001,"distance":4}]})", "match A"},
      {R"({"A":[{"bank_content_id":1}],"B":[],"C":[{"bank_content_id":2},{"bank_content_id":3}]})",
       "match A,C"},
      {R"({"A":[{"bank_content_id":1,"more":{}}]})", "match A"},
      {R"({"A":[{"distance":"4"}]})", "unanswered"},
      {R"({"A":[1001]})", "unanswered"},  // raw_lookup's shape
      {R"({"matches":[123,456]})", "unanswered"},
      {R"({"pdq":{"A":[{"bank_content_id":1}]}})", "unanswered"},  // of a look-up by URL
      {R"({"message":"index not yet ready"})", "unanswered"},
      {R"({"A":null})", "unanswered"},
  };
  for (const Row& row : table) EXPECT_EQ(told(read_hma_lookup(row.json)), row.told) << row.json;
  for (const char* text : kNoReplies) EXPECT_EQ(told(read_hma_lookup(text)), "unanswered") << text;
}

TEST(HmaLookup, says_where_for_a_moderator_within_bounds) {
  EXPECT_EQ(read_hma_lookup(R"({"A":[{"bank_content_id":1001,"distance":"4"}]})")->detail,
            "in bank A at distance 4");
  const std::string long_name(100'000, 'x');
  const auto found = read_hma_lookup("{\"" + long_name + "\\n\":[{\"bank_content_id\":1}]}");
  EXPECT_EQ(told(found), "match " + long_name + "\n");
  EXPECT_LT(found->detail.size(), 400u);
  EXPECT_EQ(read_hma_lookup("{\"a\\u0007b\":[{\"bank_content_id\":1}]}")->detail, "in bank a?b");
}

TEST(ArachnidPdq, answers_each_hash_or_none) {
  const Row table[] = {
      {R"({"scanned_hashes":{"a":null,"b":null}})", "no match"},
      {R"({"scanned_hashes":{"a":{"classification":"no-known-match","match_type":null,
          "near_match_details":null},"b":{"classification":null,"match_type":null}}})",
       "no match"},
      {R"({"scanned_hashes":{"a":null,"b":{"classification":"csam","match_type":"near",
          "near_match_details":{"timestamp":0.0,"classification":"csam"}}}})",
       "match csam"},
      {R"({"scanned_hashes":{"a":{"classification":"harmful-abusive-material","match_type":"near"},
          "b":{"classification":"csam","match_type":"near"}}})",
       "match csam,harmful-abusive-material"},
      {R"({"scanned_hashes":{"a":{"classification":"csam","match_type":null},"b":null}})",
       "match csam"},
      {R"({"scanned_hashes":{"a":{"classification":"csam","match_type":"exact"},"b":null}})",
       "match csam"},
      {R"({"scanned_hashes":{"a":{"classification":"something-new","match_type":"new"},"b":null}})",
       "match other"},
      {R"({"scanned_hashes":{"a":{"classification":"","match_type":null},"b":null}})",
       "match other"},
      {R"({"scanned_hashes":{"a":{"classification":"no-known-match","match_type":null,
          "near_match_details":{"classification":"csam"}},"b":null}})",
       "match csam"},
      {R"({"scanned_hashes":{"a":null}})", "unanswered"},  // one is missing
      {R"({"scanned_hashes":{}})", "unanswered"},
      {R"({})", "unanswered"},
      {R"({"scanned_hashes":[]})", "unanswered"},
      {R"({"scanned_hashes":{"a":"csam","b":null}})", "unanswered"},
      {R"({"scanned_hashes":{"a":{},"b":null}})", "unanswered"},
      {R"({"scanned_hashes":{"a":{"match_type":"near"},"b":null}})", "unanswered"},
      {R"({"scanned_hashes":{"a":{"classification":5,"match_type":null},"b":null}})", "unanswered"},
      {R"({"scanned_hashes":{"a":{"classification":null,"match_type":"near"},"b":null}})",
       "unanswered"},
      {R"({"scanned_hashes":{"a":{"classification":"csam","match_type":"near",
          "near_match_details":[3]},"b":null}})",
       "unanswered"},
      {R"({"detail":"Not allowed"})", "unanswered"},
  };
  for (const Row& row : table)
    EXPECT_EQ(told(read_arachnid_pdq(row.json, {"a", "b"})), row.told) << row.json;
  for (const char* text : kNoReplies)
    EXPECT_EQ(told(read_arachnid_pdq(text, {"a"})), "unanswered") << text;
}

TEST(ArachnidMedia, takes_the_worst_that_is_said) {
  const Row table[] = {
      {R"({"classification":"no-known-match","match_type":null,"near_match_details":[]})",
       "no match"},
      {R"({"classification":null,"match_type":null,"near_match_details":null})", "no match"},
      {R"({"classification":"csam","match_type":"exact","near_match_details":[]})",
       "exact match csam"},
      {R"({"classification":"csam","match_type":"near"})", "match csam"},
      {R"({"is_match":false,"classification":"csam","match_type":"near"})", "match csam"},
      {R"({"classification":"csam","match_type":"near","near_match_details":[
          {"timestamp":0.5,"classification":"harmful-abusive-material"},{"timestamp":1.0}]})",
       "match csam,harmful-abusive-material"},
      {R"({"classification":"test","match_type":"exact"})", "exact match other"},
      {R"({"classification":"no-known-match","match_type":"exact"})", "unanswered"},
      {R"({"match_type":null})", "unanswered"},
      {R"({"classification":"no-known-match"})", "unanswered"},
      {R"({"classification":false,"match_type":null})", "unanswered"},
      {R"({"detail":"oops"})", "unanswered"},
      {R"({})", "unanswered"},
  };
  for (const Row& row : table) EXPECT_EQ(told(read_arachnid_media(row.json)), row.told) << row.json;
  for (const char* text : kNoReplies)
    EXPECT_EQ(told(read_arachnid_media(text)), "unanswered") << text;
}

TEST(PhotoDnaMatch, is_an_answer_only_with_code_3000_and_a_boolean) {
  const Row table[] = {
      {R"({"Status":{"Code":3000,"Description":"OK","Exception":null},"IsMatch":false,
          "MatchDetails":null,"TrackingId":"WUS_"})",
       "no match"},
      {R"({"Status":{"Code":3000},"IsMatch":true})", "match"},
      {R"({"Status":{"Code":3000},"IsMatch":true,"MatchDetails":{"MatchFlags":[
          {"Source":"Test","Violations":["A1"],"MatchDistance":12}]}})",
       "match A1,test"},
      {R"({"Status":{"Code":3000},"IsMatch":true,"MatchDetails":{"MatchFlags":[
          {"Source":"NCMEC","Violations":["B2","Z9",4]},7,{"Violations":"A1"}]}})",
       "match B2"},
      {R"({"Status":{"Code":3000},"IsMatch":true,"MatchDetails":"none"})", "match"},
      {R"({"Status":{"Code":3206},"IsMatch":false})", "not this picture"},
      {R"({"Status":{"Code":3208},"IsMatch":false})", "not this picture"},
      {R"({"Status":{"Code":3002},"IsMatch":false})", "unanswered"},
      {R"({"Status":{"Code":3004},"IsMatch":true})", "unanswered"},
      {R"({"Status":{"Code":"3000"},"IsMatch":false})", "unanswered"},
      {R"({"Status":{"Code":3000.0},"IsMatch":false})", "unanswered"},
      {R"({"Status":{"Code":3000},"IsMatch":"false"})", "unanswered"},
      {R"({"Status":{"Code":3000},"IsMatch":null})", "unanswered"},
      {R"({"Status":{"Code":3000}})", "unanswered"},
      {R"({"Status":3000,"IsMatch":false})", "unanswered"},
      {R"({"IsMatch":false})", "unanswered"},
      {R"({"statusCode":401,"message":"Access denied"})", "unanswered"},
      {R"({})", "unanswered"},
  };
  for (const Row& row : table) EXPECT_EQ(told(read_photodna_match(row.json)), row.told) << row.json;
  for (const char* text : kNoReplies)
    EXPECT_EQ(told(read_photodna_match(text)), "unanswered") << text;
}

TEST(PhotoDnaMatch, says_who_knows_it) {
  const auto found = read_photodna_match(R"({"Status":{"Code":3000},"IsMatch":true,"MatchDetails":
      {"MatchFlags":[{"Source":"NCMEC","Violations":["A1"]},{"Source":"NCMEC"}]}})");
  EXPECT_EQ(found->detail, "NCMEC, A1");
}

TEST(Replies, that_are_nested_too_deep_are_not_followed) {
  const std::string deep(100'000, '[');
  for (const std::string& json : {deep, "{\"A\":" + deep, "{\"scanned_hashes\":" + deep})
    EXPECT_EQ(told(read_hma_lookup(json)), "unanswered");
}

}  // namespace
}  // namespace portcullis::services
