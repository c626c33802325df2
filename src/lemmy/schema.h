// lemmy/schema.h: which Lemmy a database belongs to, what of it is read, and whether that may be
// read. Private to the room.
#pragma once

#include "lemmy/lemmy.h"
#include "postgres/postgres.h"

namespace portcullis::lemmy {

using postgres::Connection;
using postgres::Rows;

// Columns of one table that may name a picture.
struct Reference {
  std::string table;
  std::vector<std::string> columns;
};

struct Schema {
  Generation generation = Generation::v0_19;
  bool has_image_details = false;
  std::vector<Reference> references;  // all but post.thumbnail_url; those that exist here

  // Conditions and names in SQL that differ between the generations, of a row `image`.
  std::string is_thumbnail() const;
  std::string delete_token() const;
  std::string published() const;
  std::string made_for() const;      // the post that a thumbnail was made for, or NULL
  std::string site_address() const;  // of site
};

// Fault::client when it is no known Lemmy's, or when this user may not do what `use` wants.
Result<Schema> recognise(Connection& connection, Use use);

// "https://lemmy.example": the site that the database is of. Fault::client when there is none.
Result<std::string> read_site_url(Connection& connection, const Schema& schema);

}  // namespace portcullis::lemmy
