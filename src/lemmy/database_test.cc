// Opening Lemmy's database, and what is said when it cannot be used.
#include <gmock/gmock.h>

#include "lemmy/lemmy_testing.h"

namespace portcullis::lemmy {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class LemmyDatabase : public ForEachGeneration {
 protected:
  void SetUp() override { make(RowMaker(GetParam())); }

  // What is said; empty when it opens after all.
  std::string said(const std::string& url, const Options& options) {
    const auto database = open(url, options);
    if (database) return "";
    EXPECT_FALSE(database.error().what.contains(testing::Postgres::kPassword))
        << database.error().what;
    return database.error().what;
  }
  std::string said(Use use, const std::string& user = "postgres") {
    return said(postgres_.url("lemmy", user), options_for(use));
  }
};

TEST_P(LemmyDatabase, one_that_cannot_be_reached_says_so_without_the_password) {
  const std::string password = testing::Postgres::kPassword;
  struct {
    std::string url;
    Fault fault;
    const char* said;
  } const rows[] = {
      {"postgres://lemmy:" + password + "@127.0.0.1:1/lemmy", Fault::upstream,
       "postgres://lemmy@127.0.0.1:1/lemmy cannot be used"},
      {"postgres://lemmy:" + password + "@nowhere.invalid/lemmy", Fault::upstream, "Is it running"},
      {postgres_.url("lemmy", "postgres", "wrong"), Fault::upstream, "are user and password right"},
      {postgres_.url("elsewhere"), Fault::upstream, "\"elsewhere\" does not exist"},
      {"mysql://lemmy:" + password + "@127.0.0.1/lemmy", Fault::client, "postgres://USER:"},
      {"postgres://lemmy:" + password + "%@127.0.0.1/lemmy", Fault::client, "%XX"},
  };
  for (const auto& row : rows) {
    const auto database = open(row.url, options_for(Use::announced));
    ASSERT_FALSE(database) << row.url;
    EXPECT_EQ(database.error().fault, row.fault);
    EXPECT_THAT(database.error().what, AllOf(HasSubstr(row.said), Not(HasSubstr(password))));
  }
}

TEST_P(LemmyDatabase, a_connection_that_breaks_is_told_apart_from_a_query_that_fails) {
  const auto database = open_for(Use::announced);
  ASSERT_TRUE(database);
  postgres_.execute("lemmy", "ALTER TABLE remote_image RENAME TO remote_picture");
  EXPECT_EQ(database->count_announced().error().code, "42P01");
  postgres_.execute("lemmy",
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                    "application_name = 'portcullis'");
  const auto lost = database->count_announced();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, "database-lost");
  EXPECT_EQ(lost.error().fault, Fault::upstream);
  EXPECT_THAT(lost.error().what, Not(HasSubstr(testing::Postgres::kPassword)));
}

TEST_P(LemmyDatabase, a_schema_that_is_not_known_is_not_guessed_at) {
  struct {
    const char *change, *said;
    Use use = Use::announced;
  } const rows[] = {
      {"DROP SCHEMA public CASCADE; CREATE SCHEMA public", "is not Lemmy's database"},
      {"DROP TABLE local_image", "older than 0.19.4"},
      {"ALTER TABLE local_image RENAME TO image_upload", "older than 0.19.4"},
      {"ALTER TABLE post DROP COLUMN url_content_type", "does not know that Lemmy"},
      {"ALTER TABLE local_image RENAME COLUMN pictrs_alias TO alias", "does not know that Lemmy"},
      {"DROP TABLE tagline", "has no tagline.content", Use::thumbnails},
      {"ALTER TABLE post RENAME COLUMN ap_id TO apub_id", "has no post.ap_id", Use::thumbnails},
      {"DELETE FROM local_site", "no row in local_site"},
  };
  for (const auto& row : rows) {
    make(RowMaker(GetParam()));
    postgres_.execute("lemmy", row.change);
    EXPECT_THAT(said(row.use), HasSubstr(row.said)) << row.change;
  }
}

TEST_P(LemmyDatabase, another_site_s_database_is_not_taken_for_this_one_s) {
  const std::string url = postgres_.url("lemmy");
  EXPECT_EQ(said(url, {.use = Use::announced}), "");
  EXPECT_EQ(said(url, {.use = Use::announced, .hosts = {"www.lemmy.example", "lemmy.example"}}),
            "");
  EXPECT_THAT(said(url, {.use = Use::announced, .hosts = {"other.example"}}),
              AllOf(HasSubstr("database of lemmy.example"), HasSubstr("other.example")));
}

TEST_P(LemmyDatabase, what_a_user_may_not_do_is_said_with_the_grant_that_helps) {
  const std::string address = GetParam() == Generation::v0_19 ? "actor_id" : "ap_id";
  make_stranger();
  EXPECT_THAT(said(Use::announced, "stranger"),
              AllOf(HasSubstr("may not read all of local_site, remote_image, site"),
                    HasSubstr("GRANT SELECT (link) ON remote_image TO \"stranger\";"),
                    HasSubstr("GRANT SELECT (" + address + ", id) ON site TO \"stranger\";"),
                    Not(HasSubstr("ON post"))));
  postgres_.execute("lemmy",
                    "REVOKE TEMPORARY ON DATABASE lemmy FROM public; "
                    "REVOKE USAGE ON SCHEMA public FROM public");
  EXPECT_THAT(said(Use::announced, "stranger"),
              HasSubstr("GRANT USAGE ON SCHEMA public TO \"stranger\";"));
  EXPECT_THAT(said(Use::thumbnails, "stranger"),
              AllOf(HasSubstr("GRANT SELECT (content) ON comment TO \"stranger\";"),
                    HasSubstr("GRANT SELECT (avatar, banner, bio) ON person TO \"stranger\";"),
                    HasSubstr("GRANT TEMPORARY ON DATABASE \"lemmy\" TO \"stranger\";"),
                    Not(HasSubstr("UPDATE"))));
  EXPECT_THAT(said(Use::rewriting, "stranger"),
              AllOf(HasSubstr("GRANT UPDATE (thumbnail_url) ON post TO \"stranger\";"),
                    HasSubstr("GRANT DELETE ON local_image TO \"stranger\";"),
                    HasSubstr("GRANT SELECT (link), DELETE ON image_details TO \"stranger\";")));
}

TEST_P(LemmyDatabase, the_grants_that_it_asks_for_are_enough_and_reach_no_secret) {
  make_stranger();
  for (const Use use : {Use::announced, Use::thumbnails, Use::rewriting}) {
    const std::string words = said(use, "stranger");
    const auto from = words.find("\n  GRANT"), to = words.rfind(';');
    ASSERT_TRUE(from != std::string::npos && to != std::string::npos) << words;
    postgres_.execute("lemmy", words.substr(from, to + 1 - from));
    EXPECT_EQ(said(use, "stranger"), "");
    EXPECT_EQ(postgres_.query("lemmy",
                              "SELECT has_column_privilege('stranger', 'person', 'private_key', "
                              "'SELECT') OR has_any_column_privilege('stranger', 'local_user', "
                              "'SELECT') OR has_column_privilege('stranger', 'post', 'url', "
                              "'UPDATE')"),
              std::vector<std::string>{"f"});
    const auto database = open_for(use, "stranger");
    ASSERT_TRUE(database);
    EXPECT_TRUE(database->count_announced());
    if (use == Use::announced) continue;
    const auto survey = database->survey();
    EXPECT_TRUE(survey) << survey.error().what;
    EXPECT_TRUE(database->federated_after("", 10));
    EXPECT_TRUE(database->without_row_after("", 10));
    if (use != Use::rewriting) continue;
    const auto rewritten = database->rewrite_thumbnails({{{"a.png", "https://a.example/"}}});
    EXPECT_TRUE(rewritten) << rewritten.error().what;
    const auto removed = database->remove_rows({{"a.png"}});
    EXPECT_TRUE(removed) << removed.error().what;
  }
}

TEST_P(LemmyDatabase, announced_urls_come_page_by_page) {
  postgres_.execute("lemmy",
                    "INSERT INTO remote_image (link) VALUES ('https://a.example/1'), "
                    "('https://a.example/2?x=ä''\"\\'), ('https://b.example/3'), ('ftp://c/4')");
  const auto database = open_for(Use::announced);
  ASSERT_TRUE(database);
  EXPECT_EQ(database->count_announced(), 4u);
  std::vector<std::string> all;
  for (std::vector<std::string> page = *database->announced_after("", 2); !page.empty();
       page = *database->announced_after(all.back(), 2)) {
    EXPECT_LE(page.size(), 2u);
    all.insert(all.end(), page.begin(), page.end());
  }
  EXPECT_THAT(all,
              ::testing::UnorderedElementsAre("https://a.example/1", "https://a.example/2?x=ä'\"\\",
                                              "https://b.example/3", "ftp://c/4"));
}

TEST_P(LemmyDatabase, what_it_was_not_opened_for_it_does_not_do) {
  const auto announced = open_for(Use::announced);
  const auto thumbnails = open_for(Use::thumbnails);
  ASSERT_TRUE(announced && thumbnails && thumbnails->survey());
  EXPECT_EQ(announced->survey().error().fault, Fault::us);
  EXPECT_EQ(thumbnails->rewrite_thumbnails({{{"a.png", "https://a.example/"}}}).error().fault,
            Fault::us);
  EXPECT_EQ(thumbnails->remove_rows({{"a.png"}}).error().fault, Fault::us);
}

INSTANTIATE_TEST_SUITE_P(Lemmy, LemmyDatabase,
                         ::testing::Values(Generation::v0_19, Generation::v1_0), generation_name);

}  // namespace
}  // namespace portcullis::lemmy
