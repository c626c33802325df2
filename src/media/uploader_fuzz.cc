// The headers of strangers by which an upload is told from another. A first line is a token, the
// second forwarded addresses.
#include "media/uploader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view first = text.substr(0, text.find('\n'));
  const std::string_view second =
      first.size() < text.size() ? text.substr(first.size() + 1) : std::string_view();
  const std::string subject = media::subject_of_token(first);
  for (const char c : subject) PORTCULLIS_CHECK(c >= '0' && c <= '9');
  static const std::vector<Network> kTrusted{Network::parse("127.0.0.0/8").value()};
  for (const std::vector<Network>& trusted : {kTrusted, std::vector<Network>()}) {
    const media::Client client = media::client_of({second}, trusted);
    if (!client.address.empty()) PORTCULLIS_CHECK(IpAddress::parse(client.address).has_value());
  }
  net::Request request;
  request.headers = {{"Authorization", "Bearer " + std::string(first)},
                     {"Cookie", std::string(first)},
                     {"X-Forwarded-For", std::string(second)}};
  (void)media::uploader_of(request, kTrusted, {});
  return 0;
}
