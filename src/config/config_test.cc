#include "config/config.h"

#include <gmock/gmock.h>

#include <fstream>

namespace portcullis::config {

namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kFile = "/etc/portcullis/portcullis.toml";
constexpr std::string_view kLeast = "data = \"/d\"\npolicy = \"/p.toml\"\n";

Config parsed(std::string_view text) {
  auto config = parse(text, kFile);
  if (!config) {
    ADD_FAILURE() << config.error().what;
    return {};
  }
  return *std::move(config);
}

std::string error_of(std::string_view text) {
  const auto config = parse(text, "p.toml");
  return config ? "" : config.error().what;
}

std::string with_least(std::string_view more) { return fmt::format("{}{}", kLeast, more); }

TEST(Config, needs_a_data_folder_and_a_policy_and_nothing_else) {
  Config want;
  want.data = "/d";
  want.policy = "/p.toml";
  EXPECT_EQ(parsed(kLeast), want);
  EXPECT_THAT(error_of("policy = \"/p\"\n"), HasSubstr("p.toml:1:1: `data` is missing"));
  EXPECT_THAT(error_of("data = \"/d\"\n"), HasSubstr("p.toml:1:1: `policy` is missing"));
}

TEST(Config, reads_every_kind_of_value) {
  const Config config = parsed(R"(
data = "data"
policy = "../policy.toml"
[listen]
media = "[::1]:9000"
admin = "127.0.0.2:0"
media_prefix = "/abcdefghijklmnop/"
api_key = "hunter2!"
loops = 3
[http]
max_header_bytes = "16 KiB"
idle_timeout = "2m"
header_timeout = "1s"
body_timeout = "1h"
upload_timeout = "24s"
drain_timeout = "0s"
max_connections = 10
[media]
max_file_size = "1 MiB"
max_file_count = 2
spool_bytes = "1 GiB"
cache_max_age = "7d"
refusal_step = "250ms"
formats = ["gif", "jpeg"]
preprocess_steps = "resize=9"
filters = ["resize"]
max_bytes = "5 GiB"
max_variant_bytes = "0 B"
import_fallback = "http://pict-rs:8080"
purge_hook = "hook"
retention = { variants = "1h", proxy = "2d" }
image = { max_width = 1, max_height = 2, max_area = 3, max_file_size = "4 B", max_frame_count = 5 }
[media.animation]
max_width = 6
[media.video]
max_width = 7
allow_audio = true
[validator]
listen = "127.0.0.1:8083"
secret = "abcdefghijklmnop"
[pict_rs]
url = "http://pictrs:8080/"
api_key = "env:PICTRS_KEY"
[site]
hosts = ["lemmy.example"]
trusted_proxies = ["127.0.0.0/8"]
trusted_accounts = ["2"]
[lemmy]
database = "file:/etc/portcullis/lemmy-database"
[egress]
allow = ["10.0.0.0/8"]
timeout = "3s"
max_per_host = 2
[evidence]
review_key = "pc-review-public-00"
evidence_key = "pc-evidence-public-00"
max_bytes = "2 GiB"
keep_held = "7d"
keep_preserved = "730d"
held_per_uploader = 3
[attempts]
slow_after = 1
close_after = 2
window = "1h"
close_for = "2h"
[alert]
hook = "alert"
audit_head = "1h"
[decoder]
workers = 4
memory = "2GiB"
timeout = "5s"
jobs_per_worker = 1
[inference]
models = "models"
threads = 2
timeout = "3s"
[services.shield]
type = "arachnid"
mode = "media"
user = "us"
password_file = "secrets/shield"
timeout = "3s"
per_minute = 60
keep_match = "90d"
keep_no_match = "0s"
[services.Our_HMA-2]
type = "hma"
url = "http://hma:5100/"
key_env = "HMA_KEY"
banks = ["A", "B"]
turned = false
max_hashes = 8
max_at_once = 2
failures = 1
rest = "1m"
[services.plain]
type = "http"
url = "https://judge.example/check"
match_statuses = [406, 451]
[log]
level = "debug"
)");
  EXPECT_EQ(config.site.trusted_proxies, std::vector<std::string>{"127.0.0.0/8"});
  EXPECT_EQ(config.site.trusted_accounts, std::vector<std::string>{"2"});
  EXPECT_EQ(config.evidence, (Evidence{"pc-review-public-00", "pc-evidence-public-00", 2ull << 30,
                                       24h * 7, 24h * 730, 3}));
  EXPECT_EQ(config.attempts, (Attempts{1, 2, 1h, 2h}));
  EXPECT_EQ(config.pict_rs, (PictRs{"http://pictrs:8080/", "env:PICTRS_KEY"}));
  EXPECT_EQ(config.validator, (Validator{{"127.0.0.1", 8083}, "abcdefghijklmnop"}));
  EXPECT_EQ(config.alert, (Alert{"/etc/portcullis/alert", 1h}));
  EXPECT_EQ(config.data, "/etc/portcullis/data");
  EXPECT_EQ(config.policy, "/etc/policy.toml");
  EXPECT_EQ(config.listen.media, (Address{"::1", 9000}));
  EXPECT_EQ(config.listen.admin, (Address{"127.0.0.2", 0}));
  EXPECT_EQ(config.listen.media_prefix, "/abcdefghijklmnop/");
  EXPECT_EQ(config.listen.api_key, "hunter2!");
  EXPECT_EQ(config.listen.loops, 3u);
  EXPECT_EQ(config.http.max_header_bytes, 16'384u);
  EXPECT_EQ(config.http.idle_timeout, 120s);
  EXPECT_EQ(config.http.header_timeout, 1s);
  EXPECT_EQ(config.http.body_timeout, 3600s);
  EXPECT_EQ(config.http.upload_timeout, 24s);
  EXPECT_EQ(config.http.drain_timeout, 0s);
  EXPECT_EQ(config.http.max_connections, 10u);
  EXPECT_EQ(config.media.max_file_size, 1'048'576u);
  EXPECT_EQ(config.media.max_file_count, 2u);
  EXPECT_EQ(config.media.spool_bytes, 1'073'741'824u);
  EXPECT_EQ(config.media.cache_max_age, 7 * 24h);
  EXPECT_EQ(config.media.refusal_step, 250ms);
  EXPECT_EQ(config.media.formats, (std::vector<std::string>{"gif", "jpeg"}));
  EXPECT_EQ(config.media.preprocess_steps, "resize=9");
  EXPECT_EQ(config.media.filters, std::vector<std::string>{"resize"});
  EXPECT_EQ(config.media.max_bytes, 5ull << 30);
  EXPECT_EQ(config.media.max_variant_bytes, 0u);
  EXPECT_EQ(config.media.import_fallback, "http://pict-rs:8080");
  EXPECT_EQ(config.media.purge_hook, "/etc/portcullis/hook");
  EXPECT_EQ(config.media.retention, (Retention{1h, 48h}));
  EXPECT_EQ(config.site.hosts, std::vector<std::string>{"lemmy.example"});
  EXPECT_EQ(config.lemmy, (Lemmy{"file:/etc/portcullis/lemmy-database"}));
  EXPECT_EQ(config.egress, (Egress{{"10.0.0.0/8"}, 3s, 2}));
  EXPECT_EQ(config.media.image, (MediaKindLimits{1, 2, 3, 4, 5}));
  EXPECT_EQ(config.media.animation, (MediaKindLimits{6, 1920, 2'073'600, 41'943'040, 900}));
  EXPECT_EQ(config.media.video, (MediaKindLimits{7, 3840, 8'294'400, 41'943'040, 900}));
  EXPECT_TRUE(config.media.allow_audio);
  EXPECT_EQ(config.decoder, (Decoder{4, 2ull << 30, 5s, 1}));
  EXPECT_EQ(config.inference, (Inference{"/etc/portcullis/models", 2, 3s}));
  ASSERT_EQ(config.services.size(), 3u);
  const Service hma{.name = "Our_HMA-2",
                    .type = "hma",
                    .url = "http://hma:5100/",
                    .key_env = "HMA_KEY",
                    .banks = {"A", "B"},
                    .turned = false,
                    .max_hashes = 8,
                    .max_at_once = 2,
                    .failures = 1,
                    .rest = 60s};
  const Service plain{.name = "plain",
                      .type = "http",
                      .url = "https://judge.example/check",
                      .match_statuses = {406, 451}};
  const Service shield{.name = "shield",
                       .type = "arachnid",
                       .mode = "media",
                       .user = "us",
                       .password_file = "/etc/portcullis/secrets/shield",
                       .timeout = 3s,
                       .per_minute = 60,
                       .keep_match = 90 * 24h,
                       .keep_no_match = 0s};
  EXPECT_EQ(config.services, (std::vector<Service>{hma, plain, shield}));
  EXPECT_EQ(config.log_level, "debug");
}

TEST(Config, every_error_says_where_and_what) {
  const struct {
    std::string_view name;
    std::string text;
    std::string_view where;
    std::string_view what;
  } cases[] = {
      {"not toml", "data = \n", "1:8", ""},
      {"unknown key", with_least("datum = 1\n"), "3:1",
       "no `datum` here; there are: alert, attempts, close_uploads, data"},
      {"unknown table", with_least("[lisen]\n"), "3:2", "no `lisen`"},
      {"unknown key in a table", with_least("[listen]\nmediaa = \"127.0.0.1:1\"\n"), "4:1",
       "admin, admin_token, api_key, loops, media, media_prefix"},
      {"unknown key two deep", with_least("[media.image]\nwidth = 3\n"), "4:1", "max_width"},
      {"the first of two", with_least("[log]\nx = 1\n[decoder]\ny = 1\n"), "4:1", "`x`"},
      {"a value for a table", with_least("log = \"info\"\n"), "3:7", "[log]"},
      {"a value for an inner table", with_least("[media]\nimage = 3\n"), "4:9", "[media.image]"},
      {"an array of tables", with_least("[[log]]\nlevel = \"info\"\n"), "3:1", "[log]"},
      {"key twice", with_least("[log]\nlevel = \"info\"\nlevel = \"info\"\n"), "5:", ""},

      {"path as number", "data = 1\n", "1:8", "must be a text"},
      {"empty path", "data = \"\"\n", "1:8", "must be a path"},
      {"path with NUL", "data = \"a\\u0000b\"\n", "1:8", "must be a path"},
      {"count as text", with_least("[listen]\nloops = \"3\"\n"), "4:9", "from 0 to 1024"},
      {"negative count", with_least("[listen]\nloops = -1\n"), "4:9", "from 0 to 1024"},
      {"large count", with_least("[listen]\nloops = 1025\n"), "4:9", "from 0 to 1024"},
      {"fraction", with_least("[listen]\nloops = 1.0\n"), "4:9", "whole number"},
      {"no width", with_least("[media.image]\nmax_width = 0\n"), "4:13", "from 1 to 65535"},
      {"size without unit", with_least("[media]\nmax_file_size = 40\n"), "4:17", "\"40 MiB\""},
      {"size with an unknown unit", with_least("[media]\nmax_file_size = \"40 MB\"\n"), "4:17",
       "\"40 MiB\""},
      {"size of nothing", with_least("[media]\nmax_file_size = \"0 B\"\n"), "4:17", "from \"1 B\""},
      {"too little memory", with_least("[decoder]\nmemory = \"1 MiB\"\n"), "4:10", "\"64 MiB\""},
      {"time without unit", with_least("[http]\nidle_timeout = 60\n"), "4:16", "\"30s\""},
      {"time with an unknown unit", with_least("[http]\nidle_timeout = \"60 sec\"\n"), "4:16",
       "\"1s\" to \"1d\""},
      {"time too short", with_least("[http]\nidle_timeout = \"0s\"\n"), "4:16", "\"1s\""},
      {"a part of a second", with_least("[http]\nidle_timeout = \"1500ms\"\n"), "4:16",
       "whole seconds"},
      {"refusals after an hour", with_least("[media]\nrefusal_step = \"1h\"\n"), "4:16", "\"1m\""},
      {"flag as text", with_least("[media.video]\nallow_audio = \"yes\"\n"), "4:15",
       "true or false"},
      {"hosts as text", with_least("[site]\nhosts = \"a\"\n"), "4:9", "a list of texts"},
      {"a host as number", with_least("[site]\nhosts = [1]\n"), "4:10", "a list of texts"},
      {"unknown filter", with_least("[media]\nfilters = [\"spin\"]\n"), "4:12", "may hold"},
      {"no format", with_least("[media]\nformats = []\n"), "4:11",
       "jpeg, png, webp, gif, avif, jxl"},
      {"formats as text", with_least("[media]\nformats = \"gif\"\n"), "4:11", "list"},
      {"unknown format", with_least("[media]\nformats = [\"gif\", \"bmp\"]\n"), "4:19", "may hold"},
      {"format twice", with_least("[media]\nformats = [\"gif\", \"gif\"]\n"), "4:19", "twice"},
      {"unknown level", with_least("[log]\nlevel = \"warn\"\n"), "4:9",
       "debug, info, warning, error"},
      {"host name", with_least("[listen]\nmedia = \"localhost:8080\"\n"), "4:9", "no address"},
      {"key with a space", with_least("[listen]\napi_key = \"a b\"\n"), "4:11", "visible ASCII"},
      {"long key", with_least(fmt::format("[listen]\napi_key = \"{:a>257}\"\n", "")), "4:11",
       "256"},

      {"open media", with_least("[listen]\nmedia = \"0.0.0.0:8080\"\n"), "4:9",
       "`portcullis init --prefix`"},
      {"open admin", with_least("[listen]\nadmin = \"192.168.0.1:9\"\n"), "4:9", "loopback"},
      {"open admin on v6", with_least("[listen]\nadmin = \"[::]:9\"\n"), "4:9", "loopback"},
      {"the same twice", with_least("[listen]\nmedia = \"127.0.0.1:9089\"\n"), "1:1", "both"},
      {"the same twice, written", with_least("[listen]\nadmin = \"127.0.0.1:8080\"\n"), "4:9",
       "both"},
      {"services is a value", with_least("services = 1\n"), "3:12", "[services]"},
      {"a service is a value", with_least("[services]\nx = 1\n"), "4:5", "[services.x]"},
      {"services are an array", with_least("[[services]]\ntype = \"hma\"\n"), "3:1", "[services]"},
      {"a service's name", with_least("[services.\"a b\"]\n"), "3:11", "letters"},
      {"a long name", with_least(fmt::format("[services.{:a>65}]\n", "")), "3:11", "64"},
      {"unknown key of a service", with_least("[services.x]\ntypo = 1\n"), "4:1",
       "there are: banks"},
      {"service without type", with_least("[services.x]\nurl = \"http://a\"\n"), "1:1",
       "[services.x]: `type` is missing; there are: hma, arachnid, photodna, http"},
      {"service of no type", with_least("[services.x]\ntype = \"oracle\"\n"), "4:8", "one of"},
      {"HMA nowhere", with_least("[services.x]\ntype = \"hma\"\n"), "1:1", "`url` is missing"},
      {"HMA with pictures",
       with_least("[services.x]\ntype = \"hma\"\nurl = \"http://a\"\nmode = \"media\"\n"), "6:8",
       "hashes alone"},
      {"PhotoDNA with hashes",
       with_least("[services.x]\ntype = \"photodna\"\nkey_env = \"K\"\nmode = \"hash\"\n"), "6:8",
       "pictures alone"},
      {"PhotoDNA without a key", with_least("[services.x]\ntype = \"photodna\"\n"), "1:1",
       "it needs `key_file` or `key_env`"},
      {"Arachnid without a user", with_least("[services.x]\ntype = \"arachnid\"\n"), "1:1",
       "it needs `user`"},
      {"a user without a password", with_least("[services.x]\ntype = \"arachnid\"\nuser = \"u\"\n"),
       "5:8", "belong together"},
      {"two passwords",
       with_least("[services.x]\ntype = \"arachnid\"\nuser = \"u\"\npassword_file = \"f\"\n"
                  "password_env = \"P\"\n"),
       "7:16", "not both"},
      {"two keys",
       with_least("[services.x]\ntype = \"photodna\"\nkey_file = \"f\"\nkey_env = \"P\"\n"), "6:11",
       "not both"},
      {"a key and a password",
       with_least("[services.x]\ntype = \"arachnid\"\nuser = \"u\"\npassword_env = \"P\"\n"
                  "key_env = \"K\"\n"),
       "5:8", "not both"},
      {"banks of no HMA",
       with_least("[services.x]\ntype = \"http\"\nurl = \"http://a\"\nbanks = [\"A\"]\n"), "6:9",
       "only an HMA"},
      {"a match that is fine", with_least("[services.x]\nmatch_statuses = [200]\n"), "4:19",
       "from 400 to 499"},
      {"no match", with_least("[services.x]\nmatch_statuses = []\n"), "4:18", "whole numbers"},
      {"a status as text", with_least("[services.x]\nmatch_statuses = [\"406\"]\n"), "4:19",
       "whole numbers"},

      {"small spool", with_least("[media]\nspool_bytes = \"1 MiB\"\n"), "4:15", "no room"},
      {"large file", with_least("[media]\nmax_file_size = \"1 GiB\"\n"), "1:1", "512 MiB"},
  };
  for (const auto& c : cases) {
    const std::string error = error_of(c.text);
    EXPECT_THAT(error, StartsWith(fmt::format("p.toml:{}", c.where))) << c.name;
    EXPECT_THAT(error, HasSubstr(c.what)) << c.name;
  }
}

TEST(MediaPrefix, opens_the_media_listener_to_other_machines_only_if_it_is_secret) {
  const auto listen = [](std::string_view prefix) {
    return with_least(
        fmt::format("[listen]\nmedia = \"10.0.0.2:8080\"\nmedia_prefix = \"{}\"\n", prefix));
  };
  EXPECT_EQ(error_of(listen("/0123456789abcdef/")), "");
  EXPECT_EQ(error_of(listen("/0123456789ABCDEF-_xyz/")), "");
  const std::string_view wrong[] = {"x",
                                    "/",
                                    "//",
                                    "/short/",
                                    "/0123456789abcde/",
                                    "0123456789abcdefg/",
                                    "/0123456789abcdefg",
                                    "/0123456789abc/defgh/",
                                    "/0123456789 abcdef/",
                                    "/0123456789%20abcdef/"};
  for (const std::string_view prefix : wrong) {
    EXPECT_THAT(error_of(listen(prefix)), StartsWith("p.toml:5:16: `media_prefix` must be"))
        << prefix;
    if (prefix.size() > 2)
      EXPECT_THAT(error_of(listen(prefix)), testing::Not(HasSubstr(std::string(prefix))))
          << "a secret in an error";
  }
  EXPECT_THAT(error_of(listen("")), HasSubstr("trusted as Lemmy"));
  EXPECT_THAT(error_of(listen(std::string(1, '/') + std::string(129, 'a') + "/")),
              HasSubstr("16 to 128"));
}

TEST(Validator, is_off_unless_it_listens_and_listens_only_behind_a_secret) {
  EXPECT_FALSE(parsed(kLeast).validator.is_on());
  EXPECT_FALSE(parsed(with_least("[validator]\nlisten = \"\"\nsecret = \"\"\n")).validator.is_on());
  const std::string on = "[validator]\nlisten = \"0.0.0.0:8083\"\n";
  EXPECT_TRUE(parsed(with_least(on + "secret = \"abcdefghijklmno_\"\n")).validator.is_on());
  EXPECT_THAT(error_of(with_least(on)), StartsWith("p.toml:4:10: [validator] needs `secret`"));
  for (const std::string_view secret :
       {"short", "abcdefghijklmno", "abcdefghijklmn/p", "abcdefghijklmnop%20"}) {
    const std::string error = error_of(with_least(fmt::format("{}secret = \"{}\"\n", on, secret)));
    EXPECT_THAT(error, StartsWith("p.toml:5:10: [validator] needs `secret`")) << secret;
    EXPECT_THAT(error, testing::Not(HasSubstr(std::string(secret)))) << "a secret in an error";
  }
  EXPECT_THAT(error_of(with_least("[validator]\nlisten = \"127.0.0.1:8080\"\n"
                                  "secret = \"abcdefghijklmnop\"\n")),
              HasSubstr("cannot both listen on 127.0.0.1:8080"));
}

TEST(PictRs, is_another_server_whose_key_stands_elsewhere) {
  EXPECT_FALSE(parsed(kLeast).pict_rs.is_on());
  const struct {
    const char *text, *error;
  } bad[] = {
      {"[pict_rs]\nurl = \"127.0.0.1:8081\"\n", "p.toml:4:7: [pict_rs] url: write http://"},
      {"[pict_rs]\nurl = \"https://pictrs\"\n", "[pict_rs] url: write http://"},
      {"[pict_rs]\nurl = \"http://127.0.0.1:8080\"\n", "is [listen] media itself"},
      {"[pict_rs]\nurl = \"http://p:1\"\napi_key = \"s3cret\"\n",
       "p.toml:5:11: [pict_rs] api_key says"},
      {"[pict_rs]\napi_key = \"s3cret\"\n", "[pict_rs] api_key says where"},
      {"[listen]\napi_key = \"s3cret\"\n[pict_rs]\nurl = \"http://p:1\"\n",
       "[pict_rs] needs `api_key`"},
  };
  for (const auto& c : bad) {
    EXPECT_THAT(error_of(with_least(c.text)), HasSubstr(c.error)) << c.text;
    EXPECT_THAT(error_of(with_least(c.text)), testing::Not(HasSubstr("s3cret"))) << c.text;
  }
}

TEST(PlainServer, is_a_host_and_a_port_and_nothing_more) {
  const struct {
    std::string_view url, host;
    std::uint16_t port;
  } good[] = {
      {"http://127.0.0.1:8081", "127.0.0.1", 8081},
      {"http://pictrs", "pictrs", 80},
      {"http://pict-rs.lan:1/", "pict-rs.lan", 1},
      {"http://[0::1]:65535/", "::1", 65535},
      {"http://[::1]", "::1", 80},
  };
  for (const auto& c : good)
    EXPECT_EQ(parse_plain_server(c.url).value(), (PlainServer{std::string(c.host), c.port}))
        << c.url;
  for (const std::string_view url :
       {"", "http://", "http:///", "pictrs:80", "https://pictrs", "http://pictrs:", "http://p:0",
        "http://p:65536", "http://p:8o", "http://u:p@pictrs", "http://pictrs/x", "http://pictrs?x",
        "http://[::1", "http://[::1]x", "http://[pictrs]:1", "http://pic trs", "http://::1",
        "http://p:1//", "HTTP://p"})
    EXPECT_FALSE(parse_plain_server(url)) << url;
}

TEST(Address, is_a_literal_and_a_port) {
  const struct {
    std::string_view text, host;
    std::uint16_t port;
    bool is_loopback;
    std::string_view written;
  } good[] = {
      {"127.0.0.1:8080", "127.0.0.1", 8080, true, "127.0.0.1:8080"},
      {"127.9.9.9:0", "127.9.9.9", 0, true, "127.9.9.9:0"},
      {"0.0.0.0:65535", "0.0.0.0", 65535, false, "0.0.0.0:65535"},
      {"126.0.0.1:1", "126.0.0.1", 1, false, "126.0.0.1:1"},
      {"[::1]:8080", "::1", 8080, true, "[::1]:8080"},
      {"[0:0::0:1]:8080", "::1", 8080, true, "[::1]:8080"},
      {"[::]:1", "::", 1, false, "[::]:1"},
      {"[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", 1, true, "[::ffff:127.0.0.1]:1"},
      {"[::ffff:10.0.0.1]:1", "::ffff:10.0.0.1", 1, false, "[::ffff:10.0.0.1]:1"},
      {"[FE80::1]:1", "fe80::1", 1, false, "[fe80::1]:1"},
  };
  for (const auto& c : good) {
    const auto address = parse_address(c.text);
    ASSERT_TRUE(address) << c.text;
    EXPECT_EQ(*address, (Address{std::string(c.host), c.port})) << c.text;
    EXPECT_EQ(address->is_loopback(), c.is_loopback) << c.text;
    EXPECT_EQ(address->text(), c.written);
    EXPECT_EQ(parse_address(address->text()), *address);
  }
  using namespace std::string_view_literals;
  const std::string_view bad[] = {"",         "127.0.0.1",    "127.0.0.1:",      "127.0.0.1:65536",
                                  ":80",      "localhost:80", "127.0.0.1:8o",    "127.0.0.1: 80",
                                  "::1:80",   "[::1]",        "[::1]80",         "[127.0.0.1]:80",
                                  "127.1:80", "1.2.3.4.5:80", "[::1%lo]:80",     "127.0.0.1:-1",
                                  "[]:80",    "127.0.0.01:1", "127.0.0.1\0:1"sv, "127.0.0.1:+1"};
  for (const std::string_view text : bad) EXPECT_FALSE(parse_address(text)) << text;
  EXPECT_FALSE(Address{}.is_loopback());
}

TEST(ToToml, comes_back_as_it_was) {
  Config config;
  config.data = "/var/lib/a \"b\" \\ \x01\x7f é";
  config.policy = "/p/policy.toml";
  EXPECT_EQ(parsed(to_toml(config)), config) << to_toml(config);

  config.listen = {{"10.0.0.1", 1}, {"::1", 2}, "/aaaaaaaaaaaaaaaaaaaa/", "k\"\\#", "t\"#", 7};
  config.http = {1025, 61s, 3600s, 86'400s, 1s, 0s, 1};
  config.media.max_file_size = 12'345;
  config.media.max_file_count = 9;
  config.media.spool_bytes = 3ull << 40;
  config.media.cache_max_age = 0s;
  config.media.refusal_step = 1'001ms;
  config.media.formats = {"jxl"};
  config.media.preprocess_steps = "crop=1x1&resize=\"";
  config.media.filters = {"blur"};
  config.media.max_bytes = 1;
  config.media.import_fallback = "http://a:1";
  config.media.purge_hook = "/bin/hook";
  config.media.retention = {61s, 62s};
  config.media.quality = {1, 2, 3, 100};
  config.validator = {{"::1", 1}, "abcdefghijklmnop"};
  config.pict_rs = {"http://[::1]:1", "file:/k \"y\""};
  config.site.hosts = {"a.example", "b.example"};
  config.lemmy = {"postgres://lemmy:\"\\@db/lemmy"};
  config.egress = {{"::/0"}, 9s, 1'000};
  config.media.image = {1, 65'535, 4'294'836'225, 7, 100'000};
  config.media.animation = {2, 3, 4, 1ull << 40, 6};
  config.media.video = {7, 8, 9, 10, 11};
  config.media.allow_audio = true;
  config.decoder = {1024, 64ull << 20, 600s, 1'000'000};
  config.inference = {"/models", 8, 90s};
  config.close_uploads = {{.name = "known",
                           .rule = "k*",
                           .refusals = 1,
                           .within = 60s,
                           .lasts = 7'200s,
                           .message = "Back \"soon\"."},
                          {.name = "rest"}};
  config.services = {{.name = "a-1",
                      .type = "hma",
                      .url = "http://hma/",
                      .key_file = "/k",
                      .banks = {"A \"b\""},
                      .turned = false},
                     {.name = "b", .type = "http", .url = "https://b/", .match_statuses = {499}},
                     {.name = "c",
                      .type = "arachnid",
                      .mode = "media",
                      .user = "u",
                      .password_env = "P",
                      .max_hashes = 1,
                      .timeout = 1'500ms,
                      .max_at_once = 64,
                      .per_minute = 2,
                      .failures = 3,
                      .rest = 4s,
                      .keep_match = 5s,
                      .keep_no_match = 6s}};
  config.log_level = "error";
  EXPECT_EQ(parsed(to_toml(config)), config) << to_toml(config);
}

TEST(ToToml, explains_itself) {
  Config config;
  config.data = "/d";
  config.policy = "/p";
  const std::string text = to_toml(config);
  EXPECT_THAT(text, HasSubstr("# Lemmy's pictrs.url points here."));
  EXPECT_THAT(text, HasSubstr("\nmax_file_size = \"40 MiB\"\n"));
  EXPECT_THAT(text, HasSubstr("\nidle_timeout = \"1m\"\n"));
  EXPECT_THAT(text, HasSubstr("\n# models = \"\"\n"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 120u) << line;
}

TEST(Load, says_which_file_cannot_be_read) {
  const auto missing = load("/nowhere/portcullis.toml");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().what, HasSubstr("/nowhere/portcullis.toml"));
}

TEST(Load, takes_paths_from_where_the_file_lies) {
  const std::filesystem::path file =
      std::filesystem::path(testing::TempDir()) / fmt::format("config_test_{}.toml", getpid());
  std::ofstream(file) << "data = \"d\"\npolicy = \"p.toml\"\n";
  const auto config = load(file);
  std::filesystem::remove(file);
  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->data, file.parent_path() / "d");
  EXPECT_EQ(config->policy, file.parent_path() / "p.toml");
}

TEST(Parse, is_bounded) {
  EXPECT_THAT(error_of(std::string(1024 * 1024 + 1, '#')), HasSubstr("at most"));
}

}  // namespace

}  // namespace portcullis::config
