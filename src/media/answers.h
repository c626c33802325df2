// media/answers.h: what clients are told. Every human text stands here, none names a signal, list,
// model or score.
#pragma once

#include <string>
#include <string_view>

#include "net/net.h"
#include "store/store.h"

namespace portcullis::media {

// JSON of a refused upload: one body that every Lemmy client understands.
//   {"error":…,"message":…,"msg":…,"files":null,"code":…}
std::string refusal_body(std::string_view code, std::string_view text);
// The same as a whole answer; never cached.
net::Response refusal(int status, std::string_view code, std::string_view text);

// For an error whose code is a word of pict-rs or ours: the right status and a text for people;
// anything without a known code is a 500 that says nothing of the inside.
net::Response refusal_for(const Error& error);

// Whether refusal_for() has a text for that code.
bool is_known_word(std::string_view code);

net::Response content_refused();
net::Response screening_unavailable();
net::Response storage_unavailable();
net::Response storage_full();
net::Response uploads_closed(std::string_view message);
// Pictures of other sites are not; Lemmy then keeps the original's address.
net::Response remote_not_stored();
// It waits for a moderator.
net::Response content_held();
// Uploads are closed for whoever asks, for a while.
net::Response closed_for_uploader();

// {"msg":…,"code":…}, as pict-rs answers everything but uploads.
net::Response error_answer(int status, std::string_view code, std::string_view text);
net::Response json_answer(int status, std::string body);
net::Response empty_answer(int status);

std::string details_json(const store::Details& details, WallTime created);
struct Uploaded {
  std::string alias, delete_token;
  store::Details details;
  WallTime created;
};
std::string uploaded_json(const std::vector<Uploaded>& files);
std::string backgrounded_json(const std::vector<std::string>& upload_ids);
std::string blurhash_json(const std::string& blurhash);
std::string aliases_json(const std::vector<std::string>& aliases);
// One page of /internal/hashes; `limit` as it was asked for.
std::string hashes_json(const store::BlobPage& page, std::size_t limit);
// pict-rs's name of a stored file: SHA-256, size and format in one, 39 bytes.
Bytes hash_key(const store::BlobEntry& entry);

}  // namespace portcullis::media
