#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sodium.h>

#include "media/uploader.h"

namespace portcullis::media {
namespace {

std::string base64url(std::string_view text) {
  std::string encoded(
      sodium_base64_encoded_len(text.size(), sodium_base64_VARIANT_URLSAFE_NO_PADDING), '\0');
  sodium_bin2base64(encoded.data(), encoded.size(),
                    reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
  encoded.pop_back();
  return encoded;
}

std::string token(std::string_view claims) {
  return base64url(R"({"alg":"HS256"})") + "." + base64url(claims) + ".c2lnbmF0dXJl";
}

net::Request request(std::vector<net::Header> headers) {
  net::Request made;
  made.headers = std::move(headers);
  return made;
}

const std::string kTwo = token(R"({"sub":"2","iss":"lemmy.example","iat":1})");
const std::string kThree = token(R"({"sub":"3"})");

TEST(Token, gives_its_subject_if_it_is_a_number) {
  const std::pair<std::string, const char*> cases[] = {
      {kTwo, "2"},
      {token(R"({"sub":7})"), "7"},
      {token(R"({"sub":"123456789012345678"})"), "123456789012345678"},
      {token(R"({"sub":"1234567890123456789"})"), ""},
      {token(R"({"sub":"-1"})"), ""},
      {token(R"({"sub":-1})"), ""},
      {token(R"({"sub":"2; drop"})"), ""},
      {token(R"({"sub":""})"), ""},
      {token(R"({"sub":null})"), ""},
      {token(R"({"sub":["2"]})"), ""},
      {token(R"({"iss":"x"})"), ""},
      {token(R"(["sub","2"])"), ""},
      {token("not json"), ""},
      {token(std::string(5000, ' ') + R"({"sub":"2"})"), ""},
      {token(std::string(3000, '[')), ""},
      {"", ""},
      {".", ""},
      {"..", ""},
      {"a.b", ""},
      {"a.!!!.c", ""},
  };
  for (const auto& [text, subject] : cases)
    EXPECT_EQ(subject_of_token(text), subject) << text.substr(0, 60);
}

TEST(Uploader, is_who_the_header_names_or_else_the_cookie) {
  const net::Header relayed{"X-Forwarded-For", "192.0.2.7"};
  const auto account = [&](std::vector<net::Header> headers) {
    headers.push_back(relayed);
    return uploader_of(request(std::move(headers)), {}, {}).value().account;
  };
  EXPECT_EQ(account({{"Authorization", "Bearer " + kTwo}}), "2");
  EXPECT_EQ(account({{"authorization", "bearer  " + kTwo}}), "2");
  EXPECT_EQ(account({{"Cookie", "a=b; jwt=" + kThree + "; c=d"}}), "3");
  EXPECT_EQ(account({{"Cookie", "a=b"}, {"Cookie", "jwt=" + kThree}}), "3");
  EXPECT_EQ(account({{"Authorization", "Bearer " + kTwo}, {"Cookie", "jwt=" + kTwo}}), "2");
  EXPECT_EQ(account({{"Authorization", "Bearer x.y.z"}, {"Cookie", "jwt=" + kThree}}), "")
      << "Lemmy would look at the header first";
  EXPECT_EQ(account({{"Authorization", "Basic " + kTwo}}), "");
  EXPECT_EQ(account({{"Cookie", "xjwt=" + kTwo}}), "");
  EXPECT_EQ(account({}), "");
}

TEST(Uploader, that_names_two_people_is_refused) {
  const auto both = uploader_of(request({{"Authorization", "Bearer " + kTwo},
                                         {"Cookie", "jwt=" + kThree},
                                         {"X-Forwarded-For", "192.0.2.7"}}),
                                {}, {});
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().code, "two-accounts");
}

TEST(Uploader, belongs_to_a_class) {
  using enum policy::UploaderClass;
  const auto kind = [](std::vector<net::Header> headers) {
    return uploader_of(request(std::move(headers)), {}, {"3", "4"}).value().kind;
  };
  const net::Header relayed{"X-Forwarded-For", "192.0.2.7"};
  EXPECT_EQ(kind({relayed}), unidentified);
  EXPECT_EQ(kind({relayed, {"Cookie", "jwt=" + kTwo}}), member);
  EXPECT_EQ(kind({relayed, {"Cookie", "jwt=" + kThree}}), trusted);
  EXPECT_EQ(kind({{"Cookie", "jwt=" + kThree}}), nobody) << "Lemmy's own call";
}

TEST(Client, is_the_first_from_the_right_that_is_no_trusted_proxy) {
  const std::vector<Network> trusted{Network::parse("127.0.0.0/8").value(),
                                     Network::parse("10.0.0.0/8").value(),
                                     Network::parse("fd00::/8").value()};
  const struct {
    std::vector<std::string_view> lines;
    const char* address;
  } cases[] = {
      {{"192.0.2.7", "127.0.0.1:42624"}, "192.0.2.7"},
      {{"192.0.2.7, 10.1.2.3", "127.0.0.1:42624", "127.0.0.1:42624"}, "192.0.2.7"},
      {{"203.0.113.9, 192.0.2.7"}, "192.0.2.7"},  // what the client wrote itself is on the left
      {{"192.0.2.7:5000"}, "192.0.2.7"},
      {{"[2001:db8::7]:443", "[fd00::1]:1"}, "2001:db8::7"},
      {{"2001:db8::7"}, "2001:db8::7"},
      {{"127.0.0.1"}, ""},
      {{"192.0.2.7, rubbish, 10.0.0.1"}, ""},
      {{"192.0.2.7,"}, ""},
      {{""}, ""},
      {{}, ""},
  };
  for (const auto& c : cases) {
    const Client client = client_of(c.lines, trusted);
    EXPECT_EQ(client.address, c.address) << fmt::format("{}", fmt::join(c.lines, " | "));
    EXPECT_EQ(client.is_verified, *c.address != '\0');
  }
}

TEST(Client, is_not_verified_when_no_proxy_is_trusted) {
  const Client client = client_of({"192.0.2.7", "127.0.0.1:42624"}, {});
  EXPECT_EQ(client.address, "192.0.2.7");
  EXPECT_FALSE(client.is_verified);
  EXPECT_EQ(client_of({"192.0.2.7:1"}, {}).address, "192.0.2.7");
}

}  // namespace
}  // namespace portcullis::media
