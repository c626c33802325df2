// media/uploads.h: POST /image and its sisters, from body to answer. Private to the room.
#pragma once

#include <unordered_map>

#include "media/ingest.h"
#include "media/routes.h"

namespace portcullis::media {

// Uploads that are screened after the answer; each is claimed once. Thread-safe.
class Backgrounded {
 public:
  using Outcome = Taken;
  // Nothing when too many wait to be claimed.
  std::optional<std::string> begin(WallTime now);
  void finish(const std::string& id, Outcome outcome);

  enum class State { unknown, working, done };
  struct Claim {
    State state = State::unknown;
    std::optional<Outcome> outcome;  // when done: it is no longer known then
  };
  Claim claim(const std::string& id);
  // Those that were not claimed since `before` are forgotten; gives what they had stored.
  std::vector<Uploaded> expire(WallTime before);

 private:
  static constexpr std::size_t kMost = 1'000;
  struct Entry {
    WallTime begun;
    std::optional<Outcome> outcome;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

class Uploads {
 public:
  explicit Uploads(Shared& shared) : shared_(shared), ingest_(shared) {}

  Task<net::Response> upload(const net::Request& request, net::BodyReader& body,
                             const Route& route);
  Task<net::Response> upload_backgrounded(const net::Request& request, net::BodyReader& body,
                                          const Route& route);
  Task<net::Response> claim(const Route& route);
  // The names of the files become their aliases.
  Task<net::Response> import(const net::Request& request, net::BodyReader& body,
                             const Route& route);
  // Uploads that were never claimed go. On the db pool.
  Status expire_unclaimed();

 private:
  struct Received {
    std::vector<ReceivedFile> files;
    image::Wishes wishes;
    SteadyTime when{};
  };
  Task<Answered<Received>> receive(const net::Request& request, net::BodyReader& body,
                                   const Route& route);
  Task<Result<std::vector<ReceivedFile>>> read(const net::Request& request, net::BodyReader& body);
  Order order_for(const net::Request& request, const image::Wishes& wishes,
                  policy::Origin origin) const;
  Task<void> work_in_background(ReceivedFile file, Order order, SteadyTime received,
                                std::string id);

  Shared& shared_;
  Ingest ingest_;
  Backgrounded backgrounded_;
};

}  // namespace portcullis::media
