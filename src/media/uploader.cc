#include "media/uploader.h"

#include <sodium.h>

#include <algorithm>
#include <boost/json.hpp>
#include <ranges>

namespace portcullis::media {

namespace json = boost::json;

namespace {

constexpr std::size_t kLongestToken = 4096;
constexpr std::size_t kMostDigits = 18;

bool is_number(std::string_view text) {
  return !text.empty() && text.size() <= kMostDigits &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

std::string decode_base64url(std::string_view text) {
  std::string plain(text.size(), '\0');
  std::size_t length = 0;
  if (::sodium_base642bin(reinterpret_cast<unsigned char*>(plain.data()), plain.size(), text.data(),
                          text.size(), nullptr, &length, nullptr,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0)
    return {};
  plain.resize(length);
  return plain;
}

// The token of "Authorization: Bearer TOKEN".
std::string_view bearer_token(const net::Request& request) {
  const auto value = request.header("authorization");
  constexpr std::string_view kScheme = "bearer ";
  if (!value || value->size() <= kScheme.size() ||
      !ascii_equal_ignoring_case(value->substr(0, kScheme.size()), kScheme))
    return {};
  return trim(value->substr(kScheme.size()));
}

// The value of the cookie "jwt".
std::string_view cookie_token(const net::Request& request) {
  for (const std::string_view header : request.all_headers("cookie"))
    for (const auto part : std::views::split(header, ';')) {
      const std::string_view cookie = trim(std::string_view(part.begin(), part.end()));
      if (cookie.starts_with("jwt=")) return cookie.substr(4);
    }
  return {};
}

// "192.0.2.7", "192.0.2.7:1234", "2001:db8::1", "[2001:db8::1]:1234"
std::optional<IpAddress> address_in(std::string_view entry) {
  if (entry.starts_with('[')) return IpAddress::parse(entry.substr(1, entry.find(']') - 1));
  if (std::ranges::count(entry, ':') == 1) entry = entry.substr(0, entry.find(':'));
  return IpAddress::parse(entry);
}

}  // namespace

std::string subject_of_token(std::string_view token) {
  const auto first = token.find('.'), last = token.rfind('.');
  if (token.size() > kLongestToken || first == std::string_view::npos || first == last) return {};
  boost::system::error_code error;
  const json::value claims =
      json::parse(decode_base64url(token.substr(first + 1, last - first - 1)), error);
  const json::object* object = error ? nullptr : claims.if_object();
  const json::value* subject = object ? object->if_contains("sub") : nullptr;
  if (!subject) return {};
  std::string text;
  if (const json::string* name = subject->if_string())
    text.assign(name->data(), name->size());
  else if (const std::int64_t* number = subject->if_int64())
    text = std::to_string(*number);
  return is_number(text) ? text : std::string();
}

Client client_of(const std::vector<std::string_view>& forwarded_for,
                 const std::vector<Network>& trusted_proxies) {
  std::vector<std::string_view> entries;
  for (const std::string_view line : forwarded_for)
    for (const auto part : std::views::split(line, ','))
      entries.push_back(trim(std::string_view(part.begin(), part.end())));
  if (entries.empty()) return {};
  if (trusted_proxies.empty()) {
    // The last is the proxy in front of Lemmy, as Lemmy sees it; the one before is what that says.
    const auto address = address_in(entries[entries.size() > 1 ? entries.size() - 2 : 0]);
    return {address ? address->text() : std::string(), false};
  }
  for (const std::string_view entry : std::views::reverse(entries)) {
    const auto address = address_in(entry);
    if (!address) return {};
    if (std::ranges::none_of(trusted_proxies,
                             [&](const Network& network) { return network.contains(*address); }))
      return {address->text(), true};
  }
  return {};  // nobody but proxies
}

Result<Uploader> uploader_of(const net::Request& request,
                             const std::vector<Network>& trusted_proxies,
                             const std::vector<std::string>& trusted_accounts) {
  Uploader uploader;
  const auto forwarded_for = request.all_headers("x-forwarded-for");
  if (forwarded_for.empty()) return uploader;
  const std::string_view bearer = bearer_token(request), cookie = cookie_token(request);
  const std::string of_bearer = subject_of_token(bearer), of_cookie = subject_of_token(cookie);
  if (!of_bearer.empty() && !of_cookie.empty() && of_bearer != of_cookie)
    return fail_with(Fault::client, "two-accounts", "an upload names two accounts");
  // Lemmy itself looks at the header first.
  uploader.account = bearer.empty() ? of_cookie : of_bearer;
  const Client client = client_of(forwarded_for, trusted_proxies);
  uploader.address = client.address;
  uploader.address_is_verified = client.is_verified;
  const std::string_view credential = bearer.empty() ? cookie : bearer;
  const std::string_view who = credential.empty() ? std::string_view(client.address) : credential;
  if (!who.empty()) uploader.owner = sha256_of(as_bytes(who)).hex();
  using enum policy::UploaderClass;
  uploader.kind = uploader.account.empty() ? unidentified
                  : std::ranges::find(trusted_accounts, uploader.account) != trusted_accounts.end()
                      ? trusted
                      : member;
  return uploader;
}

}  // namespace portcullis::media
