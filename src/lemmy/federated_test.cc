// Which thumbnails are federated: every row of the table, in both generations, in one database.
#include <map>

#include "lemmy/lemmy_testing.h"

namespace portcullis::lemmy {
namespace {

enum class Given { no, with_row, without_row };

// What is expected of a thumbnail that is given out.
struct Expected {
  Given given = Given::no;
  std::string origin = {};
  OriginSource source = OriginSource::none;
  bool has_post = false;
  bool is_disputed = false;
};

struct Case {
  const char* what;
  void (*make)(RowMaker& rows, const std::string& alias);
  Expected expected;
};

// A remote post that links to a picture and shows its thumbnail.
int remote_post(RowMaker& rows, const std::string& alias,
                const std::string& url = "https://a.example/x.png") {
  return rows.post({.url = url, .thumbnail = picture(alias), .type = "image/png"});
}
void federated(RowMaker& rows, const std::string& alias) {
  rows.thumbnail(alias, remote_post(rows, alias));
}
std::string in_markdown(const std::string& alias) {
  return sql_text("Look:\n![a cat](" + picture(alias) + ") and so on");
}

const Expected kFromPost{Given::with_row, "https://a.example/x.png", OriginSource::image_post,
                         true};
const Expected kWithoutOrigin{.given = Given::with_row, .has_post = true};

const Case kWithRow[] = {
    {"a user's upload", [](auto& rows, auto& alias) { rows.upload(alias); }, {}},
    {"a user's upload that a remote post's thumbnail_url names (custom_thumbnail, trap 10)",
     [](auto& rows, auto& alias) {
       rows.upload(alias);
       remote_post(rows, alias);
     },
     {}},
    {"a thumbnail of a remote post", federated, kFromPost},
    {"a thumbnail of a local post that links to a remote picture",
     [](auto& rows, auto& alias) {
       rows.thumbnail(alias, rows.post({.url = "https://a.example/x.png",
                                        .thumbnail = picture(alias),
                                        .type = "image/png",
                                        .local = true}));
     },
     kFromPost},
    {"a thumbnail from before an upgrade",
     [](auto& rows, auto& alias) {
       rows.old_thumbnail(alias);
       remote_post(rows, alias);
     },
     kFromPost},
    {"a thumbnail that 1.0 writes in its own way",
     [](auto& rows, auto& alias) {
       rows.thumbnail(alias, rows.post({.url = "https://a.example/x.png",
                                        .thumbnail = "https://lemmy.example/api/v4/image/" + alias,
                                        .type = "image/png"}));
     },
     kFromPost},
    {"a thumbnail of a page",
     [](auto& rows, auto& alias) {
       rows.thumbnail(alias, rows.post({.url = "https://a.example/page",
                                        .thumbnail = picture(alias),
                                        .type = "text/html"}));
     },
     kWithoutOrigin},
    {"a page whose address ends as a picture's, but Lemmy saw that it is none",
     [](auto& rows, auto& alias) {
       rows.thumbnail(alias, rows.post({.url = "https://a.example/File:x.png",
                                        .thumbnail = picture(alias),
                                        .type = "text/html"}));
     },
     kWithoutOrigin},
    {"a picture by its name alone, from before Lemmy looked",
     [](auto& rows, auto& alias) {
       rows.thumbnail(
           alias, rows.post({.url = "https://a.example/X.JPG?a=1", .thumbnail = picture(alias)}));
     },
     {Given::with_row, "https://a.example/X.JPG?a=1", OriginSource::image_name, true}},
    {"a post's proxied address, as 0.19 writes it",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.statement(
           "UPDATE post SET url = 'https://lemmy.example/api/v3/image_proxy?url="
           "https%3A%2F%2Fa.example%2Fx.png' WHERE thumbnail_url = " +
           sql_text(picture(alias)));
     },
     kFromPost},
    {"a post's proxied address, as 1.0 writes it",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.statement(
           "UPDATE post SET url = 'https://lemmy.example/api/v4/image/proxy?url="
           "https%3A%2F%2Fa%2Eexample%2Fx%2Epng&max_size=512' WHERE thumbnail_url = " +
           sql_text(picture(alias)));
     },
     kFromPost},
    {"a post's proxied address with its parts the other way round",
     [](auto& rows, auto& alias) {
       rows.thumbnail(alias,
                      rows.post({.url = "https://lemmy.example/api/v4/image/proxy?max_size=9&url="
                                        "https%3A%2F%2Fa.example%2Fx.png",
                                 .thumbnail = picture(alias),
                                 .type = "image/png"}));
     },
     kFromPost},
    {"no post shows it any more",
     [](auto& rows, auto& alias) { rows.old_thumbnail(alias); },
     {.given = Given::with_row}},
    {"the post was edited and shows another one",
     [](auto& rows, auto& alias) {
       rows.thumbnail(alias, rows.post({.url = "https://a.example/new.png",
                                        .thumbnail = "https://a.example/new-thumbnail.png",
                                        .type = "image/png"}));
     },
     {.given = Given::with_row}},
    {"a thumbnail of somebody's upload (trap 9)",
     [](auto& rows, auto& alias) {
       rows.upload("u" + alias);
       rows.thumbnail(alias, rows.post({.url = picture("u" + alias),
                                        .thumbnail = picture(alias),
                                        .type = "image/png",
                                        .local = true}));
     },
     {}},
    {"a thumbnail of somebody's upload, proxied",
     [](auto& rows, auto& alias) {
       rows.thumbnail(
           alias, rows.post({.url = "https://lemmy.example/api/v3/image_proxy?url=https%3A%2F%2F"
                                    "Lemmy.Example%3A443%2Fpictrs%2Fimage%2Fu.png",
                             .thumbnail = picture(alias),
                             .type = "image/png",
                             .local = true}));
     },
     {}},
    {"a thumbnail of a page of this very site",
     [](auto& rows, auto& alias) {
       rows.thumbnail(alias, rows.post({.url = "http://lemmy.example:80/post/1",
                                        .thumbnail = picture(alias),
                                        .type = "text/html"}));
     },
     {}},
    {"two posts that link to the same picture",
     [](auto& rows, auto& alias) {
       rows.old_thumbnail(alias);
       remote_post(rows, alias);
       remote_post(rows, alias);
     },
     kFromPost},
    {"two posts that link to different pictures, so that one has borrowed it",
     [](auto& rows, auto& alias) {
       rows.old_thumbnail(alias);
       remote_post(rows, alias);
       remote_post(rows, alias, "https://evil.example/x.png");
     },
     {.given = Given::with_row, .has_post = true, .is_disputed = true}},
    {"a post of an upload that has borrowed a remote post's thumbnail does not keep it",
     [](auto& rows, auto& alias) {
       rows.old_thumbnail(alias);
       remote_post(rows, alias);
       rows.post({.url = picture("v" + alias), .thumbnail = picture(alias), .local = true});
     },
     {.given = Given::with_row, .has_post = true, .is_disputed = true}},
    {"one that Lemmy makes just now",
     [](auto& rows, auto& alias) { rows.thumbnail(alias, remote_post(rows, alias), "1 minute"); },
     {}},
    {"an origin that is no http",
     [](auto& rows, auto& alias) {
       rows.thumbnail(alias, remote_post(rows, alias, "ftp://a.example/x.png"));
     },
     kWithoutOrigin},
    // Something else shows it.
    {"a post's address",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.post({.url = picture(alias)});
     },
     {}},
    {"a post's address, proxied",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.post(
           {.url = "https://lemmy.example/api/v4/image/proxy?url=https%3A%2F%2Flemmy%2Eexample"
                   "%2Fpictrs%2Fimage%2F" +
                   alias});
     },
     {}},
    {"a post's text",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.post({.body = "a ![](https://lemmy.example/api/v4/image/" + alias + ")"});
     },
     {}},
    {"a comment, in 1.0's percent-encoding",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       std::string encoded;
       for (const char c : alias)
         encoded += c == '-' ? "%2D" : c == '.' ? "%2E" : std::string(1, c);
       rows.row("comment", "content",
                "'![](https://lemmy.example/api/v4/image/proxy?url=https%3A%2F%2Flemmy%2Eexample"
                "%2Fapi%2Fv4%2Fimage%2F" +
                    encoded + ")'");
     },
     {}},
    {"a comment, at the end of a sentence",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.row("comment", "content", sql_text("See _" + picture(alias) + "_. Or not."));
     },
     {}},
    {"a comment, without a host, in another size",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.row("comment", "content",
                sql_text("![](/pictrs/image/" + alias + "?format=webp&thumbnail=96)"));
     },
     {}},
    {"the second picture of a comment, under another name of the site",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.row(
           "comment", "content",
           sql_text("![](https://a.example/pictrs/image/z.png) ![](http://www.lemmy.example:81/"
                    "pictrs/image/" +
                    alias + ")"));
     },
     {}},
    {"a private message",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.row("private_message", "content", in_markdown(alias));
     },
     {}},
    {"an avatar",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.row("person", "name, avatar", "'c', " + sql_text(picture(alias)));
     },
     {}},
    {"a person's banner",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.row("person", "name, banner", "'c', " + sql_text(picture(alias)));
     },
     {}},
    {"a person's own words",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.row("person", "name, bio", "'c', " + in_markdown(alias));
     },
     {}},
    {"a community's icon",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.row("community", "name, icon", "'c', " + sql_text(picture(alias)));
     },
     {}},
    {"a community's banner",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.row("community", "name, banner", "'c', " + sql_text(picture(alias)));
     },
     {}},
    {"a community's text",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.row("community", rows.is_0_19() ? "name, description" : "name, sidebar",
                "'c', " + in_markdown(alias));
     },
     {}},
    {"the site's icon",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.statement("UPDATE site SET icon = " + sql_text(picture(alias)) + " WHERE id = 2");
     },
     {}},
    {"the site's banner",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.statement("UPDATE site SET banner = " + sql_text(picture(alias)) + " WHERE id = 2");
     },
     {}},
    {"the site's text",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.statement("UPDATE site SET sidebar = " + in_markdown(alias) + " WHERE id = 2");
     },
     {}},
    {"the site's legal information",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.statement("UPDATE local_site SET legal_information = " + in_markdown(alias));
     },
     {}},
    {"an emoji",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.row("custom_emoji", "image_url", sql_text(picture(alias)));
     },
     {}},
    {"a tagline",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.row("tagline", "content", in_markdown(alias));
     },
     {}},
    {"a report of a post",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.row("post_report", "original_post_url", sql_text(picture(alias)));
     },
     {}},
    {"a report of a community (1.0), or of a private message",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       if (rows.is_0_19())
         rows.row("private_message_report", "original_pm_text", in_markdown(alias));
       else
         rows.row("community_report", "original_community_icon", sql_text(picture(alias)));
     },
     {}},
    {"nothing else: another site has an alias that begins in the same way",
     [](auto& rows, auto& alias) {
       federated(rows, alias);
       rows.row("comment", "content", sql_text(picture("0" + alias) + " " + alias));
     },
     kFromPost},
};

const Expected kOldFromPost{Given::without_row, "https://a.example/x.png", OriginSource::image_post,
                            true};

const Case kWithoutRow[] = {
    {"a remote post's thumbnail from before 0.19.4",
     [](auto& rows, auto& alias) { remote_post(rows, alias); }, kOldFromPost},
    {"an old upload that nothing shows", [](auto&, auto&) {}, {}},
    {"an old upload that somebody took for a thumbnail of his own",
     [](auto& rows, auto& alias) {
       rows.post({.url = "https://a.example/x.png",
                  .thumbnail = picture(alias),
                  .type = "image/png",
                  .local = true});
     },
     {}},
    {"an old upload that a local post's thumbnail names in another way",
     [](auto& rows, auto& alias) {
       remote_post(rows, alias);
       rows.post({.thumbnail = "http://www.lemmy.example/pictrs/image/" + alias + "?format=jpg",
                  .local = true});
     },
     {}},
    {"an old upload that a remote post links to",
     [](auto& rows, auto& alias) {
       rows.post({.url = picture(alias), .thumbnail = picture(alias), .type = "image/png"});
     },
     {}},
    {"an old thumbnail that also is an avatar",
     [](auto& rows, auto& alias) {
       remote_post(rows, alias);
       rows.row("person", "name, avatar", "'c', " + sql_text(picture(alias)));
     },
     {}},
    {"an old thumbnail that also stands in a comment",
     [](auto& rows, auto& alias) {
       remote_post(rows, alias);
       rows.row("comment", "content", in_markdown(alias));
     },
     {}},
    {"an old thumbnail of somebody's upload",
     [](auto& rows, auto& alias) { remote_post(rows, alias, picture("u" + alias)); },
     {}},
    {"another site's picture",
     [](auto& rows, auto& alias) {
       rows.post({.url = "https://a.example/x.png",
                  .thumbnail = "https://b.example/pictrs/image/" + alias,
                  .type = "image/png"});
     },
     {}},
};

class Federated : public ForEachGeneration {};

std::string alias_of(std::size_t number) {
  return fmt::format("{:08d}-0000-4000-8000-000000000000.png", number);
}

template <std::size_t N>
void expect_cases(const Case (&cases)[N], std::size_t first,
                  std::map<std::string, Thumbnail>& given, bool has_token) {
  for (std::size_t i = 0; i < N; ++i) {
    SCOPED_TRACE(cases[i].what);
    const std::string alias = alias_of(first + i);
    const Expected& expected = cases[i].expected;
    const auto found = given.find(alias);
    EXPECT_EQ(found != given.end(), expected.given != Given::no);
    if (found == given.end()) continue;
    const Thumbnail& one = found->second;
    EXPECT_EQ(one.origin, expected.origin);
    EXPECT_EQ(one.source, expected.source);
    EXPECT_EQ(one.post.has_value(), expected.has_post);
    EXPECT_EQ(one.is_disputed, expected.is_disputed);
    EXPECT_EQ(one.delete_token, has_token ? "token-" + alias : "");
    given.erase(found);
  }
  EXPECT_TRUE(given.empty()) << given.begin()->first;
}

TEST_P(Federated, thumbnails_are_given_out_only_if_nothing_of_a_user_s_can_go_with_them) {
  RowMaker rows(GetParam());
  std::size_t number = 0, federated = 0, without_row = 0;
  for (const Case& one : kWithRow) {
    one.make(rows, alias_of(number++));
    federated += one.expected.given == Given::with_row ? 1 : 0;
  }
  const std::size_t first_without_row = number;
  for (const Case& one : kWithoutRow) {
    one.make(rows, alias_of(number++));
    without_row += one.expected.given == Given::without_row ? 1 : 0;
  }
  make(rows);
  const auto database = open_for(Use::thumbnails);
  ASSERT_TRUE(database);
  EXPECT_EQ(database->generation(), GetParam());
  EXPECT_EQ(database->site_url(), "https://lemmy.example");
  const auto survey = database->survey();
  ASSERT_TRUE(survey) << survey.error().what;
  EXPECT_EQ(survey->federated, federated);
  EXPECT_EQ(survey->without_row, without_row);
  EXPECT_EQ(survey->of_own_pictures, 3u);
  EXPECT_EQ(survey->uploads, 3u);
  for (const std::size_t most : {1u, 3u, 1000u}) {
    std::map<std::string, Thumbnail> given;
    for (Thumbnail& one :
         all_of([&](auto& after, auto n) { return database->federated_after(after, n); }, most))
      given.emplace(one.alias, std::move(one));
    EXPECT_EQ(given.size(), federated);
    expect_cases(kWithRow, 0, given, GetParam() == Generation::v0_19);
    for (Thumbnail& one :
         all_of([&](auto& after, auto n) { return database->without_row_after(after, n); }, most))
      given.emplace(one.alias, std::move(one));
    EXPECT_EQ(given.size(), without_row);
    expect_cases(kWithoutRow, first_without_row, given, false);
  }
}

TEST_P(Federated, a_thumbnail_comes_with_the_post_that_can_be_asked_for_its_origin) {
  RowMaker rows(GetParam());
  rows.post({.url = "https://a.example/else"});
  rows.thumbnail("a.png", rows.post({.url = "https://a.example/page?x=1",
                                     .thumbnail = picture("a.png"),
                                     .type = "text/html",
                                     .local = true}));
  make(rows);
  const auto database = open_for(Use::thumbnails);
  ASSERT_TRUE(database && database->survey());
  const auto page = database->federated_after("", 10);
  ASSERT_TRUE(page && page->size() == 1);
  EXPECT_EQ(page->front().post,
            (Post{2, "https://a.example/page?x=1", "https://other.example/post/2", true}));
}

TEST_P(Federated, in_1_0_the_post_that_a_thumbnail_was_made_for_is_believed_not_who_borrowed_it) {
  RowMaker rows(GetParam());
  rows.post({.url = "https://evil.example/x.png",
             .thumbnail = picture("a.png"),
             .type = "image/png",
             .local = true});
  rows.thumbnail("a.png", remote_post(rows, "a.png"));
  make(rows);
  const auto database = open_for(Use::thumbnails);
  ASSERT_TRUE(database && database->survey());
  const auto page = database->federated_after("", 10);
  ASSERT_TRUE(page && page->size() == 1);
  EXPECT_EQ(page->front().is_disputed, GetParam() == Generation::v0_19);
  EXPECT_EQ(page->front().origin, GetParam() == Generation::v0_19 ? "" : "https://a.example/x.png");
}

TEST_P(Federated, an_upload_that_came_in_during_the_job_is_not_given_out) {
  RowMaker rows(GetParam());
  federated(rows, "a.png");
  federated(rows, "b.png");
  make(rows);
  const auto database = open_for(Use::thumbnails);
  ASSERT_TRUE(database && database->survey());
  postgres_.execute("lemmy", GetParam() == Generation::v0_19
                                 ? "UPDATE local_image SET local_user_id = 1 WHERE pictrs_alias = "
                                   "'b.png'"
                                 : "UPDATE local_image SET person_id = 1, thumbnail_for_post_id = "
                                   "NULL WHERE pictrs_alias = 'b.png'");
  const auto page = database->federated_after("", 10);
  ASSERT_TRUE(page && page->size() == 1);
  EXPECT_EQ(page->front().alias, "a.png");
}

TEST_P(Federated, a_survey_tells_its_progress_and_can_be_made_again) {
  RowMaker rows(GetParam());
  federated(rows, "a.png");
  make(rows);
  const auto database = open_for(Use::thumbnails);
  ASSERT_TRUE(database);
  std::size_t told = 0;
  ASSERT_TRUE(database->survey([&](std::string_view table, std::size_t done, std::size_t total) {
    EXPECT_FALSE(table.empty());
    EXPECT_EQ(done, told++);
    EXPECT_LT(done, total);
  }));
  EXPECT_GT(told, 8u);
  postgres_.execute("lemmy", "INSERT INTO comment (content) VALUES (" + in_markdown("a.png") + ")");
  EXPECT_EQ(database->survey()->federated, 0u);
  EXPECT_EQ(database->survey()->shown_elsewhere, 1u);
}

TEST_P(Federated, the_passes_want_a_survey_first) {
  make(RowMaker(GetParam()));
  const auto database = open_for(Use::thumbnails);
  ASSERT_TRUE(database);
  EXPECT_EQ(database->federated_after("", 1).error().fault, Fault::us);
  EXPECT_EQ(database->without_row_after("", 1).error().fault, Fault::us);
}

INSTANTIATE_TEST_SUITE_P(Lemmy, Federated, ::testing::Values(Generation::v0_19, Generation::v1_0),
                         generation_name);

}  // namespace
}  // namespace portcullis::lemmy
