#include <condition_variable>
#include <cstdlib>
#include <latch>
#include <mutex>

#include "egress/egress_testing.h"

namespace portcullis::egress {
namespace {

TEST_F(EgressTest, fetches_what_an_origin_serves_and_tells_it_nothing) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("a cat")}; });
  EXPECT_EQ(get(origin.url("/cat.png?a=1&b=2")), "a cat");
  ASSERT_EQ(origin.heads().size(), 1U);
  const std::string head = origin.heads().front();
  EXPECT_TRUE(head.starts_with("GET /cat.png?a=1&b=2 HTTP/1.1\r\n")) << head;
  EXPECT_NE(head.find("User-Agent: Portcullis\r\n"), std::string::npos) << head;
  for (const char* secret : {"Cookie", "Authorization", "Accept-Encoding", "Referer"})
    EXPECT_EQ(head.find(secret), std::string::npos) << head;
}

TEST_F(EgressTest, carries_nothing_from_one_answer_to_the_next_request) {
  RawOrigin origin([](const std::string& head) {
    if (path_of(head) == "/cat") return RawOrigin::Play{whole("a cat")};
    return RawOrigin::Play{answer("302 Found",
                                  "Location: /cat\r\nSet-Cookie: a=b\r\n"
                                  "Content-Length: 0\r\nConnection: keep-alive\r\n")};
  });
  EXPECT_EQ(get(origin.url("/")), "a cat");
  EXPECT_EQ(origin.connections(), 2);  // each judged for itself
  EXPECT_EQ(origin.heads().back().find("Cookie"), std::string::npos);
  EXPECT_EQ(origin.heads().back().find("Referer"), std::string::npos);
}

TEST_F(EgressTest, makes_a_connection_for_each_answer_and_keeps_none) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("a cat"), true}; });
  EXPECT_EQ(get(origin.url("/")), "a cat");
  EXPECT_EQ(get(origin.url("/")), "a cat");
  EXPECT_EQ(origin.connections(), 2);
}

TEST(EgressEnvironment, holds_no_proxy_for_it) {
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"})
    ::setenv(name, "http://127.0.0.1:1/", 1);
  {
    RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("a cat")}; });
    const auto client = *Client::create(allowing("127.0.0.1/32"));
    EXPECT_TRUE(run_task(client->fetch(origin.url("/"), 1'000, 20s, kDiscard)));
  }
  for (const char* name : {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"}) ::unsetenv(name);
}

TEST_F(EgressTest, takes_answers_in_all_the_forms_they_come_in) {
  const std::string chunks = "3\r\na c\r\n2;x=y\r\nat\r\n0\r\n";
  const struct {
    const char* path;
    std::string bytes;
    const char* body;
  } table[] = {
      {"/close", answer("200 OK", "", "a cat"), "a cat"},
      {"/chunks", answer("200 OK", "Transfer-Encoding: chunked\r\n", chunks + "\r\n"), "a cat"},
      {"/trailers", answer("200 OK", "Transfer-Encoding: chunked\r\n", chunks + "X: y\r\n\r\n"),
       "a cat"},
      {"/identity", answer("200 OK", "Content-Encoding: identity\r\n", "a cat"), "a cat"},
      {"/hints",
       answer("103 Early Hints", "Link: </a>\r\nContent-Length: 9999\r\n") + whole("a cat"),
       "a cat"},
      {"/empty", whole(""), ""},
      {"/none", answer("204 No Content", ""), ""},
      {"/as-much-as-there-may-be", whole(std::string(1'000, 'x')), nullptr},
  };
  RawOrigin origin([&](const std::string& head) {
    for (const auto& row : table)
      if (path_of(head) == row.path) return RawOrigin::Play{row.bytes};
    return RawOrigin::Play{};
  });
  for (const auto& row : table)
    EXPECT_EQ(get(origin.url(row.path)), row.body ? row.body : std::string(1'000, 'x')) << row.path;
}

TEST_F(EgressTest, gives_up_on_origins_that_do_not_keep_to_the_rules) {
  const std::string line = "X: " + std::string(1'000, 'x') + "\r\n";
  std::string lines;
  for (int i = 0; i < 70; ++i) lines += line;
  const auto hints = [&] {
    std::string result;
    for (int i = 0; i < 70; ++i) result += answer("103 Early Hints", line);
    return result;
  };
  const std::string chunk = "400\r\n" + std::string(1024, 'x') + "\r\n";
  const std::string page(5'000, 'x');
  const struct {
    const char* path;
    RawOrigin::Play play;
    const char* code;
  } table[] = {
      {"/missing",
       {answer("404 Not Found", "Content-Length: 3\r\n", "no!")},
       "download-file-error"},
      {"/missing-at-length",
       {answer("404 No", "Content-Length: 5000\r\n", page), true},
       "download-file-error"},
      {"/missing-compressed",
       {answer("404 No", "Content-Encoding: gzip\r\n", page)},
       "download-file-error"},
      {"/broken", {answer("500 Oh", "Content-Length: 0\r\n")}, "download-file-error"},
      {"/large", {answer("200 OK", "Content-Length: 1001\r\n"), true}, "validate-file-size"},
      {"/largest",
       {answer("200 OK", "Content-Length: 99999999999999999999999\r\n"), true},
       "validate-file-size"},
      {"/chunks",
       {answer("200 OK", "Transfer-Encoding: chunked\r\n", chunk), true},
       "validate-file-size"},
      {"/endless", {answer("200 OK", "", std::string(100'000, 'x'))}, "validate-file-size"},
      {"/short", {answer("200 OK", "Content-Length: 10\r\n", "abc")}, "download-file-error"},
      {"/short-chunk",
       {answer("200 OK", "Transfer-Encoding: chunked\r\n", "A\r\nabc")},
       "download-file-error"},
      {"/no-chunks",
       {answer("200 OK", "Transfer-Encoding: chunked\r\n", "hello")},
       "download-file-error"},
      {"/two-lengths",
       {answer("200 OK", "Content-Length: 3\r\nContent-Length: 4\r\n", "abc")},
       "download-file-error"},
      {"/negative", {answer("200 OK", "Content-Length: -3\r\n", "abc")}, "download-file-error"},
      {"/gzip",
       {answer("200 OK", "Content-Encoding: gzip\r\nContent-Length: 3\r\n", "abc")},
       "download-file-error"},
      {"/gzip-on-the-way",
       {answer("200 OK", "Transfer-Encoding: gzip, chunked\r\n", chunk), true},
       "download-file-error"},
      {"/nothing", {""}, "download-file-error"},
      {"/nonsense", {"\x16\x03\x01 this is no HTTP\r\n\r\n"}, "download-file-error"},
      {"/old", {"a cat"}, "download-file-error"},
      {"/half-a-head", {"HTTP/1.1 200 OK\r\nContent-Length: 3"}, "download-file-error"},
      {"/long-line",
       {answer("200 OK", "X: " + std::string(90'000, 'x') + "\r\n"), true},
       "download-file-error"},
      {"/many-lines", {answer("200 OK", lines), true}, "download-file-error"},
      {"/many-hints", {hints(), true}, "download-file-error"},
      {"/many-trailers",
       {answer("200 OK", "Transfer-Encoding: chunked\r\n", "0\r\n" + lines), true},
       "download-file-error"},
      {"/nowhere", {answer("302 Found", "Content-Length: 0\r\n")}, "download-file-error"},
      {"/two-ways",
       {answer("302 Found", "Location: /a\r\nLocation: /b\r\n"), true},
       "download-file-error"},
      {"/choices", {answer("300 Choices", "Location: /a\r\n"), true}, "download-file-error"},
      {"/unchanged", {answer("304 Not Modified", "")}, "download-file-error"},
  };
  RawOrigin origin([&](const std::string& head) {
    for (const auto& row : table)
      if (path_of(head) == row.path) return row.play;
    return RawOrigin::Play{};
  });
  for (const auto& row : table) EXPECT_EQ(get(origin.url(row.path)), row.code) << row.path;
}

TEST_F(EgressTest, gives_the_sink_nothing_but_the_body_of_a_good_answer) {
  RawOrigin origin([](const std::string& head) {
    const std::string path = path_of(head);
    if (path == "/missing") return RawOrigin::Play{answer("404 No", "", "not a cat")};
    if (path == "/gzip")
      return RawOrigin::Play{answer("200 OK", "Content-Encoding: gzip\r\n", "not a cat")};
    if (path == "/large")
      return RawOrigin::Play{answer("200 OK", "Content-Length: 9999\r\n", "not a cat"), true};
    if (path == "/cat") return RawOrigin::Play{whole("a cat")};
    return RawOrigin::Play{redirect("/cat", "not a cat")};
  });
  std::string body;
  for (const char* path : {"/missing", "/gzip", "/large", "/elsewhere"})
    (void)run_task(client_->fetch(origin.url(path), 1'000, 20s, [&](ByteView bytes) -> Status {
      body += as_text(bytes);
      return {};
    }));
  EXPECT_EQ(body, "a cat");
}

TEST_F(EgressTest, follows_redirects_only_to_where_it_would_have_gone_itself) {
  RawOrigin* self = nullptr;
  RawOrigin origin([&](const std::string& head) {
    const std::string path = path_of(head);
    if (path == "/cat") return RawOrigin::Play{whole("a cat")};
    if (path == "/loop") return RawOrigin::Play{redirect("/loop")};
    if (path == "/relative") return RawOrigin::Play{redirect("cat")};
    if (path == "/at-length") return RawOrigin::Play{redirect("/cat", std::string(50'000, 'x'))};
    if (path == "/compressed")
      return RawOrigin::Play{answer("301 Moved", "Location: /cat\r\nContent-Encoding: gzip\r\n")};
    if (path == "/inside") return RawOrigin::Play{redirect(self->url("/cat", "127.0.0.2"))};
    if (path == "/decimal") return RawOrigin::Play{redirect(self->url("/cat", "2130706434"))};
    if (path == "/mapped")
      return RawOrigin::Play{redirect(self->url("/cat", "[::ffff:127.0.0.2]"))};
    if (path == "/metadata") return RawOrigin::Play{redirect("http://169.254.169.254/")};
    if (path == "/file") return RawOrigin::Play{redirect("file:///etc/passwd")};
    if (path == "/gopher") return RawOrigin::Play{redirect("gopher://127.0.0.1/")};
    if (path == "/user") return RawOrigin::Play{redirect("http://me:secret@127.0.0.1/")};
    if (path.starts_with("/status"))
      return RawOrigin::Play{answer(path.substr(7) + " Over There", "Location: /cat\r\n")};
    return RawOrigin::Play{redirect("/" + path.substr(2))};  // "/xcat" counts down to "/cat"
  });
  self = &origin;
  for (const char* path : {"/relative", "/at-length", "/compressed", "/xxxxxcat", "/status301",
                           "/status302", "/status303", "/status307", "/status308"})
    EXPECT_EQ(get(origin.url(path)), "a cat") << path;
  EXPECT_EQ(get(origin.url("/xxxxxxcat")), "download-file-error");  // six are one too many
  EXPECT_EQ(get(origin.url("/loop")), "download-file-error");
  for (const char* path : {"/inside", "/decimal", "/mapped", "/metadata"})
    EXPECT_EQ(get(origin.url(path)), "address-refused") << path;
  for (const char* path : {"/file", "/gopher", "/user"})
    EXPECT_EQ(get(origin.url(path)), "invalid-url") << path;
}

TEST_F(EgressTest, refuses_what_is_no_URL_before_anything_else) {
  EXPECT_EQ(get("file:///etc/passwd"), "invalid-url");
  EXPECT_EQ(get("http://me:secret@127.0.0.1/"), "invalid-url");
}

TEST_F(EgressTest, has_no_patience_beyond_the_time_it_was_given) {
  RawOrigin origin([](const std::string& head) {
    if (path_of(head) == "/silent") return RawOrigin::Play{"", true};
    if (path_of(head) == "/half") return RawOrigin::Play{"HTTP/1.1 200 OK\r\nX:", false, 10ms};
    if (path_of(head) == "/loop") return RawOrigin::Play{redirect("/loop"), true};
    return RawOrigin::Play{answer("200 OK", "Content-Length: 900\r\n"), false, 10ms};
  });
  for (const char* path : {"/silent", "/half", "/drip"})
    EXPECT_EQ(get(origin.url(path), 1'000, 200ms), "fetch-timeout") << path;
  EXPECT_EQ(get(origin.url("/silent"), 1'000, 0ms), "fetch-timeout");
  EXPECT_EQ(get(origin.url("/silent"), 1'000, -1ms), "fetch-timeout");
}

TEST_F(EgressTest, ends_when_whoever_takes_the_bytes_has_had_enough) {
  RawOrigin origin([](const std::string&) {
    return RawOrigin::Play{answer("200 OK", "Content-Length: 900\r\n", "a cat"), true};
  });
  const Status status =
      run_task(client_->fetch(origin.url("/"), 1'000, 20s, [](ByteView) -> Status {
        return fail_with(Fault::limits, "spool-full", "no room");
      }));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, "spool-full");
  EXPECT_EQ(status.error().fault, Fault::limits);
}

// Holds requests back until there are as many as there may be, so that these are seen to be at work
// at once, and counts how many are.
class Rounds {
 public:
  Rounds(int size, int all) : size_(size), left_(all) {}
  void wait() {
    std::unique_lock lock(mutex_);
    most_ = std::max(most_, ++open_);
    const int round = round_;
    if (++arrived_ == std::min(size_, left_)) {
      left_ -= std::exchange(arrived_, 0);
      ++round_;
      full_.notify_all();
    }
    full_.wait(lock, [&] { return round != round_; });
    --open_;
  }
  int most() {
    const std::scoped_lock lock(mutex_);
    return most_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable full_;
  const int size_;
  int left_, arrived_ = 0, open_ = 0, round_ = 0, most_ = 0;
};

TEST_F(EgressTest, asks_one_host_for_four_things_at_a_time) {
  Rounds rounds(4, 30);
  RawOrigin origin([&](const std::string&) {
    rounds.wait();
    return RawOrigin::Play{whole("a cat")};
  });
  EXPECT_EQ(get_all(std::vector(30, origin.url("/"))), std::vector<std::string>(30, "a cat"));
  EXPECT_EQ(rounds.most(), 4);
}

Options narrow(std::size_t max_per_host, std::size_t max_at_once) {
  Options options = allowing("127.0.0.0/8");
  options.max_per_host = max_per_host;
  options.max_at_once = max_at_once;
  return options;
}

class EgressThreeAtOnce : public EgressTest {
 protected:
  EgressThreeAtOnce() : EgressTest(narrow(2, 3)) {}
};

TEST_F(EgressThreeAtOnce, asks_all_hosts_together_for_no_more_than_that) {
  Rounds rounds(3, 9);
  RawOrigin origin([&](const std::string&) {
    rounds.wait();
    return RawOrigin::Play{whole("a cat")};
  });
  std::vector<std::string> urls;
  for (int i = 1; i <= 9; ++i) urls.push_back(origin.url("/", fmt::format("127.0.0.{}", i)));
  EXPECT_EQ(get_all(urls), std::vector<std::string>(9, "a cat"));
  EXPECT_EQ(rounds.most(), 3);
}

// The first `places` are held back until all others have run out of time.
void expect_places(Client& client, const std::vector<std::string>& hosts, std::size_t places) {
  std::latch late(static_cast<std::ptrdiff_t>(hosts.size() - places));
  RawOrigin origin([&](const std::string&) {
    late.wait();
    return RawOrigin::Play{whole("a cat")};
  });
  std::vector<std::string> codes(hosts.size());
  const auto one = [&](std::size_t i) -> Task<void> {
    const bool has_place = i < places;
    const Status status = co_await client.fetch(origin.url("/", hosts[i]), 1'000,
                                                has_place ? 20'000ms : 100ms, kDiscard);
    if (!status) codes[i] = status.error().code;
    if (!has_place) late.count_down();
  };
  std::vector<Task<void>> tasks;
  tasks.reserve(hosts.size());
  for (std::size_t i = 0; i < hosts.size(); ++i) tasks.push_back(one(i));
  run_task(all(std::move(tasks)));
  for (std::size_t i = 0; i < hosts.size(); ++i)
    EXPECT_EQ(codes[i], i < places ? "" : "fetch-timeout") << i;
  EXPECT_EQ(origin.connections(), places);
}

TEST_F(EgressThreeAtOnce, lets_those_that_wait_for_a_place_run_out_of_time) {
  expect_places(*client_, std::vector<std::string>(6, "127.0.0.1"), 2);
  expect_places(*client_, {"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5"}, 3);
}

class EgressOnePerHost : public EgressTest {
 protected:
  EgressOnePerHost() : EgressTest(narrow(1, 32)) {}
};

TEST_F(EgressOnePerHost, counts_a_redirect_for_the_host_it_leads_to) {
  Rounds rounds(1, 8);
  RawOrigin* self = nullptr;
  RawOrigin origin([&](const std::string& head) {
    if (path_of(head) == "/") return RawOrigin::Play{redirect(self->url("/cat", "127.0.0.99"))};
    rounds.wait();
    return RawOrigin::Play{whole("a cat")};
  });
  self = &origin;
  std::vector<std::string> urls;
  for (int i = 1; i <= 8; ++i) urls.push_back(origin.url("/", fmt::format("127.0.0.{}", i)));
  EXPECT_EQ(get_all(urls), std::vector<std::string>(8, "a cat"));
  EXPECT_EQ(rounds.most(), 1);
}

TEST_F(EgressOnePerHost, lets_two_hosts_that_redirect_to_each_other_pass) {
  Rounds both(2, 2);
  RawOrigin* self = nullptr;
  RawOrigin origin([&](const std::string& head) {
    const std::string path = path_of(head);
    if (path == "/cat") return RawOrigin::Play{whole("a cat")};
    both.wait();
    return RawOrigin::Play{redirect(self->url("/cat", path == "/1" ? "127.0.0.2" : "127.0.0.1"))};
  });
  self = &origin;
  EXPECT_EQ(get_all({origin.url("/1", "127.0.0.1"), origin.url("/2", "127.0.0.2")}),
            std::vector<std::string>(2, "a cat"));
}

class EgressOneAtOnce : public EgressTest {
 protected:
  EgressOneAtOnce() : EgressTest(narrow(1, 1)) {}
};

TEST_F(EgressOneAtOnce, ends_what_it_began_before_it_begins_another) {
  RawOrigin origin([](const std::string& head) {
    return RawOrigin::Play{path_of(head) == "/first" ? redirect("/second") : whole("a cat")};
  });
  get_all({origin.url("/first"), origin.url("/third")});
  std::vector<std::string> paths;
  for (const std::string& head : origin.heads()) paths.push_back(path_of(head));
  EXPECT_EQ(paths, (std::vector<std::string>{"/first", "/second", "/third"}));
}

}  // namespace
}  // namespace portcullis::egress
