#include <fcntl.h>
#include <gmock/gmock.h>

#include "services/protocol.h"
#include "testing/fake_decoders.h"
#include "testing/run_task.h"
#include "testing/service_imposters.h"
#include "testing/temporary_folder.h"
#include "testing/virtual_clock.h"

namespace portcullis::services {
namespace {

using namespace std::chrono_literals;
using policy::Answer;
using policy::SignalAnswer;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

class ServiceTest : public ::testing::Test {
 protected:
  static Options options(Type type, std::string url) {
    Options options;
    options.name = "svc";
    options.type = type;
    options.url = std::move(url);
    if (type == Type::arachnid) options.user = "gate", options.password = "secret";
    if (type == Type::photodna) options.key = "abc";
    if (type == Type::photodna || type == Type::http) options.mode = Mode::media;
    return options;
  }
  std::shared_ptr<Service> service(Options options) {
    auto made = Service::create(std::move(options), client_, clock_);
    if (!made) ADD_FAILURE() << made.error().what;
    return made ? *made : nullptr;
  }

  // A picture of these prints, or nothing decoded.
  void see(std::vector<hash::Dihedral> prints) {
    seen_.emplace();
    seen_->format = decoder::Format::jpeg;
    seen_->width = 640;
    seen_->height = 480;
    seen_->fingerprints = std::move(prints);
  }
  void send(std::string_view bytes) {
    bytes_ = bytes;
    fd_.reset(::open(folder_.write("original", bytes).c_str(), O_RDONLY | O_CLOEXEC));
  }
  scan::Question question() const {
    scan::Question question{.fd = fd_.get(), .size = bytes_.size()};
    if (seen_) {
      question.seen = &*seen_;
      question.fingerprints = &seen_->fingerprints;
      question.pictures = pictures_.empty() ? nullptr : &pictures_;
    }
    return question;
  }
  SignalAnswer ask(Service& service, std::chrono::milliseconds left = 60s) {
    return testing::run_task(service.ask(question(), clock_.steady() + left));
  }

  testing::VirtualClock clock_;
  testing::TemporaryFolder folder_;
  std::shared_ptr<egress::ConfiguredClient> client_ =
      std::move(*egress::ConfiguredClient::create({}));
  std::optional<image::Seen> seen_;
  std::vector<decoder::Picture> pictures_;
  std::string bytes_;
  UniqueFd fd_;
};

std::string as_base64(const hash::PdqHash& hash) { return base64(*from_hex(to_hex(hash))); }

// --- HMA ---

TEST_F(ServiceTest, an_hma_is_asked_about_each_hash_and_told_nothing_else) {
  testing::HmaImposter hma;
  const auto asked = service(options(Type::hma, hma.server.url()));
  see({testing::fingerprint_of("cat")});
  send("the bytes of a cat");
  const SignalAnswer answer = ask(*asked);
  EXPECT_EQ(answer.answer, Answer::no_match);
  EXPECT_EQ(answer.detail, "svc: nothing known");

  std::set<std::string> hashes, want;
  for (const std::string& head : hma.server.heads()) {
    EXPECT_TRUE(head.starts_with("GET /m/lookup?signal=")) << head;
    EXPECT_EQ(testing::query_value(head, "signal_type"), "pdq");
    EXPECT_THAT(head, Not(HasSubstr("Authorization")));
    hashes.insert(testing::query_value(head, "signal"));
  }
  for (const hash::PdqHash& hash : seen_->fingerprints[0].pdq) want.insert(to_hex(hash));
  EXPECT_EQ(hashes, want);
  EXPECT_THAT(hma.server.bodies(), Each(""));
}

TEST_F(ServiceTest, an_hma_knows_a_picture_in_any_orientation_and_says_in_which_bank) {
  testing::HmaImposter hma;
  Options with_banks = options(Type::hma, hma.server.url());
  with_banks.banks = {"CSAM", "spam & co"};
  with_banks.key = "token";
  const auto asked = service(with_banks);
  see({testing::fingerprint_of("dog"), testing::fingerprint_of("cat")});
  hma.banks_by_hash[to_hex(seen_->fingerprints[1].pdq[5])] = "CSAM";
  const SignalAnswer answer = ask(*asked);
  EXPECT_EQ(answer.answer, Answer::match);
  EXPECT_FALSE(answer.exact);
  EXPECT_EQ(answer.detail, "svc: in bank CSAM at distance 4");
  EXPECT_THAT(answer.scores, UnorderedElementsAre(Pair("CSAM", 1), Pair("spam & co", 0)));
  const std::string head = hma.server.heads().front();
  EXPECT_EQ(testing::query_value(head, "banks"), "CSAM,spam%20%26%20co");
  EXPECT_EQ(testing::header_value(head, "Authorization"), "Bearer token");

  Options upright = with_banks;
  upright.turned = false;
  const std::size_t before = hma.server.requests();
  EXPECT_EQ(ask(*service(upright)).answer, Answer::no_match);
  EXPECT_EQ(hma.server.requests() - before, 2u);
}

TEST_F(ServiceTest, plain_frames_are_not_asked_about_and_too_many_frames_are_unanswered) {
  testing::HmaImposter hma;
  Options few = options(Type::hma, hma.server.url());
  few.max_hashes = 16;
  const auto asked = service(few);
  see({testing::fingerprint_of("flat", 49)});
  SignalAnswer answer = ask(*asked);
  EXPECT_EQ(answer.answer, Answer::no_match);
  EXPECT_THAT(answer.detail, HasSubstr("too plain"));
  EXPECT_EQ(hma.server.requests(), 0u);

  see({testing::fingerprint_of("a"), testing::fingerprint_of("b"),
       testing::fingerprint_of("flat", 49), testing::fingerprint_of("a")});
  EXPECT_EQ(ask(*asked).answer, Answer::no_match);
  EXPECT_EQ(hma.server.requests(), 16u);

  seen_->fingerprints.push_back(testing::fingerprint_of("c"));
  answer = ask(*asked);
  EXPECT_EQ(answer.answer, Answer::unanswered);
  EXPECT_THAT(answer.detail, HasSubstr("max_hashes"));
  EXPECT_EQ(hma.server.requests(), 16u);
}

TEST_F(ServiceTest, an_hma_without_an_index_is_unanswered_and_check_says_so) {
  testing::HmaImposter hma;
  const auto asked = service(options(Type::hma, hma.server.url()));
  see({testing::fingerprint_of("cat")});
  EXPECT_TRUE(testing::run_task(asked->probe()));
  hma.is_ready = false;
  const SignalAnswer answer = ask(*asked);
  EXPECT_EQ(answer.answer, Answer::unanswered);
  EXPECT_EQ(answer.detail, "svc: it failed (status 503)");
  EXPECT_TRUE(answer.scores.empty());
  const Status probed = testing::run_task(asked->probe());
  ASSERT_FALSE(probed);
  EXPECT_EQ(probed.error().what, "status 503");
}

TEST_F(ServiceTest, a_match_counts_although_another_hash_could_not_be_asked_about) {
  testing::HmaImposter hma;
  Options one_by_one = options(Type::hma, "http://hma.invalid/");
  one_by_one.banks = {"A", "B"};
  one_by_one.max_at_once = 1;

  // Answers the first request and fails at the second.
  class Client final : public egress::ConfiguredClient {
   public:
    Task<Result<egress::Reply>> ask(egress::Endpoint, egress::Request, std::uint64_t,
                                    std::chrono::milliseconds) override {
      if (++asked > 1) co_return fail(Fault::upstream, "gone");
      co_return egress::Reply{200, R"({"A":[{"bank_content_id":1}]})"};
    }
    Task<Status> connect(egress::Endpoint, std::chrono::milliseconds) override {
      co_return Status();
    }
    int asked = 0;
  };
  client_ = std::make_shared<Client>();
  see({testing::fingerprint_of("cat")});
  const SignalAnswer answer = ask(*service(one_by_one));
  EXPECT_EQ(answer.answer, Answer::match);
  EXPECT_THAT(answer.scores, UnorderedElementsAre(Pair("A", 1)));  // of B nothing is known
}

// --- Arachnid Shield ---

TEST_F(ServiceTest, arachnid_gets_all_hashes_at_once_with_its_credentials) {
  testing::ArachnidImposter shield;
  const auto asked = service(options(Type::arachnid, shield.server.url("/")));
  see({testing::fingerprint_of("cat")});
  send("the bytes of a cat");
  for (const bool says_null : {true, false}) {
    shield.says_null = says_null;
    const SignalAnswer answer = ask(*asked);
    EXPECT_EQ(answer.answer, Answer::no_match) << answer.detail;
    EXPECT_THAT(answer.scores,
                UnorderedElementsAre(Pair("csam", 0), Pair("harmful-abusive-material", 0),
                                     Pair("other", 0)));
  }
  EXPECT_EQ(shield.server.requests(), 2u);
  const std::string head = shield.server.heads().front(), body = shield.server.bodies().front();
  EXPECT_TRUE(head.starts_with("POST /v1/pdq/ HTTP/1.1\r\n")) << head;
  EXPECT_EQ(testing::header_value(head, "Content-Type"), "application/json");
  EXPECT_TRUE(body.starts_with("{\"hashes\":[\"")) << body;
  for (const hash::PdqHash& hash : seen_->fingerprints[0].pdq)
    EXPECT_THAT(body, HasSubstr("\"" + as_base64(hash) + "\""));
  EXPECT_EQ(as_base64(*hash::pdq_from_hex(std::string(62, '0') + "01")),
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=");
}

TEST_F(ServiceTest, arachnid_says_of_which_class_a_picture_is) {
  testing::ArachnidImposter shield;
  const auto asked = service(options(Type::arachnid, shield.server.url()));
  std::vector<hash::Dihedral> frames;
  for (int i = 0; i < 20; ++i) frames.push_back(testing::fingerprint_of(std::to_string(i)));
  see(frames);
  shield.classes[as_base64(frames[19].pdq[3])] = "harmful-abusive-material";
  shield.classes[as_base64(frames[2].pdq[0])] = "brand-new";
  const SignalAnswer answer = ask(*asked);
  EXPECT_EQ(answer.answer, Answer::match);
  EXPECT_FALSE(answer.exact);
  EXPECT_THAT(
      answer.scores,
      UnorderedElementsAre(Pair("csam", 0), Pair("harmful-abusive-material", 1), Pair("other", 1)));
  EXPECT_EQ(shield.server.requests(), 3u);  // 160 hashes
}

TEST_F(ServiceTest, arachnid_gets_the_picture_only_in_media_mode) {
  testing::ArachnidImposter shield;
  Options media = options(Type::arachnid, shield.server.url());
  media.mode = Mode::media;
  const auto asked = service(media);
  see({testing::fingerprint_of("cat")});
  const std::string bytes = "bytes \0 of a cat";
  send(bytes);
  EXPECT_EQ(ask(*asked).answer, Answer::no_match);
  EXPECT_EQ(shield.server.bodies().back(), bytes);
  EXPECT_EQ(testing::header_value(shield.server.heads().back(), "Content-Type"), "image/jpeg");
  shield.classes[bytes] = "csam";
  const SignalAnswer answer = ask(*asked);
  EXPECT_EQ(answer.answer, Answer::match);
  EXPECT_TRUE(answer.exact);
  EXPECT_EQ(answer.scores.at("csam"), 1);

  seen_.reset();
  EXPECT_THAT(ask(*asked).detail, HasSubstr("could not be decoded"));
  see({testing::fingerprint_of("cat")});
  fd_.reset();
  const SignalAnswer without_bytes = ask(*asked);
  EXPECT_EQ(without_bytes.answer, Answer::unanswered);
  EXPECT_THAT(without_bytes.detail, HasSubstr("not at hand"));
}

TEST_F(ServiceTest, wrong_credentials_are_unanswered_and_are_not_told) {
  testing::ArachnidImposter shield;
  Options wrong = options(Type::arachnid, shield.server.url());
  wrong.password = "hunter2";
  see({testing::fingerprint_of("cat")});
  const SignalAnswer answer = ask(*service(wrong));
  EXPECT_EQ(answer.detail, "svc: it failed (status 401)");
}

// --- PhotoDNA ---

TEST_F(ServiceTest, photodna_gets_an_original_that_it_takes_and_views_of_any_other) {
  testing::PhotoDnaImposter photodna;
  const auto asked = service(options(Type::photodna, photodna.server.url()));
  EXPECT_EQ(asked->view(), (decoder::ViewSize{512, 512, 512, 512}));
  const decoder::Picture view{2, 1, Bytes(6, std::byte{7})};
  const struct {
    const char* name;
    decoder::Format format;
    std::uint32_t width, height, frames;
    std::size_t views, size;
    bool is_original;
  } table[] = {
      {"an ordinary one", decoder::Format::jpeg, 640, 480, 1, 1, 1'000, true},
      {"the least", decoder::Format::png, 160, 160, 1, 1, 1'000, true},
      {"the most", decoder::Format::gif, 640, 480, 1, 1, 4'000'000, true},
      {"too large", decoder::Format::jpeg, 640, 480, 1, 1, 4'000'001, false},
      {"too narrow", decoder::Format::jpeg, 159, 480, 1, 1, 1'000, false},
      {"too flat", decoder::Format::jpeg, 640, 159, 1, 1, 1'000, false},
      {"a format it does not know", decoder::Format::webp, 640, 480, 1, 1, 1'000, false},
      {"a moving one", decoder::Format::gif, 640, 480, 2, 2, 1'000, false},
      {"a transparent one", decoder::Format::png, 640, 480, 1, 2, 1'000, false},
      {"a video", decoder::Format::mp4, 640, 480, 100, 3, 1'000, false},
  };
  for (const auto& row : table) {
    see({testing::fingerprint_of("cat")});
    seen_->format = row.format;
    seen_->width = row.width;
    seen_->height = row.height;
    seen_->frames = row.frames;
    pictures_.assign(row.views, view);
    send(std::string(row.size, 'x'));
    const std::size_t before = photodna.server.requests();
    EXPECT_EQ(ask(*asked).answer, Answer::no_match) << row.name;
    const auto bodies = photodna.server.bodies();
    ASSERT_EQ(bodies.size() - before, row.is_original ? 1 : row.views) << row.name;
    const std::string type = testing::header_value(photodna.server.heads().back(), "Content-Type");
    EXPECT_EQ(type, row.is_original ? decoder::content_type(row.format) : "image/bmp") << row.name;
    EXPECT_TRUE(bodies.back() == (row.is_original ? bytes_ : bmp(view))) << row.name;
  }
}

TEST_F(ServiceTest, photodna_matches_when_any_view_does) {
  testing::PhotoDnaImposter photodna;
  const auto asked = service(options(Type::photodna, photodna.server.url()));
  see({testing::fingerprint_of("cat")});
  seen_->format = decoder::Format::webp;
  seen_->frames = 3;
  for (const int shade : {1, 2, 3})
    pictures_.push_back({1, 1, Bytes(3, static_cast<std::byte>(shade))});
  photodna.known.insert(bmp(pictures_[2]));
  const SignalAnswer answer = ask(*asked);
  EXPECT_EQ(answer.answer, Answer::match);
  EXPECT_EQ(answer.detail, "svc: Test, A1");
  EXPECT_EQ(answer.scores.at("A1"), 1);
  EXPECT_EQ(answer.scores.at("test"), 1);
  EXPECT_EQ(answer.scores.at("B1"), 0);
}

TEST_F(ServiceTest, a_picture_that_photodna_cannot_judge_is_unanswered_and_opens_no_breaker) {
  testing::PhotoDnaImposter photodna;
  Options touchy = options(Type::photodna, photodna.server.url());
  touchy.failures = 1;
  const auto asked = service(touchy);
  see({testing::fingerprint_of("cat")});
  pictures_.push_back({1, 1, Bytes(3)});
  send("bytes");
  photodna.code = 3208;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ask(*asked).detail, "svc: it cannot judge this picture (code 3208)");
    EXPECT_FALSE(asked->reading().is_resting);
  }
  photodna.code = 3004;
  EXPECT_EQ(ask(*asked).detail, "svc: it failed (code 3004)");
  EXPECT_TRUE(asked->reading().is_resting);
  pictures_.clear();
  EXPECT_THAT(ask(*asked).detail, HasSubstr("could not be decoded"));
}

TEST(Bmp, is_what_decoders_read) {
  // 3 x 2: rows of 9 bytes are padded to 12; the last row comes first, blue first.
  decoder::Picture picture{3, 2, {}};
  for (int i = 0; i < 18; ++i) picture.rgb.push_back(static_cast<std::byte>(i));
  const std::string file = bmp(picture);
  ASSERT_EQ(file.size(), 54u + 24u);
  EXPECT_EQ(file.substr(0, 6), std::string("BM\x4e\0\0\0", 6));
  EXPECT_EQ(file.substr(10, 4), std::string("\x36\0\0\0", 4));
  EXPECT_EQ(file.substr(14, 16), std::string("\x28\0\0\0\3\0\0\0\2\0\0\0\1\0\x18\0", 16));
  EXPECT_EQ(file.substr(54), std::string("\x0b\x0a\x09\x0e\x0d\x0c\x11\x10\x0f\0\0\0"
                                         "\2\1\0\5\4\3\x08\7\6\0\0\0",
                                         24));
}

// --- plain HTTP ---

TEST_F(ServiceTest, a_plain_service_answers_with_its_status) {
  testing::Imposter plain([](const std::string&, const std::string&) { return std::string(); });
  Options two_words = options(Type::http, plain.url("/check/"));
  two_words.match_statuses = {406, 451};
  two_words.failures = 1'000;
  const auto asked = service(two_words);
  see({testing::fingerprint_of("cat")});
  send("the bytes");
  const struct {
    const char* status;
    Answer answer;
  } table[] = {
      {"200 OK", Answer::no_match},
      {"204 No Content", Answer::no_match},
      {"299 Fine", Answer::no_match},
      {"406 Not Acceptable", Answer::match},
      {"451 Unavailable", Answer::match},
      {"400 Bad Request", Answer::unanswered},
      {"401 Who", Answer::unanswered},
      {"404 Not Found", Answer::unanswered},
      {"302 Found", Answer::unanswered},
      {"500 Broken", Answer::unanswered},
      {"503 Unavailable", Answer::unanswered},
  };
  for (const auto& row : table) {
    plain.play(testing::RawOrigin::Play{
        testing::answer(row.status, "Content-Length: 0\r\nLocation: /\r\n")});
    const SignalAnswer answer = ask(*asked);
    EXPECT_EQ(answer.answer, row.answer) << row.status;
    EXPECT_FALSE(answer.exact);
  }
  EXPECT_THAT(plain.bodies(), Each("the bytes"));
  EXPECT_TRUE(plain.heads().back().starts_with("POST /check/ HTTP/1.1\r\n"));
  EXPECT_EQ(testing::header_value(plain.heads().back(), "Content-Type"), "image/jpeg");
  seen_.reset();
  ask(*asked);
  EXPECT_EQ(testing::header_value(plain.heads().back(), "Content-Type"),
            "application/octet-stream");
}

// --- what holds for all ---

TEST_F(ServiceTest, Invariant3_a_service_in_trouble_is_unanswered_whatever_its_type) {
  const struct {
    const char* name;
    testing::RawOrigin::Play play;
  } troubles[] = {
      {"closed", {""}},
      {"no HTTP", {"hello\r\n\r\n"}},
      {"cut short", {testing::answer("200 OK", "Content-Length: 10\r\n", "{}")}},
      {"no JSON", {testing::answer("502 Bad Gateway", "Content-Length: 4\r\n", "busy")}},
      {"redirect", {testing::redirect("http://127.0.0.1:1/")}},
      {"too busy", {testing::answer("429 Slow Down", "Content-Length: 2\r\n", "{}")}},
      {"silent", {.bytes = "", .hold = true}},
      {"too long", {testing::whole(std::string(1'100'000, ' '))}},
  };
  for (const Type type : {Type::hma, Type::arachnid, Type::photodna, Type::http}) {
    for (const auto& trouble : troubles) {
      testing::Imposter imposter([](const std::string&, const std::string&) { return ""; });
      imposter.play(trouble.play);
      Options quick = options(type, imposter.url());
      quick.timeout = 300ms;
      const auto asked = service(quick);
      see({testing::fingerprint_of("cat")});
      pictures_ = {{1, 1, Bytes(3)}};
      send("bytes");
      const SignalAnswer answer = ask(*asked);
      EXPECT_EQ(answer.answer, Answer::unanswered) << name(type) << trouble.name;
      EXPECT_FALSE(answer.detail.empty()) << name(type) << trouble.name;
      EXPECT_EQ(asked->reading().unanswered, 1u);
    }
  }
}

TEST_F(ServiceTest, a_service_that_failed_too_often_is_left_alone_and_tried_again) {
  testing::HmaImposter hma;
  Options touchy = options(Type::hma, hma.server.url());
  touchy.failures = 2;
  touchy.rest = 30s;
  touchy.max_at_once = 1;
  const auto asked = service(touchy);
  see({testing::fingerprint_of("cat")});
  hma.is_ready = false;
  for (int i = 0; i < 2; ++i) EXPECT_THAT(ask(*asked).detail, HasSubstr("503"));
  const std::size_t before = hma.server.requests();
  EXPECT_THAT(ask(*asked).detail, HasSubstr("failed too often"));
  EXPECT_EQ(ask(*asked).answer, Answer::unanswered);
  EXPECT_EQ(hma.server.requests(), before);
  services::Reading reading = asked->reading();
  EXPECT_TRUE(reading.is_resting);
  EXPECT_EQ(reading.resting, 2u);
  EXPECT_EQ(reading.unanswered, 4u);

  hma.is_ready = true;
  EXPECT_THAT(ask(*asked).detail, HasSubstr("failed too often"));
  clock_.advance(30s);
  EXPECT_EQ(ask(*asked).answer, Answer::no_match);
  EXPECT_FALSE(asked->reading().is_resting);
}

TEST_F(ServiceTest, beyond_its_budget_a_service_is_not_asked) {
  testing::HmaImposter hma;
  Options scarce = options(Type::hma, hma.server.url());
  scarce.per_minute = 10;
  const auto asked = service(scarce);
  see({testing::fingerprint_of("cat")});
  EXPECT_EQ(ask(*asked).answer, Answer::no_match);
  const SignalAnswer answer = ask(*asked);
  EXPECT_EQ(answer.answer, Answer::unanswered);
  EXPECT_THAT(answer.detail, HasSubstr("per_minute"));
  EXPECT_EQ(hma.server.requests(), 8u);
  clock_.advance(1min);
  EXPECT_EQ(ask(*asked).answer, Answer::no_match);
  const services::Reading reading = asked->reading();
  EXPECT_EQ(reading.requests, 16u);
  EXPECT_EQ(reading.over_budget, 1u);
  EXPECT_EQ(reading.no_match, 2u);
  EXPECT_FALSE(reading.is_resting);
}

TEST_F(ServiceTest, time_that_others_used_up_is_not_held_against_a_service) {
  testing::Imposter silent([](const std::string&, const std::string&) { return ""; });
  silent.play(testing::RawOrigin::Play{.bytes = "", .hold = true});
  Options touchy = options(Type::hma, silent.url());
  touchy.failures = 1;
  touchy.timeout = 200ms;
  const auto asked = service(touchy);
  see({testing::fingerprint_of("cat")});
  EXPECT_THAT(ask(*asked, 0ms).detail, HasSubstr("no time was left"));
  EXPECT_EQ(ask(*asked, 100ms).answer, Answer::unanswered);
  EXPECT_FALSE(asked->reading().is_resting);
  EXPECT_EQ(ask(*asked).answer, Answer::unanswered);
  EXPECT_TRUE(asked->reading().is_resting);
}

TEST_F(ServiceTest, a_service_that_does_not_listen_is_found_out_without_a_picture) {
  std::string url;
  for (const Type type : {Type::hma, Type::arachnid, Type::photodna, Type::http}) {
    {
      testing::Imposter imposter(
          [](const std::string&, const std::string&) { return testing::whole("I-AM-ALIVE"); });
      const auto asked = service(options(type, imposter.url()));
      EXPECT_TRUE(testing::run_task(asked->probe())) << name(type);
      EXPECT_THAT(imposter.bodies(), Each(""));
      url = imposter.url();
    }
    EXPECT_FALSE(testing::run_task(service(options(type, url))->probe())) << name(type);
  }
}

TEST_F(ServiceTest, what_is_not_configured_well_is_an_error_that_tells_no_secret) {
  Options table[] = {
      options(Type::hma, ""),
      options(Type::hma, "hma:5100"),
      options(Type::arachnid, "https://user:hunter2@host/"),
      options(Type::arachnid, ""),
      options(Type::arachnid, ""),
      options(Type::photodna, ""),
      options(Type::photodna, ""),
  };
  table[3].password.clear();
  table[4].user = "a:b";
  table[5].key.clear();
  table[6].key = "hunter2\r\nX: y";
  for (const Options& wrong : table) {
    const auto made = Service::create(wrong, client_, clock_);
    ASSERT_FALSE(made);
    EXPECT_THAT(made.error().what, HasSubstr("service svc: "));
    EXPECT_THAT(made.error().what, Not(HasSubstr("X: y")));
    EXPECT_THAT(made.error().what, Not(HasSubstr("hunter2")));
  }
  EXPECT_TRUE(Service::create(options(Type::arachnid, ""), client_, clock_));
  EXPECT_TRUE(Service::create(options(Type::photodna, ""), client_, clock_));
}

TEST_F(ServiceTest, its_version_changes_with_all_that_an_answer_depends_on_and_holds_no_secret) {
  std::vector<Options> table(7, options(Type::hma, "http://hma:5100/"));
  table[1].url = "http://hma:5101/";
  table[2].banks = {"A"};
  table[3].turned = false;
  table[4].name = "other";
  table[5] = options(Type::arachnid, "http://hma:5100/");
  table[6] = table[5];
  table[6].mode = Mode::media;
  std::set<std::string> versions;
  for (const Options& one : table) versions.insert(service(one)->version());
  EXPECT_EQ(versions.size(), table.size());
  for (const std::string& version : versions) EXPECT_THAT(version, Not(HasSubstr("secret")));
  Options slower = table[0];
  slower.timeout = 1s;
  slower.key = "secret";
  EXPECT_TRUE(versions.contains(service(slower)->version()));
}

TEST_F(ServiceTest, answers_are_remembered_for_as_long_as_configured) {
  Options forgetful = options(Type::hma, "http://hma:5100/");
  forgetful.keep_match = 2h;
  forgetful.keep_no_match = 1h;
  const auto asked = signal({.name = "known"}, service(forgetful), "");
  EXPECT_TRUE(asked->memorable());
  EXPECT_EQ(asked->lifetime({.answer = Answer::match}), 2h);
  EXPECT_EQ(asked->lifetime({.answer = Answer::no_match}), 1h);
  forgetful.banks = {"A", "B"};
  const auto in_banks = signal({.name = "known"}, service(forgetful), "");
  EXPECT_EQ(in_banks->lifetime({.answer = Answer::match, .scores = {{"A", 1}}}), 0s);
  EXPECT_EQ(in_banks->lifetime({.answer = Answer::match, .scores = {{"A", 1}, {"B", 0}}}), 2h);
  EXPECT_EQ(asked->definition().name, "known");
}

TEST_F(ServiceTest, a_service_that_could_not_be_made_is_unanswered) {
  const auto asked = signal({.name = "known"}, nullptr, "its key cannot be read");
  const SignalAnswer answer = testing::run_task(asked->ask(question(), clock_.steady() + 1s));
  EXPECT_EQ(answer.answer, Answer::unanswered);
  EXPECT_EQ(answer.detail, "its key cannot be read");
  EXPECT_FALSE(asked->view());
}

TEST(Types, have_names) {
  for (const Type type : {Type::hma, Type::arachnid, Type::photodna, Type::http})
    EXPECT_EQ(type_from(name(type)), type);
  EXPECT_FALSE(type_from("oracle"));
}

}  // namespace
}  // namespace portcullis::services
