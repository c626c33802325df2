// Certificates are checked: an origin whose own it is, as `openssl s_server` plays it, is not
// believed.
#include <curl/curl.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>

#include "egress/egress_testing.h"
#include "testing/temporary_folder.h"

extern char** environ;

namespace portcullis::egress {
namespace {

class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    std::vector<char*> raw;
    raw.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) raw.push_back(argument.data());
    raw.push_back(nullptr);
    int ends[2];
    PORTCULLIS_CHECK(::pipe2(ends, O_CLOEXEC) == 0);
    output_.reset(ends[0]);
    const UniqueFd other(ends[1]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, other.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    PORTCULLIS_CHECK(::posix_spawnp(&pid_, raw[0], &actions, nullptr, raw.data(), environ) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
  }
  ~Program() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  int wait() {
    int status = -1;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }
  // What it says after `start`, up to the end of the line. Empty if it ends before.
  std::string says(const std::string& start) {
    std::string text;
    char byte;
    while (::read(output_.get(), &byte, 1) == 1) {
      if (byte != '\n')
        text += byte;
      else if (const auto at = text.find(start); at != std::string::npos)
        return text.substr(at + start.size());
      else
        text.clear();
    }
    return {};
  }

 private:
  pid_t pid_ = -1;
  UniqueFd output_;
};

// An origin that answers over TLS with a certificate of its own for 127.0.0.1.
class TlsOrigin {
 public:
  TlsOrigin() {
    const std::string key = folder_.path() / "key.pem";
    Program make({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", certificate_,
                  "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"});
    PORTCULLIS_CHECK(make.wait() == 0);
    server_ = std::make_unique<Program>(std::vector<std::string>{"openssl", "s_server", "-accept",
                                                                 "127.0.0.1:0", "-key", key,
                                                                 "-cert", certificate_, "-www"});
    url_ = "https://" + server_->says("ACCEPT ") + '/';
  }
  const std::string& url() const { return url_; }
  const std::string& certificate() const { return certificate_; }

 private:
  testing::TemporaryFolder folder_;
  std::string certificate_ = folder_.path() / "certificate.pem";
  std::unique_ptr<Program> server_;
  std::string url_;
};

// The status that someone gets who believes `certificate`; 0 if nobody answers.
long status_for_those_who_believe(const std::string& certificate, const std::string& url) {
  const std::unique_ptr<CURL, void (*)(CURL*)> easy(::curl_easy_init(), ::curl_easy_cleanup);
  ::curl_easy_setopt(easy.get(), CURLOPT_URL, url.c_str());
  ::curl_easy_setopt(easy.get(), CURLOPT_CAINFO, certificate.c_str());
  ::curl_easy_setopt(easy.get(), CURLOPT_NOBODY, 0L);
  ::curl_easy_setopt(
      easy.get(), CURLOPT_WRITEFUNCTION,
      +[](char*, std::size_t, std::size_t count, void*) { return count; });
  ::curl_easy_perform(easy.get());
  long status = 0;
  ::curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &status);
  return status;
}

TEST_F(EgressTest, believes_no_certificate_that_the_system_does_not) {
  const TlsOrigin origin;
  ASSERT_EQ(status_for_those_who_believe(origin.certificate(), origin.url()), 200);
  EXPECT_EQ(get(origin.url(), 100'000), "download-file-error");
}

TEST(Configured, believes_no_certificate_that_the_system_does_not) {
  const TlsOrigin origin;
  ASSERT_EQ(status_for_those_who_believe(origin.certificate(), origin.url()), 200);
  const auto client = *ConfiguredClient::create({});
  const Endpoint endpoint = *Endpoint::parse(origin.url());
  EXPECT_FALSE(run_task(client->ask(endpoint, {}, 100'000, 20s)));
  EXPECT_FALSE(run_task(client->connect(endpoint, 20s)));
}

TEST_F(EgressTest, does_not_fall_back_to_plain_text) {
  RawOrigin origin([](const std::string&) { return RawOrigin::Play{whole("a cat")}; });
  EXPECT_EQ(get(fmt::format("https://127.0.0.1:{}/", origin.port()), 1'000, 200ms),
            "fetch-timeout");  // the origin waits for the end of a head
  EXPECT_TRUE(origin.heads().empty());
}

}  // namespace
}  // namespace portcullis::egress
