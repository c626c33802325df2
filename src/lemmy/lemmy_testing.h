// lemmy/lemmy_testing.h: rows of Lemmy's database, in either generation. For tests of this room.
#pragma once

#include <gtest/gtest.h>

#include "lemmy/lemmy.h"
#include "testing/postgres.h"

namespace portcullis::lemmy {

inline std::string tables_of(Generation generation) {
  return std::string(PORTCULLIS_SOURCE_DIR) + "/testing/lemmy/" +
         (generation == Generation::v0_19 ? "0_19.sql" : "1_0.sql");
}

inline std::string picture(const std::string& alias) {
  return "https://lemmy.example/pictrs/image/" + alias;
}

inline std::string sql_text(const std::string& text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? "''" : std::string(1, c);
  return result + "'";
}

struct PostRow {
  std::string url = {};        // empty: none
  std::string thumbnail = {};  // thumbnail_url; empty: none
  std::string type = {};       // url_content_type; empty: none
  bool local = false;
  std::string body = {};
};

// Statements that put rows in, all together, as the generation has them.
class RowMaker {
 public:
  explicit RowMaker(Generation generation) : generation_(generation) {}

  bool is_0_19() const { return generation_ == Generation::v0_19; }

  // Gives its id.
  int post(const PostRow& row) {
    const int id = ++posts_;
    const auto nullable = [](const std::string& text) {
      return text.empty() ? std::string("NULL") : sql_text(text);
    };
    sql_ += fmt::format(
        "INSERT INTO post (id, url, thumbnail_url, url_content_type, local, body, ap_id) VALUES "
        "({}, {}, {}, {}, {}, {}, 'https://other.example/post/{}');\n",
        id, nullable(row.url), nullable(row.thumbnail), nullable(row.type), row.local,
        nullable(row.body), id);
    return id;
  }
  // What Lemmy 0.19 makes, and 1.0 has of it after an upgrade.
  void old_thumbnail(const std::string& alias, const std::string& age = "1 day") {
    image(alias, "NULL", "NULL", age);
  }
  // A thumbnail as this generation makes it.
  void thumbnail(const std::string& alias, int post, const std::string& age = "1 day") {
    image(alias, "2", std::to_string(post), age);
  }
  void upload(const std::string& alias) { image(alias, "1", "NULL", "1 day"); }
  // A row of any other table.
  void row(const std::string& table, const std::string& columns, const std::string& values) {
    sql_ += fmt::format("INSERT INTO {} ({}) VALUES ({});\n", table, columns, values);
  }
  void statement(const std::string& sql) { sql_ += sql + ";\n"; }

  const std::string& sql() const { return sql_; }

 private:
  void image(const std::string& alias, const std::string& person, const std::string& post,
             const std::string& age) {
    if (is_0_19())
      sql_ += fmt::format(
          "INSERT INTO local_image VALUES ('{}', {}, 'token-{}', now() - interval '{}');\n", alias,
          person == "1" ? "1" : "NULL", alias, age);
    else
      sql_ += fmt::format("INSERT INTO local_image VALUES ('{}', now() - interval '{}', {}, {});\n",
                          alias, age, person, post);
  }

  Generation generation_;
  int posts_ = 0;
  std::string sql_;
};

inline Options options_for(Use use) { return {.use = use, .hosts = {"lemmy.example"}}; }

// Everything a pass gives, `most` at a time.
template <class Page>
std::vector<Thumbnail> all_of(Page page, std::size_t most) {
  std::vector<Thumbnail> all;
  while (true) {
    const std::string after = all.empty() ? "" : all.back().alias;
    auto next = page(after, most);
    EXPECT_TRUE(next) << next.error().what;
    if (!next) return all;
    EXPECT_LE(next->size(), most);
    const bool is_last = next->size() < most;
    for (Thumbnail& one : *next) all.push_back(std::move(one));
    if (is_last) return all;
  }
}

class ForEachGeneration : public ::testing::TestWithParam<Generation> {
 protected:
  // A new database with these rows.
  void make(const RowMaker& rows) {
    postgres_.make_lemmy("lemmy", tables_of(GetParam()), rows.sql());
  }
  std::unique_ptr<Database> open_for(Use use, const std::string& user = "postgres") {
    auto database = open(postgres_.url("lemmy", user), options_for(use));
    EXPECT_TRUE(database) << database.error().what;
    return database ? std::move(*database) : nullptr;
  }
  // A user without any right.
  void make_stranger() {
    postgres_.execute("postgres",
                      "DO $$ BEGIN CREATE ROLE stranger LOGIN PASSWORD 's3cret-of-postgres'; "
                      "EXCEPTION WHEN duplicate_object THEN NULL; END $$");
  }

  testing::Postgres& postgres_ = testing::Postgres::shared();
};

inline std::string generation_name(const ::testing::TestParamInfo<Generation>& info) {
  return info.param == Generation::v0_19 ? "Lemmy_0_19" : "Lemmy_1_0";
}

}  // namespace portcullis::lemmy
