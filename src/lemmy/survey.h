// lemmy/survey.h: the temporary tables that tell which pictures are federated. Private to the room.
//
//   portcullis_shown      alias, post: what thumbnail_url of posts names
//   portcullis_sought     stems of all thumbnails and of everything in `shown`
//   portcullis_elsewhere  those of them that anything but a thumbnail_url names
#pragma once

#include "lemmy/schema.h"
#include "lemmy/sql.h"

namespace portcullis::lemmy {

struct SurveyOptions {
  OwnSite site;
  std::chrono::milliseconds timeout;  // of one statement
  Database::OnTable on_table;
};
struct Surveyed {
  std::string until;  // rows older than this are taken; for SQL
  Survey found;
};
// Fills them, anew if they are there.
Result<Surveyed> take_survey(Connection& connection, const Schema& schema,
                             const SurveyOptions& options);

// Conditions, of a row `image` of local_image and of a row `shown`; $1 is Surveyed::until.
std::string is_federated(const Schema& schema);
std::string is_federated_without_row();

}  // namespace portcullis::lemmy
