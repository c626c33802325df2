// What is written into Lemmy's database, and above all what is not.
#include <gmock/gmock.h>

#include "lemmy/lemmy_testing.h"

namespace portcullis::lemmy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Rewriting : public ForEachGeneration {
 protected:
  std::vector<std::string> thumbnails() {
    return postgres_.query("lemmy", "SELECT thumbnail_url FROM post ORDER BY id");
  }
  std::unique_ptr<Database> surveyed() {
    auto database = open_for(Use::rewriting);
    const auto survey = database->survey();
    EXPECT_TRUE(survey) << survey.error().what;
    return database;
  }
};

TEST_P(Rewriting, posts_show_the_origin_where_they_showed_exactly_the_alias) {
  RowMaker rows(GetParam());
  const std::string foreign = "https://b.example/pictrs/image/a.png";
  for (const std::string& thumbnail :
       {picture("a.png"), std::string("https://lemmy.example/api/v4/image/a.png"), picture("b.png"),
        picture("a.png") + "?format=webp", picture("aa.png"), foreign, std::string()})
    rows.post({.url = "https://a.example/page", .thumbnail = thumbnail, .local = true});
  make(rows);
  const auto database = surveyed();
  const Rewrite rewrites[] = {{"a.png", "https://a.example/a',(b)?c=d"},
                              {"b.png", "http://a.example/b.png"},
                              {"gone.png", "http://a.example/c.png"}};
  EXPECT_EQ(database->rewrite_thumbnails(rewrites), 3u);
  EXPECT_THAT(thumbnails(),
              ElementsAre("https://a.example/a',(b)?c=d", "https://a.example/a',(b)?c=d",
                          "http://a.example/b.png", picture("a.png") + "?format=webp",
                          picture("aa.png"), foreign, ""));
  EXPECT_EQ(database->rewrite_thumbnails(rewrites), 0u) << "a batch may come twice";
  EXPECT_EQ(database->rewrite_thumbnails({}), 0u);
}

TEST_P(Rewriting, a_post_that_was_edited_meanwhile_stays_as_it_is) {
  RowMaker rows(GetParam());
  rows.post({.url = "https://a.example/page", .thumbnail = picture("a.png")});
  make(rows);
  const auto database = surveyed();
  postgres_.execute("lemmy", "UPDATE post SET thumbnail_url = 'https://c.example/c.png'");
  EXPECT_EQ(database->rewrite_thumbnails({{{"a.png", "https://a.example/a.png"}}}), 0u);
  EXPECT_THAT(thumbnails(), ElementsAre("https://c.example/c.png"));
}

TEST_P(Rewriting, no_post_is_sent_to_what_is_no_address_on_another_site) {
  RowMaker rows(GetParam());
  rows.post({.url = "https://a.example/page", .thumbnail = picture("a.png")});
  rows.post({.url = "https://a.example/page", .thumbnail = picture("b.png")});
  make(rows);
  const auto database = surveyed();
  for (const char* origin : {"", "javascript:alert(1)", "https://lemmy.example/pictrs/image/a.png",
                             "https://a.example/a\nb", "/a.png"}) {
    const Rewrite rewrites[] = {{"b.png", "https://a.example/b.png"}, {"a.png", origin}};
    const auto done = database->rewrite_thumbnails(rewrites);
    ASSERT_FALSE(done) << origin;
    EXPECT_EQ(done.error().fault, Fault::us);
  }
  EXPECT_THAT(thumbnails(), ElementsAre(picture("a.png"), picture("b.png")));
}

TEST_P(Rewriting, rows_of_thumbnails_go_and_those_of_uploads_stay) {
  RowMaker rows(GetParam());
  rows.old_thumbnail("old.png");
  rows.thumbnail("new.png", rows.post({.thumbnail = picture("new.png")}));
  rows.thumbnail("kept.png", rows.post({.thumbnail = picture("kept.png")}));
  rows.upload("upload.png");
  for (const std::string& link :
       {picture("old.png"), std::string("https://lemmy.example/api/v4/image/new.png"),
        picture("kept.png"), picture("upload.png"), picture("without-row.png"),
        std::string("https://b.example/pictrs/image/old.png")})
    rows.row("image_details", "link, width, height, content_type",
             sql_text(link) + ", 1, 1, 'image/png'");
  make(rows);
  const auto database = open_for(Use::rewriting);
  ASSERT_TRUE(database);
  const std::string gone[] = {"old.png", "new.png", "upload.png", "without-row.png", "\"\\.png"};
  EXPECT_EQ(database->remove_rows(gone), 2u);
  EXPECT_THAT(postgres_.query("lemmy", "SELECT pictrs_alias FROM local_image ORDER BY 1"),
              ElementsAre("kept.png", "upload.png"));
  EXPECT_THAT(postgres_.query("lemmy", "SELECT link FROM image_details ORDER BY 1"),
              ElementsAre("https://b.example/pictrs/image/old.png", picture("kept.png"),
                          picture("upload.png")));
}

// As Lemmy's own triggers are: they run with the rights of whoever changes a post.
TEST_P(Rewriting, a_user_whose_rights_end_at_lemmy_s_triggers_is_told_whom_to_use) {
  RowMaker rows(GetParam());
  rows.post({.url = "https://a.example/page", .thumbnail = picture("a.png")});
  rows.statement("CREATE TABLE community_aggregates (posts integer)");
  rows.statement(
      "CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN UPDATE "
      "community_aggregates SET posts = posts; RETURN NULL; END'");
  rows.statement(
      "CREATE TRIGGER counts AFTER UPDATE ON post FOR EACH STATEMENT EXECUTE FUNCTION counts()");
  make(rows);
  make_stranger();
  postgres_.execute("lemmy",
                    "GRANT SELECT ON ALL TABLES IN SCHEMA public TO stranger; GRANT UPDATE ON post "
                    "TO stranger; GRANT DELETE ON local_image, image_details TO stranger");
  const auto database = open_for(Use::rewriting, "stranger");
  ASSERT_TRUE(database && database->survey());
  const auto done = database->rewrite_thumbnails({{{"a.png", "https://a.example/a.png"}}});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().what, HasSubstr("use the user that Lemmy itself uses"));
  EXPECT_THAT(thumbnails(), ElementsAre(picture("a.png")));
  EXPECT_TRUE(database->federated_after("", 1)) << "the session goes on";
}

INSTANTIATE_TEST_SUITE_P(Lemmy, Rewriting, ::testing::Values(Generation::v0_19, Generation::v1_0),
                         generation_name);

}  // namespace
}  // namespace portcullis::lemmy
