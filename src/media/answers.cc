#include "media/answers.h"

#include <sodium.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/clock.h"

namespace portcullis::media {

namespace json = boost::json;

namespace {

struct Text {
  std::string_view code;
  int status;
  std::string_view text;
};

constexpr std::string_view kUnreadable = "The upload could not be read. Please try again.";

constexpr std::string_view kNotNow = "Pictures cannot be stored right now. Please try again later.";

// The words are pict-rs's where it has one. No text holds a ':', because one client cuts at it.
constexpr Text kTexts[] = {
    {"validate-width", 400, "The picture is too wide."},
    {"validate-height", 400, "The picture is too high."},
    {"validate-area", 400, "The picture has too many pixels."},
    {"validate-frames", 400, "The animation has too many frames."},
    {"validate-file-size", 413, "The file is too large."},
    {"validate-file-empty", 400, "The file is empty."},
    {"validate-no-files", 400, "There is no file in this upload."},
    {"media-disallowed", 400, "Files of this kind are not taken here."},
    {"video-disabled", 400, "Videos are not taken here."},
    {"command-failure", 400, "The file is damaged or not a picture."},
    {"file-upload-error", 400, kUnreadable},
    {"invalid-query", 400, "A parameter of this request has no meaning."},
    {"invalid-process-path", 400, "This request asks for something that cannot be done."},
    {"invalid-file-extension", 400, "There is no such kind of picture."},
    {"duplicate-alias", 400, "There is a picture of that name already."},
    {"download-file-error", 400, "The picture could not be fetched."},
    {"stream-too-slow", 408, "The upload was too slow. Please try again."},
    {"two-accounts", 400, "This upload names two different accounts."},
    {"spool-full", 503, "Too many uploads at once. Please try again in a minute."},
    {"failed-external-validation", 400, "This picture cannot be accepted here."},
    {"upstream-unreachable", 503, kNotNow},
    {"upstream-slow", 503, kNotNow},
    {"upstream-busy", 503, "Too many uploads at once. Please try again in a minute."},
    {"upstream-broken", 502, kNotNow},
    {"upstream-refused", 502, kNotNow},
    {"decoder-busy", 503, "Too many uploads at once. Please try again in a minute."},
};

// A GIF counts as an animation even when it stands still.
std::string_view kind_of(const store::Details& details) {
  if (details.content_type.starts_with("video/")) return "Video";
  return details.frames || details.content_type == "image/gif" ? "Animation" : "Image";
}

json::object details_object(const store::Details& details, WallTime created) {
  return {{"width", details.width},
          {"height", details.height},
          {"frames", details.frames ? json::value(*details.frames) : json::value(nullptr)},
          {"content_type", details.content_type},
          {"created_at", rfc3339(created)},
          {"format", kind_of(details)},
          {"blurhash", details.blurhash}};
}

// One byte for each kind of file, as pict-rs numbers them.
int format_number(const store::Details& details) {
  const std::string& type = details.content_type;
  const bool moves = details.frames.has_value();
  if (type == "image/apng") return 0;
  if (type == "image/avif") return moves ? 1 : 4;
  if (type == "image/gif") return 2;
  if (type == "image/webp") return moves ? 3 : 8;
  if (type == "image/jpeg") return 5;
  if (type == "image/jxl") return 6;
  if (type == "image/png") return 7;
  return type == "video/mp4" ? 9 : 10;
}

std::string base64url(ByteView bytes) {
  std::string text(
      sodium_base64_encoded_len(bytes.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING), '\0');
  sodium_bin2base64(text.data(), text.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  text.pop_back();  // its NUL
  return text;
}

json::array names(const std::vector<std::string>& list) {
  return json::array(list.begin(), list.end());
}

}  // namespace

std::string refusal_body(std::string_view code, std::string_view text) {
  std::string error(text);
  std::ranges::replace(error, ':', ',');  // an admin's own message may hold one
  return json::serialize(json::object{
      {"error", error}, {"message", text}, {"msg", text}, {"files", nullptr}, {"code", code}});
}

net::Response json_answer(int status, std::string body) {
  return {status, {{"Content-Type", "application/json"}}, std::move(body), false};
}

net::Response empty_answer(int status) { return {status, {}, std::string(), false}; }

net::Response refusal(int status, std::string_view code, std::string_view text) {
  net::Response response = json_answer(status, refusal_body(code, text));
  response.headers.push_back({"Cache-Control", "no-store"});
  if (status == 503) response.headers.push_back({"Retry-After", "60"});
  return response;
}

net::Response refusal_for(const Error& error) {
  for (const Text& text : kTexts)
    if (text.code == error.code) return refusal(text.status, text.code, text.text);
  if (error.fault == Fault::client) return refusal(400, "file-upload-error", kUnreadable);
  if (error.fault == Fault::storage || error.fault == Fault::limits) return storage_unavailable();
  return refusal(500, "unknown-error",
                 "Something went wrong on this server. Please tell its admins.");
}

bool is_known_word(std::string_view code) {
  return std::ranges::any_of(kTexts, [&](const Text& text) { return text.code == code; });
}

net::Response content_refused() {
  return refusal_for({Fault::client, "", "failed-external-validation"});
}

net::Response content_held() {
  return refusal(400, "held-for-review",
                 "A moderator has to look at this picture first. Please try again later.");
}

net::Response closed_for_uploader() {
  return refusal(400, "uploads-closed",
                 "Several of your pictures could not be accepted, so uploads are closed for you "
                 "for a while.");
}

net::Response screening_unavailable() {
  return refusal(
      503, "screening-unavailable",
      "Pictures cannot be checked right now, so none are taken. Please try again later.");
}

net::Response storage_unavailable() {
  return refusal(503, "storage-unavailable",
                 "Pictures cannot be stored right now. Please try again later.");
}

net::Response storage_full() {
  return refusal(503, "storage-full",
                 "There is no room for more pictures on this server. Its admins have been told.");
}

net::Response uploads_closed(std::string_view message) {
  return refusal(
      400, "uploads-closed",
      message.empty() ? "Uploads are switched off for now. Please try again later." : message);
}

net::Response remote_not_stored() {
  return refusal(403, "remote-not-stored", "Pictures of other sites are not stored here.");
}

net::Response error_answer(int status, std::string_view code, std::string_view text) {
  net::Response response =
      json_answer(status, json::serialize(json::object{{"msg", text}, {"code", code}}));
  if (status == 503) {
    response.headers.push_back({"Retry-After", "5"});
    response.headers.push_back({"Cache-Control", "no-store"});
  }
  return response;
}

std::string details_json(const store::Details& details, WallTime created) {
  return json::serialize(details_object(details, created));
}

std::string uploaded_json(const std::vector<Uploaded>& files) {
  json::array list;
  for (const Uploaded& file : files)
    list.push_back(json::object{{"file", file.alias},
                                {"delete_token", file.delete_token},
                                {"details", details_object(file.details, file.created)}});
  return json::serialize(json::object{{"msg", "ok"}, {"files", std::move(list)}});
}

std::string backgrounded_json(const std::vector<std::string>& upload_ids) {
  json::array list;
  for (const std::string& id : upload_ids) list.push_back(json::object{{"upload_id", id}});
  return json::serialize(json::object{{"msg", "ok"}, {"uploads", std::move(list)}});
}

std::string blurhash_json(const std::string& blurhash) {
  return json::serialize(json::object{{"msg", "ok"}, {"blurhash", blurhash}});
}

std::string aliases_json(const std::vector<std::string>& aliases) {
  return json::serialize(json::object{{"msg", "ok"}, {"aliases", names(aliases)}});
}

Bytes hash_key(const store::BlobEntry& entry) {
  Bytes key(entry.blob.bytes.begin(), entry.blob.bytes.end());
  for (int shift = 40; shift >= 0; shift -= 8)
    key.push_back(static_cast<std::byte>(entry.details.bytes >> shift));
  key.push_back(static_cast<std::byte>(format_number(entry.details)));
  return key;
}

std::string hashes_json(const store::BlobPage& page, std::size_t limit) {
  json::object result{{"limit", limit}};
  if (!page.entries.empty()) result["current"] = base64url(hash_key(page.entries.front()));
  if (page.previous) result["prev"] = base64url(hash_key(*page.previous));
  if (page.next) result["next"] = base64url(hash_key(*page.next));
  json::array hashes;
  for (const store::BlobEntry& entry : page.entries)
    hashes.push_back(json::object{{"hex", to_hex(hash_key(entry))},
                                  {"aliases", names(entry.aliases)},
                                  {"details", details_object(entry.details, entry.created)}});
  result["hashes"] = std::move(hashes);
  return json::serialize(json::object{{"msg", "ok"}, {"page", std::move(result)}});
}

}  // namespace portcullis::media
