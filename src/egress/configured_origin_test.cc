// The one origin that an admin named.
#include "egress/egress_testing.h"

namespace portcullis::egress {
namespace {

constexpr std::string_view kSecret = "Authorization: Bearer secret";

class ConfiguredOrigin : public EgressTest {
 protected:
  ConfiguredOrigin() : EgressTest(Options()) {}

  // A client for `origin_` alone; nothing else of this machine is open to it.
  void configure() {
    Options options;
    options.configured =
        Configured{.origin = *parse_url(origin_.url("/")), .headers = {std::string(kSecret)}};
    client_ = *Client::create(std::move(options));
  }

  RawOrigin other_{[](const std::string& head) { return RawOrigin::Play{whole(head)}; }};
  RawOrigin origin_{[this](const std::string& head) {
    const std::string path = path_of(head);
    if (path == "/away") return RawOrigin::Play{redirect(other_.url("/"))};
    if (path == "/on") return RawOrigin::Play{redirect("/end")};
    return RawOrigin::Play{whole(head)};
  }};
};

TEST_F(ConfiguredOrigin, is_reached_at_a_private_address_and_gets_its_headers) {
  configure();
  const std::string head = get(origin_.url("/list"), 10'000);
  EXPECT_TRUE(head.contains("GET /list ")) << head;
  EXPECT_TRUE(head.contains(kSecret)) << head;
  EXPECT_TRUE(get(origin_.url("/on"), 10'000).contains(kSecret)) << "the same origin";
}

TEST_F(ConfiguredOrigin, opens_no_other_origin_not_even_by_a_redirect) {
  configure();
  EXPECT_EQ(get(other_.url("/")), "address-refused");
  EXPECT_EQ(get(origin_.url("/away")), "address-refused");
}

TEST_F(ConfiguredOrigin, tells_its_secrets_to_nobody_else) {
  Options options = allowing("127.0.0.0/8");
  options.configured =
      Configured{.origin = *parse_url(origin_.url("/")), .headers = {std::string(kSecret)}};
  client_ = *Client::create(std::move(options));
  const std::string head = get(origin_.url("/away"), 10'000);
  EXPECT_TRUE(head.contains("GET / ")) << head;
  EXPECT_FALSE(head.contains("secret")) << head;
}

}  // namespace
}  // namespace portcullis::egress
