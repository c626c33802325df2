// media/uploads.h: POST /image and its sisters, from body to answer. Private to the room.
#pragma once

#include "media/ingest.h"
#include "media/routes.h"

namespace portcullis::media {

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
    Uploader uploader;
    SteadyTime when{};
  };
  Task<Answered<Received>> receive(const net::Request& request, net::BodyReader& body,
                                   const Route& route);
  Task<Result<std::vector<ReceivedFile>>> read(const net::Request& request, net::BodyReader& body);
  Order order_for(const net::Request& request, const Received& received,
                  const std::string& file_name, policy::Origin origin) const;
  Task<void> work_in_background(ReceivedFile file, Order order, SteadyTime received,
                                std::string id);

  Shared& shared_;
  Ingest ingest_;
};

}  // namespace portcullis::media
