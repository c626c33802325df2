#include "media/answers.h"

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
    {"command-failure", 400, "The file is damaged or not a picture."},
    {"file-upload-error", 400, kUnreadable},
    {"stream-too-slow", 408, "The upload was too slow. Please try again."},
    {"spool-full", 503, "Too many uploads at once. Please try again in a minute."},
    {"decoder-busy", 503, "Too many uploads at once. Please try again in a minute."},
};

json::object details_object(const store::Details& details, WallTime created) {
  return {{"width", details.width},
          {"height", details.height},
          {"frames", details.frames ? json::value(*details.frames) : json::value(nullptr)},
          {"content_type", details.content_type},
          {"created_at", rfc3339(created)},
          {"format", details.frames ? "Animation" : "Image"},
          {"blurhash",
           details.blurhash.empty() ? json::value(nullptr) : json::value(details.blurhash)}};
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

net::Response content_refused() {
  return refusal(400, "failed-external-validation", "This picture cannot be accepted here.");
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

net::Response uploads_closed(std::string_view message) {
  return refusal(
      400, "uploads-closed",
      message.empty() ? "Uploads are switched off for now. Please try again later." : message);
}

net::Response error_answer(int status, std::string_view code, std::string_view text) {
  return json_answer(status, json::serialize(json::object{{"msg", text}, {"code", code}}));
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

}  // namespace portcullis::media
