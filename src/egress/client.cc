#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "base/log.h"
#include "egress/egress.h"

namespace portcullis::egress {

namespace {

constexpr long kMaxHeaderBytes = 64 * 1024;
constexpr std::chrono::milliseconds kLongestPoll{1'000};
// A body that comes slower than this for a while is given up before its time is over.
constexpr long kLeastBytesASecond = 64, kSlowSeconds = 5;

std::unexpected<Error> origin_failed(std::string_view why) {
  return fail_with(Fault::upstream, "download-file-error", "{}", why);
}
std::unexpected<Error> out_of_time() {
  return fail_with(Fault::upstream, "fetch-timeout", "the fetch took too long");
}

std::optional<IpAddress> address_of(const sockaddr& address) {
  IpAddress result;
  if (address.sa_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &address, sizeof v4);
    result.bytes[10] = result.bytes[11] = 0xFF;
    std::memcpy(result.bytes.data() + 12, &v4.sin_addr, 4);
    return result;
  }
  if (address.sa_family != AF_INET6) return std::nullopt;
  sockaddr_in6 v6;
  std::memcpy(&v6, &address, sizeof v6);
  std::memcpy(result.bytes.data(), &v6.sin6_addr, 16);
  return result;
}

// One fetch, over all its redirects. Belongs to the client's thread once it was handed over.
struct Fetch {
  const Options* options;
  Url url;
  std::uint64_t max_bytes;
  std::chrono::steady_clock::time_point until;
  Sink sink;
  std::function<void(Status)> done;  // called once

  CURL* easy = nullptr;
  std::string first_host;  // whose place it takes
  std::size_t redirects = 0;
  std::uint64_t received = 0;
  std::size_t header_bytes = 0;
  bool address_refused = false;
  std::optional<Error> error;  // of the sink, or of a limit
};

class CurlClient final : public Client {
 public:
  explicit CurlClient(Options options) : options_(std::move(options)) {}
  ~CurlClient() override {
    stopping_ = true;
    ::curl_multi_wakeup(multi_);
    if (thread_.joinable()) thread_.join();
    ::curl_multi_cleanup(multi_);
  }

  Status start() {
    static const CURLcode ready = ::curl_global_init(CURL_GLOBAL_DEFAULT);
    if (ready != CURLE_OK) return fail(Fault::us, "libcurl does not start");
    multi_ = ::curl_multi_init();
    if (!multi_) return fail(Fault::us, "libcurl does not start");
    thread_ = std::thread([this] { run(); });
    ::pthread_setname_np(thread_.native_handle(), "egress");
    return {};
  }

  Task<Status> fetch(std::string url, std::uint64_t max_bytes, std::chrono::milliseconds timeout,
                     Sink sink) override {
    auto parsed = parse_url(url);
    if (!parsed) co_return std::unexpected(std::move(parsed).error());
    auto fetch = std::make_unique<Fetch>();
    fetch->options = &options_;
    fetch->first_host = parsed->host;
    fetch->url = *std::move(parsed);
    fetch->max_bytes = max_bytes;
    fetch->until = std::chrono::steady_clock::now() + timeout;
    fetch->sink = std::move(sink);
    Status result;
    co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
        [&](auto handler) {
          const auto executor = asio::get_associated_executor(handler);
          auto work = asio::make_work_guard(executor);
          auto shared = std::make_shared<decltype(handler)>(std::move(handler));
          fetch->done = [&result, executor, work, shared](Status status) mutable {
            result = std::move(status);
            asio::post(executor, [shared = std::move(shared)] { (*shared)(); });
          };
          {
            const std::scoped_lock lock(mutex_);
            incoming_.push_back(std::move(fetch));
          }
          ::curl_multi_wakeup(multi_);
        },
        use_task);
    co_return result;
  }

 private:
  void run();
  void take_incoming();
  void start_waiting();
  bool start(Fetch& fetch);
  void finish_ended();
  void finish_late();
  Status outcome(Fetch& fetch, CURLcode code);
  std::optional<Status> follow(Fetch& fetch, long status);
  void finish(CURL* easy, Status status);
  std::chrono::milliseconds time_to_poll() const;

  static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address);
  static std::size_t take_body(char* data, std::size_t, std::size_t count, void* self);
  static std::size_t take_header(char* data, std::size_t, std::size_t count, void* self);

  const Options options_;
  CURLM* multi_ = nullptr;
  std::thread thread_;
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;
  std::vector<std::unique_ptr<Fetch>> incoming_;

  // Of the thread alone.
  std::deque<std::unique_ptr<Fetch>> waiting_;
  std::map<CURL*, std::unique_ptr<Fetch>> at_work_;
  std::map<std::string, std::size_t> hosts_;  // how many are at work for each
};

// The only place where it is decided which addresses are talked to.
curl_socket_t CurlClient::open_socket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& fetch = *static_cast<Fetch*>(self);
  const auto ip = address_of(address->addr);
  bool allowed = ip && is_public(*ip);
  if (ip && !allowed)
    for (const Network& network : fetch.options->allow) allowed |= network.contains(*ip);
  if (!allowed) {
    fetch.address_refused = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t CurlClient::take_header(char*, std::size_t, std::size_t count, void* self) {
  auto& fetch = *static_cast<Fetch*>(self);
  fetch.header_bytes += count;
  if (fetch.header_bytes <= static_cast<std::size_t>(kMaxHeaderBytes)) return count;
  fetch.error = origin_failed("a head that is too long").error();
  return 0;
}

std::size_t CurlClient::take_body(char* data, std::size_t, std::size_t count, void* self) {
  auto& fetch = *static_cast<Fetch*>(self);
  long status = 0;
  ::curl_easy_getinfo(fetch.easy, CURLINFO_RESPONSE_CODE, &status);
  fetch.received += count;
  if (fetch.received > fetch.max_bytes) {
    fetch.error = Error{Fault::limits, "the body is too large", "validate-file-size"};
    return 0;
  }
  if (status < 200 || status > 299) return count;
  Status taken = fetch.sink({reinterpret_cast<const std::byte*>(data), count});
  if (taken) return count;
  fetch.error = std::move(taken).error();
  return 0;
}

void CurlClient::run() {
  while (!stopping_) {
    take_incoming();
    start_waiting();
    int running = 0;
    ::curl_multi_perform(multi_, &running);
    finish_ended();
    finish_late();
    start_waiting();
    ::curl_multi_poll(multi_, nullptr, 0, static_cast<int>(time_to_poll().count()), nullptr);
  }
  take_incoming();
  const auto stopped = [] { return origin_failed("this server is stopping"); };
  for (auto& fetch : waiting_) fetch->done(stopped());
  waiting_.clear();
  while (!at_work_.empty()) finish(at_work_.begin()->first, stopped());
}

void CurlClient::take_incoming() {
  const std::scoped_lock lock(mutex_);
  for (auto& fetch : incoming_) waiting_.push_back(std::move(fetch));
  incoming_.clear();
}

// The oldest whose host has a place.
void CurlClient::start_waiting() {
  for (auto next = waiting_.begin();
       next != waiting_.end() && at_work_.size() < options_.max_at_once;) {
    if (hosts_[(*next)->first_host] >= options_.max_per_host) {
      ++next;
      continue;
    }
    std::unique_ptr<Fetch> fetch = std::move(*next);
    next = waiting_.erase(next);
    fetch->easy = ::curl_easy_init();
    if (!fetch->easy || !start(*fetch)) {
      ::curl_easy_cleanup(fetch->easy);
      fetch->done(fail(Fault::us, "libcurl cannot begin a fetch"));
      continue;
    }
    ++hosts_[fetch->first_host];
    at_work_.emplace(fetch->easy, std::move(fetch));
  }
  std::erase_if(hosts_, [](const auto& host) { return host.second == 0; });
}

// One hop. Every hop is a connection of its own: one that is reused was judged for another fetch.
bool CurlClient::start(Fetch& fetch) {
  CURL* easy = fetch.easy;
  ::curl_easy_reset(easy);
  fetch.received = fetch.header_bytes = 0;
  fetch.address_refused = false;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(fetch.until - std::chrono::steady_clock::now());
  const auto set = [&](auto option, auto value) {
    return ::curl_easy_setopt(easy, option, value) == CURLE_OK;
  };
  return set(CURLOPT_URL, fetch.url.text.c_str()) && set(CURLOPT_HTTPGET, 1L) &&
         set(CURLOPT_NOSIGNAL, 1L) && set(CURLOPT_PROTOCOLS_STR, "http,https") &&
         set(CURLOPT_FOLLOWLOCATION, 0L) && set(CURLOPT_PROXY, "") &&
         set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED)) &&
         set(CURLOPT_USERAGENT, options_.user_agent.c_str()) && set(CURLOPT_SSL_VERIFYPEER, 1L) &&
         set(CURLOPT_SSL_VERIFYHOST, 2L) &&
         set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
         set(CURLOPT_FRESH_CONNECT, 1L) && set(CURLOPT_FORBID_REUSE, 1L) &&
         set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count())) &&
         set(CURLOPT_TIMEOUT_MS, std::max<long>(1, static_cast<long>(left.count()))) &&
         set(CURLOPT_LOW_SPEED_LIMIT, kLeastBytesASecond) &&
         set(CURLOPT_LOW_SPEED_TIME, kSlowSeconds) &&
         set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(fetch.max_bytes)) &&
         set(CURLOPT_OPENSOCKETFUNCTION, &CurlClient::open_socket) &&
         set(CURLOPT_OPENSOCKETDATA, static_cast<void*>(&fetch)) &&
         set(CURLOPT_WRITEFUNCTION, &CurlClient::take_body) &&
         set(CURLOPT_WRITEDATA, static_cast<void*>(&fetch)) &&
         set(CURLOPT_HEADERFUNCTION, &CurlClient::take_header) &&
         set(CURLOPT_HEADERDATA, static_cast<void*>(&fetch)) &&
         ::curl_multi_add_handle(multi_, easy) == CURLM_OK;
}

void CurlClient::finish_ended() {
  int left = 0;
  while (const CURLMsg* message = ::curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode code = message->data.result;
    Fetch& fetch = *at_work_.at(easy);
    long status = 0;
    ::curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && status >= 300 && status < 400) {
      const auto ended = follow(fetch, status);
      if (!ended) continue;
      finish(easy, *ended);
      continue;
    }
    finish(easy, outcome(fetch, code));
  }
}

// The next hop is begun, or the fetch has ended.
std::optional<Status> CurlClient::follow(Fetch& fetch, long status) {
  char* location = nullptr;  // made absolute by libcurl
  ::curl_easy_getinfo(fetch.easy, CURLINFO_REDIRECT_URL, &location);
  const bool is_redirect =
      status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
  if (!is_redirect || !location)
    return origin_failed(fmt::format("status {} leads nowhere", status));
  if (++fetch.redirects > fetch.options->max_redirects) return origin_failed("too many redirects");
  auto next = parse_url(location);
  if (!next) return std::unexpected(std::move(next).error());
  fetch.url = *std::move(next);
  ::curl_multi_remove_handle(multi_, fetch.easy);
  if (!start(fetch)) return fail(Fault::us, "libcurl cannot begin a fetch");
  return std::nullopt;
}

Status CurlClient::outcome(Fetch& fetch, CURLcode code) {
  if (fetch.error) return std::unexpected(*std::move(fetch.error));
  if (code == CURLE_FILESIZE_EXCEEDED)
    return fail_with(Fault::limits, "validate-file-size", "the body is too large");
  if (code == CURLE_OPERATION_TIMEDOUT) {
    if (std::chrono::steady_clock::now() >= fetch.until) return out_of_time();
    return origin_failed("the origin is too slow");
  }
  if (fetch.address_refused && code == CURLE_COULDNT_CONNECT)
    return fail_with(Fault::client, "address-refused", "an address that is not public");
  if (code != CURLE_OK) return origin_failed(::curl_easy_strerror(code));
  long status = 0;
  ::curl_easy_getinfo(fetch.easy, CURLINFO_RESPONSE_CODE, &status);
  if (status < 200 || status > 299) return origin_failed(fmt::format("status {}", status));
  return {};
}

// Those that wait for a place as well; libcurl ends the others by itself.
void CurlClient::finish_late() {
  const auto now = std::chrono::steady_clock::now();
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    if ((*next)->until > now) {
      ++next;
      continue;
    }
    (*next)->done(out_of_time());
    next = waiting_.erase(next);
  }
}

void CurlClient::finish(CURL* easy, Status status) {
  const auto found = at_work_.find(easy);
  std::unique_ptr<Fetch> fetch = std::move(found->second);
  at_work_.erase(found);
  ::curl_multi_remove_handle(multi_, easy);
  ::curl_easy_cleanup(easy);
  if (const auto host = hosts_.find(fetch->first_host); host != hosts_.end() && host->second > 0)
    --host->second;
  fetch->done(std::move(status));
}

std::chrono::milliseconds CurlClient::time_to_poll() const {
  auto time = kLongestPoll;
  const auto now = std::chrono::steady_clock::now();
  for (const auto& fetch : waiting_)
    time = std::min(time, std::chrono::ceil<std::chrono::milliseconds>(
                              std::max(fetch->until - now, std::chrono::nanoseconds(0))));
  return time;
}

}  // namespace

Result<std::unique_ptr<Client>> Client::create(Options options) {
  auto client = std::make_unique<CurlClient>(std::move(options));
  TRY(client->start());
  return client;
}

}  // namespace portcullis::egress
