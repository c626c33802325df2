#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "egress/hop.h"

namespace portcullis::egress {

namespace {

using Milliseconds = std::chrono::milliseconds;

constexpr Milliseconds kLongestPoll{1'000};
constexpr Milliseconds kLongestFetch = std::chrono::hours(1);

std::unexpected<Error> out_of_time() {
  return fail_with(Fault::upstream, "fetch-timeout", "the fetch took too long");
}
std::unexpected<Error> stopping() {
  return fail_with(Fault::upstream, "download-file-error", "this server is stopping");
}

// One fetch, over all its redirects.
struct Fetch {
  std::shared_ptr<Call> call;
  Url url;  // of the hop it is on, or waits for
  std::uint64_t max_bytes;
  Deadline until;
  std::size_t redirects = 0;
  std::unique_ptr<Hop> hop = nullptr;  // null while it waits for a place
};
using Fetches = std::deque<std::unique_ptr<Fetch>>;

class CurlClient final : public Client {
 public:
  explicit CurlClient(Options options) : options_(std::move(options)) {}
  ~CurlClient() override {
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
    ::pthread_setname_np(thread_.native_handle(), "egress");
    return {};
  }

  Task<Status> fetch(std::string url, std::uint64_t max_bytes, Milliseconds timeout,
                     Sink sink) override {
    auto parsed = parse_url(url);
    if (!parsed) co_return std::unexpected(std::move(parsed).error());
    const auto until =
        std::chrono::steady_clock::now() + std::clamp(timeout, Milliseconds(0), kLongestFetch);
    const auto call = std::make_shared<Call>(std::move(sink));
    co_return co_await call->wait([&] {
      const std::scoped_lock lock(mutex_);
      if (is_stopping_) return call->end(stopping());
      incoming_.push_back(std::make_unique<Fetch>(call, *std::move(parsed), max_bytes, until));
      ::curl_multi_wakeup(multi_);
    });
  }

 private:
  void run();
  bool take_incoming();
  void start_waiting();
  void end_finished();
  void end_late();
  void end_all();
  void go_on(std::unique_ptr<Fetch> fetch, Result<std::optional<Url>> outcome);
  std::unique_ptr<Fetch> take_off(Fetch& fetch);
  Milliseconds time_to_poll() const;

  const Options options_;
  CURLM* multi_ = nullptr;
  std::thread thread_;

  std::mutex mutex_;
  bool is_stopping_ = false;
  Fetches incoming_;

  // Of the thread alone.
  Fetches waiting_, at_work_;
  std::map<std::string, std::size_t> hosts_;  // how many are at work for each; none is 0
};

void CurlClient::run() {
  while (take_incoming()) {
    end_late();
    start_waiting();
    int running = 0;
    ::curl_multi_perform(multi_, &running);
    end_finished();
    start_waiting();
    ::curl_multi_poll(multi_, nullptr, 0, static_cast<int>(time_to_poll().count()), nullptr);
  }
  end_all();
}

// False when it is time to stop; what comes after that is sent back by fetch().
bool CurlClient::take_incoming() {
  const std::scoped_lock lock(mutex_);
  std::ranges::move(incoming_, std::back_inserter(waiting_));
  incoming_.clear();
  return !is_stopping_;
}

// The oldest whose host has a place.
void CurlClient::start_waiting() {
  for (auto next = waiting_.begin();
       next != waiting_.end() && at_work_.size() < options_.max_at_once;) {
    const auto host = hosts_.find((*next)->url.host);
    if (host != hosts_.end() && host->second >= options_.max_per_host) {
      ++next;
      continue;
    }
    std::unique_ptr<Fetch> fetch = std::move(*next);
    next = waiting_.erase(next);
    auto hop = Hop::create(options_, fetch->url, fetch->max_bytes, *fetch->call);
    if (hop && ::curl_multi_add_handle(multi_, (*hop)->easy()) != CURLM_OK)
      hop = fail(Fault::us, "libcurl cannot begin a fetch");
    if (!hop) {
      fetch->call->end(std::unexpected(std::move(hop).error()));
      continue;
    }
    fetch->hop = *std::move(hop);
    ++hosts_[fetch->url.host];
    at_work_.push_back(std::move(fetch));
  }
}

void CurlClient::end_finished() {
  int left = 0;
  while (const CURLMsg* message = ::curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode code = message->data.result;
    const auto found = std::ranges::find(at_work_, message->easy_handle,
                                         [](const auto& fetch) { return fetch->hop->easy(); });
    PORTCULLIS_CHECK(found != at_work_.end());
    auto outcome = (*found)->hop->outcome(code);
    go_on(take_off(**found), std::move(outcome));
  }
}

// A redirect gives up its host's place, so that no two fetches can wait for each other's, and waits
// before the others for one at the next.
void CurlClient::go_on(std::unique_ptr<Fetch> fetch, Result<std::optional<Url>> outcome) {
  if (!outcome) return fetch->call->end(std::unexpected(std::move(outcome).error()));
  std::optional<Url> next = *std::move(outcome);
  if (!next) return fetch->call->end({});
  if (++fetch->redirects > options_.max_redirects)
    return fetch->call->end(
        fail_with(Fault::upstream, "download-file-error", "too many redirects"));
  fetch->url = *std::move(next);
  waiting_.push_front(std::move(fetch));
}

// Its connection is closed and its place is free.
std::unique_ptr<Fetch> CurlClient::take_off(Fetch& fetch) {
  ::curl_multi_remove_handle(multi_, fetch.hop->easy());
  fetch.hop.reset();
  const auto host = hosts_.find(fetch.url.host);
  if (--host->second == 0) hosts_.erase(host);
  const auto found = std::ranges::find(at_work_, &fetch, [](const auto& one) { return one.get(); });
  std::unique_ptr<Fetch> result = std::move(*found);
  at_work_.erase(found);
  return result;
}

void CurlClient::end_late() {
  const auto now = std::chrono::steady_clock::now();
  std::erase_if(waiting_, [&](const auto& fetch) {
    if (fetch->until > now) return false;
    fetch->call->end(out_of_time());
    return true;
  });
  for (std::size_t i = 0; i < at_work_.size();) {
    if (at_work_[i]->until > now)
      ++i;
    else
      take_off(*at_work_[i])->call->end(out_of_time());
  }
}

void CurlClient::end_all() {
  for (const auto& fetch : std::exchange(waiting_, {})) fetch->call->end(stopping());
  while (!at_work_.empty()) take_off(*at_work_.front())->call->end(stopping());
}

Milliseconds CurlClient::time_to_poll() const {
  Deadline first = std::chrono::steady_clock::now() + kLongestPoll;
  for (const Fetches* fetches : {&waiting_, &at_work_})
    for (const auto& fetch : *fetches) first = std::min(first, fetch->until);
  const auto left = first - std::chrono::steady_clock::now();
  return std::max(std::chrono::ceil<Milliseconds>(left), Milliseconds(0));
}

}  // namespace

Result<std::unique_ptr<Client>> Client::create(Options options) {
  auto client = std::make_unique<CurlClient>(std::move(options));
  TRY(client->start());
  return client;
}

}  // namespace portcullis::egress
