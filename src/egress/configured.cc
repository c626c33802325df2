#include <curl/curl.h>
#include <fcntl.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "base/fd.h"
#include "egress/call.h"

namespace portcullis::egress {

namespace {

using Milliseconds = std::chrono::milliseconds;

constexpr Milliseconds kLongestPoll{1'000};
constexpr Milliseconds kLongestAsk = std::chrono::minutes(10);
constexpr std::size_t kMostOfAHead = 64 * 1024;

std::unexpected<Error> out_of_time() { return fail(Fault::upstream, "it did not answer in time"); }
std::unexpected<Error> stopping() { return fail(Fault::upstream, "this server is stopping"); }

// One request, from the asking coroutine to the client's thread and back. Shared by both, so it
// does not matter which goes first; once the call has ended, the thread touches it no more.
struct Exchange {
  Endpoint endpoint;
  Request request;
  UniqueFd file;  // of our own: nobody can put another file in its place
  std::uint64_t max_bytes = 0;
  Deadline until;
  bool only_connects = false;

  std::shared_ptr<Call> call;
  std::string url;
  std::uint64_t sent = 0;      // of the file
  std::uint64_t received = 0;  // of the body
  bool has_sink = false;
  std::size_t head_bytes = 0;
  bool head_has_ended = false;  // libcurl takes one that has not
  std::optional<Error> error;   // of what came; libcurl's own is beside the point then
  CURL* easy = nullptr;
  curl_slist* headers = nullptr;
  Reply reply;

  Exchange(Endpoint where, Request what) : endpoint(std::move(where)), request(std::move(what)) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() { clean_up(); }

  void clean_up() {
    if (easy) ::curl_easy_cleanup(std::exchange(easy, nullptr));
    ::curl_slist_free_all(std::exchange(headers, nullptr));
  }
  bool prepare(const ConfiguredOptions& options);
  Status outcome(CURLcode code);
};

std::size_t on_head(char* data, std::size_t, std::size_t count, void* self) {
  auto& exchange = *static_cast<Exchange*>(self);
  exchange.head_bytes += count;
  exchange.head_has_ended = trim({data, count}).empty();
  if (exchange.head_bytes <= kMostOfAHead) return count;
  exchange.error = Error{Fault::limits, "the head of its answer is too large", {}};
  return 0;
}

std::size_t on_body(char* data, std::size_t, std::size_t count, void* self) {
  auto& exchange = *static_cast<Exchange*>(self);
  exchange.received += count;
  if (exchange.received > exchange.max_bytes) {
    exchange.error = Error{Fault::limits, "its answer is too large", {}};
    return 0;
  }
  long status = 0;
  ::curl_easy_getinfo(exchange.easy, CURLINFO_RESPONSE_CODE, &status);
  if (!exchange.has_sink || status < 200 || status > 299) {
    exchange.reply.body.append(data, count);
    return count;
  }
  if (Status given = exchange.call->give(as_bytes(std::string_view(data, count))); !given) {
    exchange.error = std::move(given).error();
    return 0;
  }
  return count;
}

std::size_t on_read(char* data, std::size_t, std::size_t count, void* self) {
  auto& exchange = *static_cast<Exchange*>(self);
  const std::uint64_t left = exchange.request.file->size - exchange.sent;
  const std::span<std::byte> space(reinterpret_cast<std::byte*>(data),
                                   static_cast<std::size_t>(std::min<std::uint64_t>(count, left)));
  const auto read = read_at(exchange.file.get(), space, exchange.sent);
  if (!read || *read < space.size()) {
    exchange.error = Error{Fault::storage, "the picture cannot be read", {}};
    return CURL_READFUNC_ABORT;
  }
  exchange.sent += *read;
  return *read;
}

// A kept connection may turn out to be closed; then the file is sent once more.
int on_seek(void* self, curl_off_t offset, int origin) {
  auto& exchange = *static_cast<Exchange*>(self);
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_FAIL;
  exchange.sent = static_cast<std::uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

bool Exchange::prepare(const ConfiguredOptions& options) {
  easy = ::curl_easy_init();
  if (!easy) return false;
  const auto set = [&](auto option, auto value) {
    return ::curl_easy_setopt(easy, option, value) == CURLE_OK;
  };
  void* const self = this;
  url = endpoint.text();
  if (!request.target.empty() && url.ends_with('/')) url.pop_back();
  url += request.target;
  bool good = set(CURLOPT_PRIVATE, self) && set(CURLOPT_URL, url.c_str()) &&
              set(CURLOPT_PROTOCOLS_STR, endpoint.is_encrypted() ? "https" : "http") &&
              set(CURLOPT_FOLLOWLOCATION, 0L) && set(CURLOPT_PROXY, "") &&
              set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED)) &&
              set(CURLOPT_USERAGENT, options.user_agent.c_str()) &&
              set(CURLOPT_SSL_VERIFYPEER, 1L) && set(CURLOPT_SSL_VERIFYHOST, 2L) &&
              set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
              set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
              set(CURLOPT_HTTP09_ALLOWED, 0L) && set(CURLOPT_NOSIGNAL, 1L) &&
              set(CURLOPT_QUICK_EXIT, 1L) &&  // as in hop.cc
              set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout.count())) &&
              set(CURLOPT_HEADERFUNCTION, &on_head) && set(CURLOPT_HEADERDATA, self) &&
              set(CURLOPT_WRITEFUNCTION, &on_body) && set(CURLOPT_WRITEDATA, self);
  if (good && only_connects) return set(CURLOPT_CONNECT_ONLY, 1L) && set(CURLOPT_FORBID_REUSE, 1L);
  // "Expect: 100-continue" would cost a second with servers that do not know it.
  request.headers.emplace_back("Expect:");
  for (const std::string& header : request.headers) {
    curl_slist* longer = ::curl_slist_append(headers, header.c_str());
    good = good && longer;
    if (longer) headers = longer;
  }
  good = good && set(CURLOPT_HTTPHEADER, headers);
  if (!request.is_post) return good && set(CURLOPT_HTTPGET, 1L);
  const std::uint64_t size = request.file ? request.file->size : request.body.size();
  good = good && set(CURLOPT_POST, 1L) &&
         set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(size));
  if (!request.file) return good && set(CURLOPT_POSTFIELDS, request.body.data());
  return good && set(CURLOPT_READFUNCTION, &on_read) && set(CURLOPT_READDATA, self) &&
         set(CURLOPT_SEEKFUNCTION, &on_seek) && set(CURLOPT_SEEKDATA, self);
}

Status Exchange::outcome(CURLcode code) {
  if (error) return std::unexpected(*std::move(error));
  if (code != CURLE_OK) return fail(Fault::upstream, "{}", ::curl_easy_strerror(code));
  if (only_connects) return {};
  long status = 0;
  ::curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  if (!head_has_ended || status < 200 || status > 599)
    return fail(Fault::upstream, "it gave no whole answer");
  reply.status = static_cast<int>(status);
  return {};
}

class CurlConfiguredClient final : public ConfiguredClient {
 public:
  explicit CurlConfiguredClient(ConfiguredOptions options) : options_(std::move(options)) {}
  ~CurlConfiguredClient() override {
    {
      const std::scoped_lock lock(mutex_);
      is_stopping_ = true;
    }
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
    ::pthread_setname_np(thread_.native_handle(), "services");
    return {};
  }

  Task<Result<Reply>> ask(Endpoint endpoint, Request request, std::uint64_t max_bytes,
                          Milliseconds timeout) override {
    PORTCULLIS_CHECK(request.target.empty() || request.target.starts_with('/'));
    PORTCULLIS_CHECK(std::ranges::none_of(request.headers, [](const std::string& header) {
      return std::ranges::any_of(header, [](unsigned char c) { return c < 0x20 || c == 0x7F; });
    }));
    const auto exchange = std::make_shared<Exchange>(std::move(endpoint), std::move(request));
    exchange->max_bytes = max_bytes;
    if (const auto& file = exchange->request.file) {
      exchange->file.reset(::fcntl(file->fd, F_DUPFD_CLOEXEC, 0));
      if (!exchange->file) co_return fail_errno("the picture cannot be read");
    }
    CO_TRY(co_await hand_over(exchange, timeout));
    co_return std::move(exchange->reply);
  }

  Task<Status> connect(Endpoint endpoint, Milliseconds timeout) override {
    const auto exchange = std::make_shared<Exchange>(std::move(endpoint), Request{});
    exchange->only_connects = true;
    co_return co_await hand_over(exchange, timeout);
  }

 private:
  Task<Status> hand_over(std::shared_ptr<Exchange> exchange, Milliseconds timeout) {
    exchange->until =
        std::chrono::steady_clock::now() + std::clamp(timeout, Milliseconds(0), kLongestAsk);
    exchange->has_sink = static_cast<bool>(exchange->request.sink);
    const auto call = std::make_shared<Call>(std::move(exchange->request.sink));
    exchange->call = call;
    co_return co_await call->wait([&] {
      const std::scoped_lock lock(mutex_);
      if (is_stopping_) return call->end(stopping());
      incoming_.push_back(exchange);
      ::curl_multi_wakeup(multi_);
    });
  }

  using Exchanges = std::deque<std::shared_ptr<Exchange>>;
  void run();
  bool take_incoming();
  void start_waiting();
  void end_finished();
  void end_late();
  std::shared_ptr<Exchange> take_off(const Exchange& exchange);
  Milliseconds time_to_poll() const;

  const ConfiguredOptions options_;
  CURLM* multi_ = nullptr;
  std::thread thread_;

  std::mutex mutex_;
  bool is_stopping_ = false;
  Exchanges incoming_;

  // Of the thread alone.
  Exchanges waiting_, at_work_;
  std::map<std::string, std::size_t> endpoints_;  // how many are at work for each; none is 0
};

void CurlConfiguredClient::run() {
  while (take_incoming()) {
    end_late();
    start_waiting();
    int running = 0;
    ::curl_multi_perform(multi_, &running);
    end_finished();
    start_waiting();
    ::curl_multi_poll(multi_, nullptr, 0, static_cast<int>(time_to_poll().count()), nullptr);
  }
  for (const auto& exchange : std::exchange(waiting_, {})) exchange->call->end(stopping());
  while (!at_work_.empty()) take_off(*at_work_.front())->call->end(stopping());
}

// False when it is time to stop; what comes after that is sent back by hand_over().
bool CurlConfiguredClient::take_incoming() {
  const std::scoped_lock lock(mutex_);
  std::ranges::move(incoming_, std::back_inserter(waiting_));
  incoming_.clear();
  return !is_stopping_;
}

void CurlConfiguredClient::start_waiting() {
  for (auto next = waiting_.begin(); next != waiting_.end();) {
    const auto busy = endpoints_.find((*next)->endpoint.text());
    if (busy != endpoints_.end() && busy->second >= (*next)->endpoint.max_at_once()) {
      ++next;
      continue;
    }
    std::shared_ptr<Exchange> exchange = std::move(*next);
    next = waiting_.erase(next);
    if (!exchange->prepare(options_) ||
        ::curl_multi_add_handle(multi_, exchange->easy) != CURLM_OK) {
      exchange->clean_up();
      exchange->call->end(fail(Fault::us, "libcurl cannot begin a request"));
      continue;
    }
    ++endpoints_[exchange->endpoint.text()];
    at_work_.push_back(std::move(exchange));
  }
}

void CurlConfiguredClient::end_finished() {
  int left = 0;
  while (const CURLMsg* message = ::curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    const auto found = std::ranges::find(at_work_, message->easy_handle,
                                         [](const auto& exchange) { return exchange->easy; });
    PORTCULLIS_CHECK(found != at_work_.end());
    Status outcome = (*found)->outcome(code);
    take_off(**found)->call->end(std::move(outcome));
  }
}

void CurlConfiguredClient::end_late() {
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(waiting_, [&](const auto& exchange) {
    if (exchange->until > now) return false;
    exchange->call->end(out_of_time());
    return true;
  });
  for (std::size_t i = 0; i < at_work_.size();) {
    if (at_work_[i]->until > now)
      ++i;
    else
      take_off(*at_work_[i])->call->end(out_of_time());
  }
}

// Its place is free.
std::shared_ptr<Exchange> CurlConfiguredClient::take_off(const Exchange& exchange) {
  ::curl_multi_remove_handle(multi_, exchange.easy);
  const auto endpoint = endpoints_.find(exchange.endpoint.text());
  if (--endpoint->second == 0) endpoints_.erase(endpoint);
  const auto found =
      std::ranges::find(at_work_, &exchange, [](const auto& one) { return one.get(); });
  std::shared_ptr<Exchange> result = std::move(*found);
  at_work_.erase(found);
  result->clean_up();
  return result;
}

Milliseconds CurlConfiguredClient::time_to_poll() const {
  Deadline first = std::chrono::steady_clock::now() + kLongestPoll;
  for (const Exchanges* exchanges : {&waiting_, &at_work_})
    for (const auto& exchange : *exchanges) first = std::min(first, exchange->until);
  const auto left = first - std::chrono::steady_clock::now();
  return std::max(std::chrono::ceil<Milliseconds>(left), Milliseconds(0));
}

}  // namespace

// The text may hold a password where none belongs, so errors do not repeat it.
Result<Endpoint> Endpoint::parse(std::string_view text, std::size_t max_at_once) {
  auto url = parse_url(text);
  if (!url)
    return fail(Fault::us, "no address of a service, such as \"https://host/\": {}",
                url.error().what);
  if (url->path_and_query.contains('?'))
    return fail(Fault::us, "an address of a service has no '?'");
  Endpoint endpoint;
  endpoint.text_ = url->text;
  endpoint.host_ = url->host;
  endpoint.max_at_once_ = std::max<std::size_t>(max_at_once, 1);
  endpoint.is_encrypted_ = url->scheme == "https";
  return endpoint;
}

Result<std::unique_ptr<ConfiguredClient>> ConfiguredClient::create(ConfiguredOptions options) {
  auto client = std::make_unique<CurlConfiguredClient>(std::move(options));
  TRY(client->start());
  return client;
}

}  // namespace portcullis::egress
