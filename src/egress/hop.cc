#include "egress/hop.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "egress/egress.h"

namespace portcullis::egress {

namespace {

// A body that comes slower than this for a while is given up before its time is over.
constexpr long kLeastBytesASecond = 64, kSlowSeconds = 5;

std::unexpected<Error> origin_failed(std::string_view why) {
  return fail_with(Fault::upstream, "download-file-error", "{}", why);
}
std::unexpected<Error> too_large() {
  return fail_with(Fault::limits, "validate-file-size", "the body is too large");
}

// libcurl's struct ends with a sockaddr that may go on beyond it, for `addrlen` bytes.
template <class Address>
std::optional<Address> read(const curl_sockaddr& address) {
  if (address.addrlen < sizeof(Address)) return std::nullopt;
  Address result;
  std::memcpy(&result, reinterpret_cast<const char*>(&address) + offsetof(curl_sockaddr, addr),
              sizeof result);
  return result;
}

std::optional<IpAddress> address_of(const curl_sockaddr& address) {
  IpAddress result;
  if (address.family == AF_INET) {
    const auto v4 = read<sockaddr_in>(address);
    if (!v4 || v4->sin_family != AF_INET) return std::nullopt;
    result.bytes[10] = result.bytes[11] = 0xFF;
    std::memcpy(result.bytes.data() + 12, &v4->sin_addr, 4);
    return result;
  }
  if (address.family != AF_INET6) return std::nullopt;
  const auto v6 = read<sockaddr_in6>(address);
  if (!v6 || v6->sin6_family != AF_INET6) return std::nullopt;
  std::memcpy(result.bytes.data(), &v6->sin6_addr, 16);
  return result;
}

bool is_success(long status) { return status >= 200 && status <= 299; }
bool is_redirect(long status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

Result<std::unique_ptr<Hop>> Hop::create(const Options& options, const Url& url,
                                         std::uint64_t max_bytes, Call& call) {
  std::unique_ptr<Hop> hop(new Hop(options, url, max_bytes, call));
  hop->easy_.reset(::curl_easy_init());
  if (!hop->easy_ || !hop->prepare()) return fail(Fault::us, "libcurl cannot begin a fetch");
  return hop;
}

// No cookies, HSTS, alt-svc, authentication or Unix sockets: libcurl has them off until they are
// asked for.
bool Hop::prepare() {
  const auto set = [&](auto option, auto value) {
    return ::curl_easy_setopt(easy(), option, value) == CURLE_OK;
  };
  if (!options_.accept.empty()) {
    headers_.reset(::curl_slist_append(nullptr, ("Accept: " + options_.accept).c_str()));
    if (!headers_ || !set(CURLOPT_HTTPHEADER, headers_.get())) return false;
  }
  void* const self = this;
  return set(CURLOPT_PRIVATE, self) && set(CURLOPT_URL, url_.text.c_str()) &&
         set(CURLOPT_HTTPGET, 1L) && set(CURLOPT_PROTOCOLS_STR, "http,https") &&
         // Redirects are followed by the client, each judged like the first URL.
         set(CURLOPT_FOLLOWLOCATION, 0L) && set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https") &&
         set(CURLOPT_PROXY, "") && set(CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED)) &&
         set(CURLOPT_UNRESTRICTED_AUTH, 0L) &&
         set(CURLOPT_USERAGENT, options_.user_agent.c_str()) && set(CURLOPT_SSL_VERIFYPEER, 1L) &&
         set(CURLOPT_SSL_VERIFYHOST, 2L) &&
         set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)) &&
         set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1)) &&
         set(CURLOPT_HTTP09_ALLOWED, 0L) &&
         // A connection that is kept would be one that was judged for another URL.
         set(CURLOPT_FORBID_REUSE, 1L) &&
         set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count())) &&
         set(CURLOPT_LOW_SPEED_LIMIT, kLeastBytesASecond) &&
         set(CURLOPT_LOW_SPEED_TIME, kSlowSeconds) && set(CURLOPT_NOSIGNAL, 1L) &&
         // Otherwise libcurl waits, and every other fetch with it, until the system's resolver has
         // given up on a name that a stranger's name server does not answer for. The thread it
         // leaves behind cleans up after itself.
         set(CURLOPT_QUICK_EXIT, 1L) &&  //
         set(CURLOPT_OPENSOCKETFUNCTION, &Hop::on_socket) && set(CURLOPT_OPENSOCKETDATA, self) &&
         set(CURLOPT_HEADERFUNCTION, &Hop::on_line) && set(CURLOPT_HEADERDATA, self) &&
         set(CURLOPT_WRITEFUNCTION, &Hop::on_body) && set(CURLOPT_WRITEDATA, self);
}

bool Hop::may_reach(const curl_sockaddr& address) const {
  const auto ip = address_of(address);
  return ip && (is_public(*ip) || std::ranges::any_of(options_.allow, [&](const Network& one) {
                  return one.contains(*ip);
                }));
}

// The only place where it is decided which addresses are talked to.
curl_socket_t Hop::on_socket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& hop = *static_cast<Hop*>(self);
  if (!hop.may_reach(*address)) {
    hop.has_refused_ = true;
    return CURL_SOCKET_BAD;
  }
  hop.has_vetted_ = true;
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t Hop::on_line(char* data, std::size_t, std::size_t count, void* self) {
  auto& hop = *static_cast<Hop*>(self);
  return hop.consumed(hop.take_line({data, count}), count);
}

std::size_t Hop::on_body(char* data, std::size_t, std::size_t count, void* self) {
  auto& hop = *static_cast<Hop*>(self);
  return hop.consumed(hop.take_body({reinterpret_cast<const std::byte*>(data), count}), count);
}

// What libcurl is to be told: anything but `count` ends the hop.
std::size_t Hop::consumed(const Status& status, std::size_t count) {
  if (status) return is_success(status_) || status_ == 0 ? count : 0;
  error_ = status.error();
  return 0;
}

Status Hop::take_line(std::string_view line) {
  TRY(head_.add(line));
  if (status_ != 0 || !trim(line).empty()) return {};  // a trailer, or the head goes on
  long status = 0;
  ::curl_easy_getinfo(easy(), CURLINFO_RESPONSE_CODE, &status);
  if (status >= 100 && status <= 199) {
    head_.begin_again();
    return {};
  }
  status_ = status;
  return is_success(status) ? end_head() : Status();  // of others no body is waited for
}

Status Hop::end_head() {
  if (head_.is_encoded()) return origin_failed("a body that is compressed");
  if (head_.length().value_or(0) > max_bytes_) return too_large();
  return {};
}

Status Hop::take_body(ByteView bytes) {
  if (!is_success(status_)) return origin_failed("a body without a head");
  received_ += bytes.size();
  if (received_ > max_bytes_) return too_large();
  return call_.give(bytes);
}

Result<std::optional<Url>> Hop::outcome(CURLcode code) {
  if (error_) return std::unexpected(*std::move(error_));
  if (is_redirect(status_) && !head_.location().empty())
    return TRY(redirected(url_, head_.location()));
  if (status_ != 0 && !is_success(status_)) return origin_failed(fmt::format("status {}", status_));
  if (has_refused_ && !has_vetted_)
    return fail_with(Fault::client, "address-refused", "an address that is not public");
  if (code != CURLE_OK) return origin_failed(::curl_easy_strerror(code));
  if (status_ == 0) return origin_failed("a head that has no end");  // libcurl takes it
  return std::nullopt;
}

}  // namespace portcullis::egress
