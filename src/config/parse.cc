#include <toml++/toml.h>
#include <algorithm>
#include <map>
#include <set>

#include "base/fd.h"
#include "config/layout.h"
#include "config/units.h"

namespace portcullis::config {

namespace {

constexpr std::uint64_t kLongestFile = 1 * kMiB;
constexpr std::size_t kShortestPrefix = 16, kLongestPrefix = 128, kLongestKey = 256,
                      kLongestName = 64;

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

// Follows the layout over a parsed file. Keeps the first error and then does nothing more.
class Reader {
 public:
  Reader(const toml::table& root, const std::filesystem::path& file)
      : file_(file), root_(&root), current_(&root) {
    expected_.try_emplace(root_);
  }

  void table(std::string_view name, std::string_view) {
    if (failed()) return;
    const std::string whole(name);
    current_ = root_;
    while (!name.empty()) {
      const std::size_t dot = std::min(name.find('.'), name.size());
      const std::string_view part = name.substr(0, dot);
      name.remove_prefix(std::min(dot + 1, name.size()));
      const toml::table* parent = current_;
      expected_[parent].insert(std::string(part));
      const toml::node* node = parent->get(part);
      current_ = node ? node->as_table() : &absent_;
      if (!current_) return fail_at(*node, "`{}` must be a table: [{}]", part, whole);
      expected_.try_emplace(current_);
    }
  }

  // [name.NAME], each read by `lay_out_one`.
  template <class T, class LayOut>
  void tables(std::string_view name, std::vector<T>& values, std::string_view,
              const LayOut& lay_out_one) {
    table(name, "");
    if (failed()) return;
    const toml::table* parent = current_;
    for (const auto& [key, node] : *parent) {
      const std::string whole = fmt::format("{}.{}", name, key.str());
      if (key.empty() || key.length() > kLongestName || !std::ranges::all_of(key.str(), is_plain))
        return fail_in(key.source(),
                       "a name in [{}] is made of letters, digits, '-' and '_', {} at most", name,
                       kLongestName);
      expected_[parent].insert(std::string(key.str()));
      current_ = node.as_table();
      if (!current_) return fail_at(node, "`{}` must be a table: [{}]", key.str(), whole);
      expected_.try_emplace(current_);
      values.emplace_back().name = key.str();
      lay_out_one(values.back());
      if (failed()) return;
    }
  }

  void address(std::string_view key, Address& value, std::string_view) {
    const toml::node* node = nullptr;
    const std::string* text = this->string(key, node);
    if (!text) return;
    Result<Address> address = parse_address(*text);
    if (!address) return fail_at(*node, "`{}`: {}", key, address.error().what);
    value = std::move(*address);
  }
  void optional_address(std::string_view key, Address& value, std::string_view comment) {
    const toml::node* node = take(key);
    const auto* text = node ? node->as_string() : nullptr;
    if (text && text->get().empty())
      value = Address{"", 0};
    else
      address(key, value, comment);
  }
  void secret_path(std::string_view key, std::string& value, std::string_view) {
    const toml::node* node = nullptr;
    const std::string* text = this->string(key, node);
    if (!text) return;
    value = *text;
    if (text->empty()) return;
    const std::size_t secret = text->size() < 2 ? 0 : text->size() - 2;
    if (secret < kShortestPrefix || secret > kLongestPrefix || !text->starts_with('/') ||
        !text->ends_with('/') || !std::ranges::all_of(text->substr(1, secret), is_plain))
      fail_at(*node,
              "`{}` must be '/', then {} to {} letters, digits, '-' or '_' that nobody can guess, "
              "then '/'; run `portcullis init --prefix` to make one",
              key, kShortestPrefix, kLongestPrefix);
  }
  void secret(std::string_view key, std::string& value, std::string_view) {
    const toml::node* node = nullptr;
    const std::string* text = this->string(key, node);
    if (!text) return;
    value = *text;
    if (text->size() > kLongestKey ||
        !std::ranges::all_of(*text, [](char c) { return c > ' ' && c < 0x7f; }))
      fail_at(*node, "`{}` must be up to {} visible ASCII characters without spaces", key,
              kLongestKey);
  }
  template <class Choices>
  void choice(std::string_view key, std::string& value, std::string_view, const Choices& choices) {
    const toml::node* node = nullptr;
    const std::string* text = this->string(key, node);
    if (!text) return;
    if (std::ranges::find(choices, *text) == choices.end())
      return fail_at(*node, "`{}` must be one of: {}", key, fmt::join(choices, ", "));
    value = *text;
  }
  void path(std::string_view key, std::filesystem::path& value, std::string_view, bool needed) {
    const toml::node* node = nullptr;
    const std::string* text = this->string(key, node);
    if (failed()) return;
    if (!text) {
      if (needed)
        fail_at_start("`{}` is missing; write for example {} = \"/var/lib/portcullis\"", key, key);
      return;
    }
    if (text->empty() || text->find('\0') != std::string::npos)
      return fail_at(*node, "`{}` must be a path", key);
    value = (file_.parent_path() / *text).lexically_normal();
  }
  void flag(std::string_view key, bool& value, std::string_view) {
    const toml::node* node = take(key);
    if (!node) return;
    const auto* flag = node->as_boolean();
    if (!flag) return fail_at(*node, "`{}` must be true or false", key);
    value = flag->get();
  }
  void text(std::string_view key, std::string& value, std::string_view) {
    const toml::node* node = nullptr;
    if (const std::string* text = this->string(key, node)) value = *text;
  }
  void texts(std::string_view key, std::vector<std::string>& value, std::string_view) {
    const toml::node* node = take(key);
    if (!node) return;
    const toml::array* array = node->as_array();
    if (!array) return fail_at(*node, "`{}` must be a list of texts", key);
    value.clear();
    for (const toml::node& element : *array) {
      const auto* text = element.as_string();
      if (!text || text->get().empty())
        return fail_at(element, "`{}` must be a list of texts", key);
      value.push_back(text->get());
    }
  }
  template <class T>
  void count(std::string_view key, T& value, std::string_view, std::uint64_t least,
             std::uint64_t most) {
    const toml::node* node = take(key);
    if (!node) return;
    const auto* number = node->as_integer();
    if (!number || number->get() < 0 || static_cast<std::uint64_t>(number->get()) < least ||
        static_cast<std::uint64_t>(number->get()) > most)
      return fail_at(*node, "`{}` must be a whole number from {} to {}", key, least, most);
    value = static_cast<T>(number->get());
  }
  template <class T>
  void counts(std::string_view key, std::vector<T>& value, std::string_view, std::uint64_t least,
              std::uint64_t most) {
    const toml::node* node = take(key);
    if (!node) return;
    const toml::array* array = node->as_array();
    if (!array || array->empty())
      return fail_at(*node, "`{}` must be a list of whole numbers", key);
    value.clear();
    for (const toml::node& element : *array) {
      const auto* number = element.as_integer();
      if (!number || number->get() < 0 || static_cast<std::uint64_t>(number->get()) < least ||
          static_cast<std::uint64_t>(number->get()) > most)
        return fail_at(element, "`{}` may hold whole numbers from {} to {}", key, least, most);
      value.push_back(static_cast<T>(number->get()));
    }
  }
  template <class T>
  void size(std::string_view key, T& value, std::string_view, std::uint64_t least,
            std::uint64_t most) {
    const toml::node* node = take(key);
    if (!node) return;
    const auto* text = node->as_string();
    const auto bytes = text ? bytes_from(text->get()) : std::nullopt;
    if (!bytes || *bytes < least || *bytes > most)
      return fail_at(*node, "`{}` must be a size from \"{}\" to \"{}\", such as \"40 MiB\"", key,
                     bytes_text(least), bytes_text(most));
    value = *bytes;
  }
  template <class T>
  void duration(std::string_view key, T& value, std::string_view, std::chrono::milliseconds least,
                std::chrono::milliseconds most) {
    const toml::node* node = take(key);
    if (!node) return;
    const auto* text = node->as_string();
    const auto duration = text ? duration_from(text->get()) : std::nullopt;
    if (!duration || *duration < least || *duration > most)
      return fail_at(*node, "`{}` must be a time from \"{}\" to \"{}\", such as \"30s\"", key,
                     duration_text(least), duration_text(most));
    value = std::chrono::duration_cast<T>(*duration);
    if (value != *duration) fail_at(*node, "`{}` must be whole seconds", key);
  }
  template <class Choices>
  void names(std::string_view key, std::vector<std::string>& value, std::string_view,
             const Choices& choices) {
    const toml::node* node = take(key);
    if (!node) return;
    const toml::array* array = node->as_array();
    if (!array || array->empty())
      return fail_at(*node, "`{}` must be a list of: {}", key, fmt::join(choices, ", "));
    value.clear();
    for (const toml::node& element : *array) {
      const auto* text = element.as_string();
      if (!text || std::ranges::find(choices, text->get()) == choices.end())
        return fail_at(element, "`{}` may hold: {}", key, fmt::join(choices, ", "));
      if (std::ranges::find(value, text->get()) != value.end())
        return fail_at(element, "\"{}\" stands twice in `{}`", text->get(), key);
      value.push_back(text->get());
    }
  }

  // What the layout did not ask for is a mistake; the first in the file is told.
  void reject_unknown() {
    if (failed()) return;
    const toml::key* unknown = nullptr;
    const std::set<std::string>* known = nullptr;
    const auto begin = [](const toml::key& key) {
      return std::pair(key.source().begin.line, key.source().begin.column);
    };
    for (const auto& [table, keys] : expected_)
      for (const auto& [key, node] : *table) {
        if (keys.contains(std::string(key.str()))) continue;
        if (unknown && begin(*unknown) <= begin(key)) continue;
        unknown = &key;
        known = &keys;
      }
    if (unknown)
      fail_in(unknown->source(), "there is no `{}` here; there are: {}", unknown->str(),
              fmt::join(*known, ", "));
  }

  // Says it where the key was written, or at the beginning when it was left to its default.
  template <class... Args>
  void fail_about(std::string_view table, std::string_view key, fmt::format_string<Args...> text,
                  Args&&... args) {
    const toml::node* node = root_->at_path(fmt::format("{}.{}", table, key)).node();
    std::string what = fmt::format(text, std::forward<Args>(args)...);
    if (node)
      fail_at(*node, "{}", what);
    else
      fail_at_start("{}", what);
  }

  bool failed() const { return error_.has_value(); }
  std::optional<Error> take_error() { return std::move(error_); }

 private:
  const toml::node* take(std::string_view key) {
    if (failed()) return nullptr;
    expected_[current_].insert(std::string(key));
    return current_->get(key);
  }
  // Null, with or without an error, when there is no text.
  const std::string* string(std::string_view key, const toml::node*& node) {
    node = take(key);
    if (!node) return nullptr;
    if (const auto* text = node->as_string()) return &text->get();
    fail_at(*node, "`{}` must be a text", key);
    return nullptr;
  }

  template <class... Args>
  void fail_in(const toml::source_region& region, fmt::format_string<Args...> text,
               Args&&... args) {
    if (failed()) return;
    error_ = Error{Fault::us,
                   fmt::format("{}:{}:{}: {}", file_.native(), region.begin.line,
                               region.begin.column, fmt::format(text, std::forward<Args>(args)...)),
                   {}};
  }
  template <class... Args>
  void fail_at(const toml::node& node, fmt::format_string<Args...> text, Args&&... args) {
    fail_in(node.source(), text, std::forward<Args>(args)...);
  }
  template <class... Args>
  void fail_at_start(fmt::format_string<Args...> text, Args&&... args) {
    fail_in({{1, 1}, {1, 1}, nullptr}, text, std::forward<Args>(args)...);
  }

  const std::filesystem::path& file_;
  const toml::table* root_;
  const toml::table* current_;  // whose keys are being read
  toml::table absent_;          // stands for each table that is not there
  std::map<const toml::table*, std::set<std::string>> expected_;
  std::optional<Error> error_;
};

// What may be said of a service depends on its type.
void check_service(const Service& service, Reader& reader) {
  const auto wrong = [&](std::string_view key, std::string_view what) {
    reader.fail_about("services." + service.name, key, "[services.{}]: {}", service.name, what);
  };
  const bool is_hma = service.type == "hma", is_http = service.type == "http",
             is_arachnid = service.type == "arachnid";
  if (service.type.empty())
    return wrong("type",
                 fmt::format("`type` is missing; there are: {}", fmt::join(kServices, ", ")));
  if (service.url.empty() && (is_hma || is_http))
    return wrong("url", "`url` is missing: where is it?");
  if (service.mode == "media" && is_hma) return wrong("mode", "an HMA is asked about hashes alone");
  if (service.mode == "hash" && !is_hma && !is_arachnid)
    return wrong("mode",
                 "a service of this type takes pictures alone: leave `mode` out, and know "
                 "that pictures leave this machine");
  if (!service.banks.empty() && !is_hma) return wrong("banks", "only an HMA has banks");
  if (!service.password_file.empty() && !service.password_env.empty())
    return wrong("password_env", "give `password_file` or `password_env`, not both");
  if (!service.key_file.empty() && !service.key_env.empty())
    return wrong("key_env", "give `key_file` or `key_env`, not both");
  const bool has_key = !service.key_file.empty() || !service.key_env.empty();
  const bool has_password = !service.password_file.empty() || !service.password_env.empty();
  if (has_password != !service.user.empty())
    return wrong("user", "`user` and `password_file` or `password_env` belong together");
  if (has_key && has_password) return wrong("user", "give a key or a password, not both");
  if (is_arachnid && !has_password)
    return wrong("user", "it needs `user`, and `password_file` or `password_env`");
  if (service.type == "photodna" && !has_key)
    return wrong("key_file", "it needs `key_file` or `key_env`");
}

void check_validator(const Config& config, Reader& reader) {
  const Validator& validator = config.validator;
  if (!validator.is_on()) return;
  const std::string& secret = validator.secret;
  if (secret.size() < kShortestPrefix || secret.size() > kLongestPrefix ||
      !std::ranges::all_of(secret, is_plain))
    return reader.fail_about(
        "validator", secret.empty() ? "listen" : "secret",
        "[validator] needs `secret`: {} to {} letters, digits, '-' or '_' that nobody can guess, "
        "for whoever reaches it without one could try out what is let in; `openssl rand -hex 24` "
        "makes one",
        kShortestPrefix, kLongestPrefix);
  for (const auto& [name, other] :
       {std::pair("media", &config.listen.media), std::pair("admin", &config.listen.admin)})
    if (validator.listen == *other && other->port != 0)
      reader.fail_about("validator", "listen",
                        "[validator] listen and [listen] {} cannot both listen on {}", name,
                        other->text());
}

void check_pict_rs(const Config& config, Reader& reader) {
  const PictRs& pict_rs = config.pict_rs;
  const bool says_where =
      pict_rs.api_key.starts_with("env:") || pict_rs.api_key.starts_with("file:");
  if (!pict_rs.api_key.empty() && !says_where)
    return reader.fail_about("pict_rs", "api_key",
                             "[pict_rs] api_key says where the key is, \"env:NAME\" or "
                             "\"file:PATH\"; the key itself does not stand in this file");
  if (!pict_rs.is_on()) return;
  const auto server = parse_plain_server(pict_rs.url);
  if (!server) return reader.fail_about("pict_rs", "url", "[pict_rs] url: {}", server.error().what);
  if (server->host == config.listen.media.host && server->port == config.listen.media.port)
    return reader.fail_about("pict_rs", "url",
                             "[pict_rs] url is [listen] media itself: let pict-rs listen on "
                             "another port, which only this gate reaches");
  if (pict_rs.api_key.empty() && !config.listen.api_key.empty())
    reader.fail_about("pict_rs", "url",
                      "[listen] api_key opens the internal API, so [pict_rs] needs `api_key`: "
                      "where pict-rs's server.api_key is, \"env:NAME\" or \"file:PATH\"");
}

// What no single key can tell.
void check_together(const Config& config, Reader& reader) {
  const Listen& listen = config.listen;
  if (!listen.media.is_loopback() && listen.media_prefix.empty())
    reader.fail_about("listen", "media",
                      "{} is not a loopback address, and whoever reaches it would be trusted as "
                      "Lemmy; use 127.0.0.1, or run `portcullis init --prefix` to make a secret "
                      "media_prefix that only Lemmy's pictrs.url knows",
                      listen.media.text());
  if (!listen.admin.is_loopback())
    reader.fail_about("listen", "admin",
                      "`admin` must be a loopback address, such as \"127.0.0.1:9089\": it asks "
                      "nobody who they are");
  if (listen.media == listen.admin && listen.media.port != 0)
    reader.fail_about("listen", "admin", "`media` and `admin` cannot both listen on {}",
                      listen.media.text());
  check_validator(config, reader);
  check_pict_rs(config, reader);
  for (const Service& service : config.services) check_service(service, reader);
  const Media& media = config.media;
  if (media.spool_bytes < media.max_file_size)
    reader.fail_about("media", "spool_bytes",
                      "`spool_bytes` of {} has no room for one file of max_file_size, {}",
                      bytes_text(media.spool_bytes), bytes_text(media.max_file_size));
}

}  // namespace

Result<Config> parse(std::string_view text, const std::filesystem::path& file) {
  if (text.size() > kLongestFile)
    return fail(Fault::limits, "{}:1:1: a config has {} at most", file.native(),
                bytes_text(kLongestFile));
  try {
    const toml::table root = toml::parse(text, file.native());
    Config config;
    Reader reader(root, file);
    lay_out(config, reader);
    reader.reject_unknown();
    if (!reader.failed()) check_together(config, reader);
    if (auto error = reader.take_error()) return std::unexpected(std::move(*error));
    return config;
  } catch (const toml::parse_error& error) {
    return fail(Fault::us, "{}:{}:{}: {}", file.native(), error.source().begin.line,
                error.source().begin.column, error.description());
  }
}

Result<Config> load(const std::filesystem::path& file) {
  const Bytes text = TRY(read_file(file.native(), kLongestFile));
  return parse(as_text(text), file);
}

}  // namespace portcullis::config
