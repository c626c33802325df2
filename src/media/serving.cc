#include "media/serving.h"

#include "media/answers.h"
#include "media/range.h"

namespace portcullis::media {

namespace {

std::string etag_of(const Sha256& digest) { return '"' + digest.hex() + '"'; }

// Whether the client has this already. Only asked for direct requests.
bool is_unchanged(const net::Request& request, const std::string& etag, WallTime modified) {
  if (const auto value = request.header("if-none-match")) return etag_listed(*value, etag);
  if (const auto value = request.header("if-modified-since")) {
    const auto since = parse_http_date(*value);
    return since && std::chrono::floor<std::chrono::seconds>(modified) <= *since;
  }
  return false;
}

// If-Range: the range counts only for the very same bytes.
bool range_counts(const net::Request& request, const std::string& etag, WallTime modified) {
  const auto value = request.header("if-range");
  if (!value || *value == etag) return true;
  const auto date = parse_http_date(*value);
  return date && std::chrono::floor<std::chrono::seconds>(modified) == *date;
}

}  // namespace

net::Response serve(const net::Request& request, const StoredPointer& picture, bool relayed,
                    std::chrono::seconds cache_max_age) {
  const WallTime created = picture->created;
  const std::string etag = etag_of(picture->blob);
  net::Response response;
  response.headers = {{"ETag", etag},
                      {"Last-Modified", http_date(created)},
                      {"Cache-Control", fmt::format("public, max-age={}", cache_max_age.count())},
                      {"Accept-Ranges", "bytes"},
                      {"Content-Type", picture->details.content_type},
                      {"X-Content-Type-Options", "nosniff"}};
  if (!relayed && is_unchanged(request, etag, created)) {
    response.status = 304;
    return response;
  }
  Range range;
  if (const auto asked = request.header("range"); asked && range_counts(request, etag, created))
    range = parse_range(*asked, picture->size);
  switch (range.kind) {
    case Range::Kind::whole:
      response.body = net::FilePart{picture->fd, 0, picture->size};
      break;
    case Range::Kind::part:
      response.status = 206;
      response.headers.push_back(
          {"Content-Range", fmt::format("bytes {}-{}/{}", range.offset,
                                        range.offset + range.length - 1, picture->size)});
      response.body = net::FilePart{picture->fd, range.offset, range.length};
      break;
    case Range::Kind::unsatisfiable:
      response.status = 416;
      response.headers.push_back({"Content-Range", fmt::format("bytes */{}", picture->size)});
      break;
    case Range::Kind::several:
      return error_answer(416, "range-not-satisfiable", "Only one range of bytes can be served.");
  }
  return response;
}

net::Response serve_not_found(const StoredPointer& picture) {
  return {404,
          {{"Cache-Control", "no-store"},
           {"Content-Type", picture->details.content_type},
           {"X-Content-Type-Options", "nosniff"}},
          net::FilePart{picture->fd, 0, picture->size},
          false};
}

}  // namespace portcullis::media
