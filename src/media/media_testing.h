// media/media_testing.h: a Media over a real store and folder, with decoders, a model and a web
// that say what a test wants.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <map>

#include "base/log.h"
#include "media/media.h"
#include "testing/fake_decoders.h"
#include "testing/fake_model.h"
#include "testing/run_task.h"
#include "testing/temporary_folder.h"
#include "testing/virtual_clock.h"

namespace portcullis::media {

namespace json = boost::json;
namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

inline constexpr std::string_view kPolicy = R"(
[[signal]]
name = "nsfw"
kind = "classifier"
model = "fake"
required = true
[[rule]]
name = "could not look"
when = { unanswered = "required" }
then = "refuse"
[[rule]]
name = "pornography"
when = { score = "nsfw.nsfw", at_least = 0.85 }
then = "refuse"
[[rule]]
name = "unsure"
when = { score = "nsfw.nsfw", at_least = 0.60 }
then = "hold"
[default]
then = "accept"
)";

class TextBody final : public net::BodyReader {
 public:
  explicit TextBody(std::string text) : text_(std::move(text)) {}
  Task<Result<std::size_t>> read(std::span<std::byte> into) override {
    const std::size_t count = std::min({into.size(), text_.size() - at_, std::size_t{1000}});
    if (count == 0 && vanish) co_return fail(Fault::client, "the client vanished");
    std::memcpy(into.data(), text_.data() + at_, count);
    at_ += count;
    co_return count;
  }
  bool vanish = false;

 private:
  std::string text_;
  std::size_t at_ = 0;
};

inline std::string multipart(const std::vector<std::string>& files,
                             const std::string& field = "images[]") {
  std::string body;
  for (const std::string& file : files)
    body += fmt::format(
        "--b\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"x.png\"\r\n"
        "Content-Type: image/png\r\n\r\n{}\r\n",
        field, file);
  return body + "--b--\r\n";
}

// The web: what lies behind each URL.
class FakeFetcher final : public Fetcher {
 public:
  Result<std::string> host_of(const std::string& url) const override {
    const auto start = url.find("://");
    if (!url.starts_with("http") || start == std::string::npos)
      return fail(Fault::client, "no URL that can be fetched");
    return url.substr(start + 3, url.find('/', start + 3) - start - 3);
  }
  Task<Status> fetch(std::string url, std::uint64_t max_bytes, std::chrono::milliseconds,
                     Sink sink) override {
    ++fetches;
    const auto found = web.find(url);
    if (found == web.end()) co_return fail_with(Fault::upstream, "download-file-error", "404");
    if (found->second.size() > max_bytes)
      co_return fail_with(Fault::limits, "validate-file-size", "too large");
    co_return sink(as_bytes(found->second));
  }
  std::map<std::string, std::string> web;
  std::atomic<int> fetches{0};
};

class MediaTest : public ::testing::Test {
 protected:
  MediaTest() {
    judge_by(kPolicy);
    fs::create_directories(folder_.path() / "spool");
    options_.spool = folder_.path() / "spool";
    options_.refusal_step = std::chrono::milliseconds(0);
    options_.max_file_size = 5'000;
    store_ = std::move(store::open_sqlite({.file = folder_.path() / "db.sqlite"}, clock_).value());
    blobs_ = std::move(blob::open_folder(folder_.path() / "blobs", *files_).value());
    fs::create_directories(folder_.path() / "evidence");
    options_.on_alert = [this](std::string_view what, std::string_view text) {
      alerts_.push_back(fmt::format("{}: {}", what, text));
    };
    keep_evidence(keeper_options());
    restart();
    log::set_sink([this](std::string_view line) { log_ += std::string(line) + "\n"; });
  }
  ~MediaTest() override { log::set_sink({}); }

  void restart() {
    media_ =
        std::make_unique<Media>(options_, Services{*store_, *blobs_, *scanner_, decoders_, fetcher_,
                                                   *keeper_, pool_, pool_, pool_, clock_});
  }
  evidence::Keeper::Options keeper_options() const {
    return {.folder = folder_.path() / "evidence",
            .review = review_key_.public_half(),
            .evidence = evidence_key_.public_half(),
            .held_per_uploader = 2};
  }
  // Before restart().
  void keep_evidence(evidence::Keeper::Options options) {
    media_.reset();
    keeper_ = std::make_unique<evidence::Keeper>(std::move(options), *store_, *files_, clock_);
  }
  // Judges by another policy from now on; `signals` are named there.
  void judge_by(std::string_view policy, std::vector<scan::NamedList> lists = {}) {
    auto parsed = policy::Policy::parse(
        policy, "policy.toml",
        {.model_labels = {{"fake", {"sfw", "nsfw"}}}, .lists = {}, .service_labels = {}});
    PORTCULLIS_CHECK(parsed.has_value());
    std::vector<std::shared_ptr<const scan::Signal>> signals;
    for (const policy::SignalDefinition& definition : parsed->signals())
      signals.push_back(definition.kind == policy::SignalKind::list
                            ? scan::list_signal(definition, lists, pool_, clock_)
                            : scan::classifier_signal(definition, model_, "", pool_, clock_,
                                                      std::chrono::seconds(10)));
    const image::Rules rules{{image::Format::png}, {1000, 1000, 1'000'000, 1'000'000, 1}, {}};
    auto ruleset = std::make_shared<const scan::Ruleset>(
        scan::Ruleset{*parsed, signals, rules, ruleset_digest(*parsed, signals)});
    if (scanner_)
      scanner_->set_ruleset(std::move(ruleset));
    else
      scanner_ = std::make_unique<scan::Scanner>(decoders_, scan::Scanner::Pools{pool_},
                                                 std::move(ruleset));
  }

  static net::Request request_of(const std::string& method, const std::string& target,
                                 std::vector<net::Header> headers = {}) {
    net::Request request;
    request.id = "test";
    request.method = method;
    request.target = target;
    request.path = target.substr(0, target.find('?'));
    if (target.find('?') != std::string::npos) request.query = target.substr(target.find('?') + 1);
    request.headers = std::move(headers);
    return request;
  }
  net::Response ask(const std::string& method, const std::string& target,
                    std::vector<net::Header> headers = {}, const std::string& body = "",
                    bool vanish = false) {
    net::Request request = request_of(method, target, std::move(headers));
    TextBody reader(body);
    reader.vanish = vanish;
    return ::portcullis::testing::run_task(media_->handle(request, reader));
  }

  net::Response upload(const std::vector<std::string>& files,
                       std::vector<net::Header> headers = {}) {
    headers.push_back({"Content-Type", "multipart/form-data; boundary=b"});
    return ask("POST", "/image", headers, multipart(files));
  }

  static std::string text(const net::Response& response) {
    if (const auto* text = std::get_if<std::string>(&response.body)) return *text;
    const auto& part = std::get<net::FilePart>(response.body);
    Bytes bytes(part.length);
    EXPECT_EQ(read_at(part.fd->get(), bytes, part.offset).value(), part.length);
    return std::string(as_text(bytes));
  }
  static json::object object(const net::Response& response) {
    return json::parse(text(response)).as_object();
  }
  static std::string header(const net::Response& response, std::string_view name) {
    for (const net::Header& one : response.headers)
      if (ascii_equal_ignoring_case(one.name, name)) return one.value;
    return {};
  }
  struct File {
    std::string alias, token;
  };
  File uploaded(const std::string& bytes) {
    const net::Response response = upload({bytes});
    EXPECT_EQ(response.status, 201) << text(response);
    const json::object file = object(response).at("files").as_array().at(0).as_object();
    return {std::string(file.at("file").as_string()),
            std::string(file.at("delete_token").as_string())};
  }
  std::size_t blobs_on_disk() const {
    std::size_t count = 0;
    EXPECT_TRUE(blobs_->list([&](const Sha256&) { ++count; }));
    return count;
  }

  ::portcullis::testing::VirtualClock clock_;
  ::portcullis::testing::TemporaryFolder folder_;
  ::portcullis::testing::FakeDecoders decoders_;
  std::shared_ptr<::portcullis::testing::FakeModel> model_ =
      std::make_shared<::portcullis::testing::FakeModel>();
  FakeFetcher fetcher_;
  Pool pool_{"test", 3};
  Options options_;
  std::unique_ptr<scan::Scanner> scanner_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<blob::FileSystem> files_ = blob::real_file_system();
  std::unique_ptr<blob::BlobStore> blobs_;
  evidence::PrivateKey review_key_ = evidence::make_key(evidence::Purpose::review);
  evidence::PrivateKey evidence_key_ = evidence::make_key(evidence::Purpose::evidence);
  std::unique_ptr<evidence::Keeper> keeper_;
  std::vector<std::string> alerts_;
  std::unique_ptr<Media> media_;
  std::string log_;
};

}  // namespace portcullis::media
