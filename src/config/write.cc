#include "config/layout.h"
#include "config/units.h"

namespace portcullis::config {

namespace {

std::string quoted_text(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\')
      quoted += fmt::format("\\{}", c);
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    else
      quoted += c;
  }
  return quoted + '"';
}

class Writer {
 public:
  void table(std::string_view name, std::string_view comment) {
    text_ += '\n';
    note(comment);
    text_ += fmt::format("[{}]\n", name);
  }
  template <class T, class LayOut>
  void tables(std::string_view name, const std::vector<T>& values, std::string_view comment,
              const LayOut& lay_out_one) {
    text_ += '\n';
    note(comment);
    for (const T& value : values) {
      table(fmt::format("{}.{}", name, value.name), "");
      lay_out_one(value);
    }
  }
  void address(std::string_view key, const Address& value, std::string_view comment) {
    line(key, quoted_text(value.text()), comment);
  }
  void optional_address(std::string_view key, const Address& value, std::string_view comment) {
    line(key, quoted_text(value.host.empty() ? "" : value.text()), comment);
  }
  void secret_path(std::string_view key, const std::string& value, std::string_view comment) {
    line(key, quoted_text(value), comment);
  }
  void secret(std::string_view key, const std::string& value, std::string_view comment) {
    line(key, quoted_text(value), comment);
  }
  template <class Choices>
  void choice(std::string_view key, const std::string& value, std::string_view comment,
              const Choices&) {
    line(key, quoted_text(value), comment);
  }
  void path(std::string_view key, const std::filesystem::path& value, std::string_view comment,
            bool needed) {
    if (value.empty() && !needed) {
      note(comment);
      text_ += fmt::format("# {} = \"\"\n", key);
    } else {
      line(key, quoted_text(value.native()), comment);
    }
  }
  void count(std::string_view key, std::uint64_t value, std::string_view comment, std::uint64_t,
             std::uint64_t) {
    line(key, fmt::format("{}", value), comment);
  }
  template <class T>
  void counts(std::string_view key, const std::vector<T>& value, std::string_view comment,
              std::uint64_t, std::uint64_t) {
    line(key, fmt::format("[{}]", fmt::join(value, ", ")), comment);
  }
  void size(std::string_view key, std::uint64_t value, std::string_view comment, std::uint64_t,
            std::uint64_t) {
    line(key, quoted_text(bytes_text(value)), comment);
  }
  void duration(std::string_view key, std::chrono::milliseconds value, std::string_view comment,
                std::chrono::milliseconds, std::chrono::milliseconds) {
    line(key, quoted_text(duration_text(value)), comment);
  }
  void flag(std::string_view key, bool value, std::string_view comment) {
    line(key, value ? "true" : "false", comment);
  }
  void text(std::string_view key, const std::string& value, std::string_view comment) {
    line(key, quoted_text(value), comment);
  }
  void texts(std::string_view key, const std::vector<std::string>& value,
             std::string_view comment) {
    names(key, value, comment, 0);
  }
  template <class Choices>
  void names(std::string_view key, const std::vector<std::string>& value, std::string_view comment,
             const Choices&) {
    std::string list;
    for (const std::string& name : value)
      list += fmt::format("{}{}", list.empty() ? "" : ", ", quoted_text(name));
    line(key, fmt::format("[{}]", list), comment);
  }

  std::string take() { return std::move(text_); }

 private:
  std::string text_ =
      "# Portcullis. After a change: `portcullis check`, then `kill -HUP` or restart the "
      "server.\n\n";

  void note(std::string_view comment) {
    while (!comment.empty()) {
      const std::size_t end = std::min(comment.find('\n'), comment.size());
      text_ += fmt::format("# {}\n", comment.substr(0, end));
      comment.remove_prefix(std::min(end + 1, comment.size()));
    }
  }
  void line(std::string_view key, std::string_view value, std::string_view comment) {
    note(comment);
    text_ += fmt::format("{} = {}\n", key, value);
  }
};

}  // namespace

std::string to_toml(const Config& config) {
  Writer writer;
  lay_out(config, writer);
  return writer.take();
}

}  // namespace portcullis::config
