// Which addresses are talked to, whatever a URL or DNS calls them. The names of this file are
// answered for by a getaddrinfo of its own, which libcurl calls instead of the system's.
#include <dlfcn.h>
#include <netdb.h>

#include <condition_variable>
#include <map>
#include <mutex>

#include "egress/egress_testing.h"

namespace {

class Names {
 public:
  static Names& get() {
    static Names names;
    return names;
  }
  // `answers` one after the other, the last again and again.
  void set(const std::string& name, std::vector<std::vector<std::string>> answers) {
    const std::scoped_lock lock(mutex_);
    answers_[name] = std::move(answers);
  }
  // Empty for a name that is not one of these.
  std::vector<std::string> look_up(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    const auto found = answers_.find(name);
    if (found == answers_.end()) return {};
    const auto result = found->second.front();
    if (found->second.size() > 1) found->second.erase(found->second.begin());
    return result;
  }
  // "silent.test" is answered when let_go() says so.
  void be_silent() {
    std::unique_lock lock(mutex_);
    ++silent_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return is_let_go_; });
    --silent_;
    changed_.notify_all();
  }
  void wait_for_silent(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return silent_ >= count; });
  }
  void let_go() {
    std::unique_lock lock(mutex_);
    is_let_go_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return silent_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::vector<std::vector<std::string>>> answers_;
  int silent_ = 0;
  bool is_let_go_ = false;
};

}  // namespace

extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints,
                           addrinfo** result) {
  static const auto real =
      reinterpret_cast<decltype(&::getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  if (!name) return real(name, service, hints, result);
  if (std::string_view(name) == "silent.test") {
    Names::get().be_silent();
    return EAI_AGAIN;
  }
  const auto addresses = Names::get().look_up(name);
  if (addresses.empty()) return real(name, service, hints, result);
  addrinfo numeric = hints ? *hints : addrinfo{};
  numeric.ai_family = AF_UNSPEC;
  numeric.ai_flags = AI_NUMERICHOST;
  addrinfo** last = result;
  for (const std::string& address : addresses) {
    if (const int failed = real(address.c_str(), service, &numeric, last)) return failed;
    last = &(*last)->ai_next;
  }
  return 0;
}

namespace portcullis::egress {
namespace {

class Guard : public EgressTest {
 protected:
  RawOrigin origin_{[this](const std::string& head) {
    const std::string path = path_of(head);
    if (path.starts_with("/to/"))
      return RawOrigin::Play{redirect(origin_.url("/", path.substr(4)))};
    return RawOrigin::Play{whole("a cat")};
  }};
};

class GuardOfThePublic : public EgressTest {
 protected:
  GuardOfThePublic() : EgressTest(Options()) {}
};

TEST_F(GuardOfThePublic, reaches_no_address_of_this_machine_however_it_is_spelled) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("a secret")}; });
  for (const char* host : {"127.0.0.1",
                           "127.1",
                           "127.0.1",
                           "2130706433",
                           "0x7f000001",
                           "0x7f.1",
                           "0X7F.0.0.1",
                           "0177.0.0.1",
                           "017700000001",
                           "127.0.0.2",
                           "0.0.0.0",
                           "0",
                           "localhost",
                           "LOCALHOST",
                           "a.localhost",
                           "[::1]",
                           "[::]",
                           "[0:0:0:0:0:0:0:1]",
                           "[::ffff:127.0.0.1]",
                           "[::ffff:7f00:1]",
                           "[::127.0.0.1]",
                           "[64:ff9b::127.0.0.1]",
                           "[2002:7f00:1::]",
                           "[2001:0:7f00:1::]",
                           "[fe80::1]",
                           "[fd00::1]",
                           "10.0.0.1",
                           "169.254.169.254",
                           "192.168.0.1",
                           "224.0.0.1",
                           "255.255.255.255"})
    EXPECT_EQ(get(origin.url("/", host)), "address-refused") << host;
  // Whether these are found at all is the system's affair.
  for (const char* host : {"localhost.", "127.0.0.1.", "ip6-localhost"})
    EXPECT_NE(get(origin.url("/", host)), "a secret") << host;
  EXPECT_EQ(origin.connections(), 0);
}

TEST_F(Guard, opens_no_more_than_what_is_allowed) {
  EXPECT_EQ(get(origin_.url("/")), "a cat");
  EXPECT_EQ(get(origin_.url("/", "2130706433")), "a cat");
  EXPECT_EQ(get(origin_.url("/", "[::ffff:127.0.0.1]")), "a cat");  // the same address
  EXPECT_EQ(origin_.connections(), 3);
  for (const char* host : {"127.0.0.2", "[::1]", "[64:ff9b::127.0.0.1]", "[::127.0.0.1]"})
    EXPECT_EQ(get(origin_.url("/", host)), "address-refused") << host;
  EXPECT_EQ(origin_.connections(), 3);
}

TEST_F(Guard, judges_the_address_and_not_the_name) {
  int number = 0;
  for (const char* address :
       {"127.0.0.2", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1"}) {
    const std::string name = fmt::format("inside-{}.test", ++number);
    Names::get().set(name, {{address}});
    EXPECT_EQ(get(origin_.url("/", name)), "address-refused") << address;
  }
  EXPECT_EQ(origin_.connections(), 0);
}

TEST_F(Guard, takes_of_several_addresses_only_those_that_may_be_reached) {
  Names::get().set("both.test", {{"127.0.0.2", "::1", "127.0.0.1"}});
  EXPECT_EQ(get(origin_.url("/", "both.test")), "a cat");
  EXPECT_EQ(origin_.connections(), 1);
}

TEST_F(Guard, says_refused_only_if_no_address_was_left) {
  std::uint16_t closed = 0;
  {
    RawOrigin gone([](const std::string&) { return RawOrigin::Play{}; });
    closed = gone.port();
  }
  Names::get().set("closed.test", {{"127.0.0.2", "127.0.0.1"}});
  EXPECT_EQ(get(fmt::format("http://closed.test:{}/", closed)), "download-file-error");
}

// DNS rebinding: whoever asked before got an address that may be reached.
TEST_F(Guard, does_not_go_by_what_DNS_said_before) {
  Names::get().set("rebinding.test", {{"127.0.0.1"}, {"127.0.0.2"}});
  EXPECT_EQ(Names::get().look_up("rebinding.test"), std::vector<std::string>{"127.0.0.1"});
  EXPECT_EQ(get(origin_.url("/", "rebinding.test")), "address-refused");
  EXPECT_EQ(origin_.connections(), 0);
}

TEST_F(Guard, judges_where_each_redirect_leads) {
  Names::get().set("inside.test", {{"127.0.0.2"}});
  Names::get().set("outside.test", {{"127.0.0.1"}});
  EXPECT_EQ(get(origin_.url("/to/outside.test")), "a cat");
  EXPECT_EQ(origin_.connections(), 2);
  EXPECT_EQ(get(origin_.url("/to/inside.test")), "address-refused");
  EXPECT_EQ(origin_.connections(), 3);
}

TEST_F(Guard, waits_for_no_name_that_nobody_answers_for) {
  EXPECT_EQ(get(origin_.url("/", "silent.test"), 1'000, 100ms), "fetch-timeout");
  EXPECT_EQ(get(origin_.url("/")), "a cat");  // the name is still being looked up

  Status status;
  asio::io_context loop(1);
  asio::co_spawn(
      loop,
      [&]() -> Task<void> {
        status = co_await client_->fetch(origin_.url("/", "silent.test"), 1'000, 20s, kDiscard);
      },
      [](std::exception_ptr) {});
  std::thread runner([&] { loop.run(); });
  Names::get().wait_for_silent(2);
  client_.reset();
  runner.join();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, "download-file-error");
  Names::get().let_go();
}

}  // namespace
}  // namespace portcullis::egress
