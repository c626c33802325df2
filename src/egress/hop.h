// egress/hop.h: one request and its answer, those of a URL or of what it redirects to.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <optional>

#include "egress/call.h"
#include "egress/head.h"

namespace portcullis::egress {

// Belongs to the client's thread.
class Hop {
 public:
  // What it refers to must outlive it. Fault::us if libcurl has no memory.
  static Result<std::unique_ptr<Hop>> create(const Options& options, const Url& url,
                                             std::uint64_t max_bytes, Call& call);
  Hop(const Hop&) = delete;
  Hop& operator=(const Hop&) = delete;

  // For the multi interface; to be removed from it before the hop goes.
  CURL* easy() const { return easy_.get(); }

  // When libcurl says that it has ended with `code`: where it leads, or nothing if the body was
  // given to the call as a whole. Errors as Client::fetch() has them.
  Result<std::optional<Url>> outcome(CURLcode code);

 private:
  struct Cleanup {
    void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
    void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
  };

  Hop(const Options& options, const Url& url, std::uint64_t max_bytes, Call& call)
      : options_(options), url_(url), max_bytes_(max_bytes), call_(call) {}

  bool prepare();
  bool may_reach(const curl_sockaddr& address) const;
  Status take_line(std::string_view line);
  Status take_body(ByteView bytes);
  Status end_head();
  std::size_t consumed(const Status& status, std::size_t count);

  static curl_socket_t on_socket(void* self, curlsocktype, curl_sockaddr* address);
  static std::size_t on_line(char* data, std::size_t, std::size_t count, void* self);
  static std::size_t on_body(char* data, std::size_t, std::size_t count, void* self);

  const Options& options_;
  const Url& url_;
  const std::uint64_t max_bytes_;
  Call& call_;
  std::unique_ptr<curl_slist, Cleanup> headers_;
  std::unique_ptr<CURL, Cleanup> easy_;

  bool has_refused_ = false, has_vetted_ = false;  // an address
  Head head_;
  long status_ = 0;             // 0 until the head is there
  std::uint64_t received_ = 0;  // of the body
  std::optional<Error> error_;  // of what came; libcurl's own is beside the point then
};

}  // namespace portcullis::egress
