// testing/service_imposters.h: detection services as their documentation describes them, each a
// small server on a free loopback port. They know no real picture: a test says what they know.
// Replies are written as the services write them.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "testing/raw_origin.h"

namespace portcullis::testing {

// The value of `name` in the query of a request; empty if there is none.
inline std::string query_value(const std::string& head, const std::string& name) {
  const std::string path = path_of(head);
  for (std::size_t at = path.find('?'); at != std::string::npos; at = path.find('&', at + 1))
    if (path.compare(at + 1, name.size() + 1, name + '=') == 0) {
      const std::size_t start = at + 2 + name.size();
      return path.substr(start, path.find('&', start) - start);
    }
  return {};
}

// Empty if there is none. Names as they are written.
inline std::string header_value(const std::string& head, const std::string& name) {
  const std::size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const std::size_t start = at + name.size() + 4;
  return head.substr(start, head.find("\r\n", start) - start);
}

inline std::string json_answer(const std::string& status, const std::string& body) {
  return answer(
      status,
      "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n",
      body);
}

class Imposter {
 public:
  using Reply = std::function<std::string(const std::string& head, const std::string& body)>;
  explicit Imposter(Reply reply)
      : origin_([this, reply = std::move(reply)](const std::string& head, const std::string& body) {
          const std::scoped_lock lock(mutex_);
          return play_ ? *play_ : RawOrigin::Play{reply(head, body)};
        }) {}

  std::string url(const std::string& path = {}) const { return origin_.url(path); }
  std::vector<std::string> heads() const { return origin_.heads(); }
  std::vector<std::string> bodies() const { return origin_.bodies(); }
  std::size_t requests() const { return origin_.heads().size(); }

  // Instead of its own replies, until it is told nothing.
  void play(std::optional<RawOrigin::Play> instead) {
    const std::scoped_lock lock(mutex_);
    play_ = std::move(instead);
  }

 private:
  std::mutex mutex_;
  std::optional<RawOrigin::Play> play_;
  RawOrigin origin_;
};

// hasher-matcher-actioner 1.1.7: GET /m/lookup and /status.
struct HmaImposter {
  bool is_ready = true;
  std::map<std::string, std::string> banks_by_hash;  // hexadecimal PDQ -> bank

  Imposter server{[this](const std::string& head, const std::string&) {
    const std::string path = path_of(head).substr(0, path_of(head).find('?'));
    if (path == "/status")
      return is_ready
                 ? whole("I-AM-ALIVE")
                 : answer("503 Service Unavailable", "Content-Length: 16\r\n", "INDEX-NOT-LOADED");
    if (path != "/m/lookup") return json_answer("404 Not Found", R"({"message":"Not Found"})");
    if (query_value(head, "signal_type") != "pdq" || query_value(head, "signal").size() != 64)
      return json_answer("400 Bad Request", R"({"message":"invalid signal"})");
    if (!is_ready)
      return json_answer("503 Service Unavailable", R"({"message":"index not yet ready"})");
    const auto found = banks_by_hash.find(query_value(head, "signal"));
    const std::string wanted = "," + query_value(head, "banks") + ",";
    if (found == banks_by_hash.end() ||
        (wanted != ",," && !wanted.contains("," + found->second + ",")))
      return json_answer("200 OK", "{}");
    return json_answer("200 OK",
                       "{\"" + found->second + R"(":[{"bank_content_id":1001,"distance":"4"}]})");
  }};
};

// Project Arachnid Shield: POST /v1/pdq/ and /v1/media/, for user "gate" with password "secret".
struct ArachnidImposter {
  std::map<std::string, std::string> classes;  // base64 PDQ, or a whole body -> classification
  bool says_null = true;  // of a hash that is not known; or an object that says no-known-match

  Imposter server{[this](const std::string& head, const std::string& body) {
    if (header_value(head, "Authorization") != "Basic Z2F0ZTpzZWNyZXQ=") {
      const std::string why =
          "Please supply your API username and password in the Authorization header";
      return answer(
          "401 Unauthorized",
          "Content-Type: text/plain\r\nContent-Length: " + std::to_string(why.size()) + "\r\n",
          why);
    }
    if (!head.starts_with("POST ")) return json_answer("405 Method", R"({"detail":"POST"})");
    if (path_of(head) == "/v1/pdq/") return json_answer("200 OK", pdq(body));
    if (path_of(head) != "/v1/media/") return json_answer("404 Not Found", R"({"detail":"no"})");
    if (!header_value(head, "Content-Type").contains('/'))
      return json_answer("400 Bad Request", R"({"detail":"Content-Type"})");
    const auto found = classes.find(body);
    const std::string outcome =
        found == classes.end()
            ? R"("classification":"no-known-match","match_type":null,"near_match_details":[])"
            : R"("classification":")" + found->second +
                  R"(","match_type":"exact","near_match_details":[])";
    return json_answer("200 OK",
                       R"({"sha1_base32":"4523EFGHIJKLMNOPQRSTUVWXYZ723456","sha256_hex":"00",)"
                       R"("size_bytes":)" +
                           std::to_string(body.size()) + "," + outcome + "}");
  }};

 private:
  std::string pdq(const std::string& body) const {
    std::string results;
    std::size_t at = body.find('[');
    while ((at = body.find('"', at)) != std::string::npos) {
      const std::size_t end = body.find('"', at + 1);
      const std::string hash = body.substr(at + 1, end - at - 1);
      at = end + 1;
      const auto found = classes.find(hash);
      const std::string one =
          found != classes.end()
              ? R"({"classification":")" + found->second +
                    R"(","match_type":"near","near_match_details":{"timestamp":0.0,)"
                    R"("sha1_base32":"A","sha256_hex":"B","classification":")" +
                    found->second + R"("}})"
          : says_null
              ? "null"
              : R"({"classification":"no-known-match","match_type":null,"near_match_details":null})";
      results += (results.empty() ? "\"" : ",\"") + hash + "\":" + one;
    }
    return "{\"scanned_hashes\":{" + results + "}}";
  }
};

// PhotoDNA Cloud Service: POST /Match, for the key "abc".
struct PhotoDnaImposter {
  std::set<std::string> known;  // whole bodies
  int code = 3000;

  Imposter server{[this](const std::string& head, const std::string& body) {
    if (header_value(head, "Ocp-Apim-Subscription-Key") != "abc")
      return json_answer("401 Access Denied", R"({"statusCode":401,"message":"Access denied"})");
    if (!head.starts_with("POST ") || path_of(head) != "/Match")
      return json_answer("404 Resource Not Found", R"({"statusCode":404})");
    const bool is_match = known.contains(body);
    const std::string details =
        is_match ? R"({"AdvancedInfo":[],"MatchFlags":[{"AdvancedInfo":[{"Key":"MatchId",)"
                   R"("Value":"117721"}],"Source":"Test","Violations":["A1"],"MatchDistance":0}]})"
                 : "null";
    return json_answer(
        "200 OK",
        R"({"Status":{"Code":)" + std::to_string(code) +
            R"(,"Description":"OK","Exception":null},"ContentId":null,"IsMatch":)" +
            (is_match ? "true" : "false") + R"(,"MatchDetails":)" + details +
            R"(,"XPartnerCustomerId":null,"TrackingId":"WUS_1","EvaluateResponse":null})");
  }};
};

}  // namespace portcullis::testing
