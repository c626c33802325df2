#include "app/takeover_report.h"

#include <fcntl.h>
#include <sys/file.h>

#include <boost/json.hpp>

namespace portcullis::app {

namespace json = boost::json;

namespace {

constexpr std::uint64_t kLongest = 1024ull * 1024 * 1024;

std::string text_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::optional<TakeoverLine> line_from(std::string_view text) {
  boost::system::error_code error;
  const json::value root = json::parse(text, error);
  if (error || !root.is_object()) return std::nullopt;
  const json::object& object = root.get_object();
  TakeoverLine line{text_in(object, "what"),   {},
                    text_in(object, "sha256"), text_in(object, "file"),
                    text_in(object, "why"),    text_in(object, "verdict")};
  if (const json::value* aliases = object.if_contains("aliases"); aliases && aliases->is_array())
    for (const json::value& alias : aliases->get_array())
      if (alias.is_string()) line.aliases.emplace_back(alias.get_string());
  return line;
}

}  // namespace

std::string to_json(const TakeoverLine& line) {
  return json::serialize(json::object{{"what", line.what},
                                      {"aliases", json::value_from(line.aliases)},
                                      {"sha256", line.sha256},
                                      {"file", line.file},
                                      {"why", line.why},
                                      {"verdict", line.verdict}});
}

Result<std::unique_ptr<TakeoverReport>> TakeoverReport::open(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("cannot open " + path.string());
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(Fault::client, "another import is at work on this data folder: wait for its end");
  return std::unique_ptr<TakeoverReport>(new TakeoverReport(std::move(fd)));
}

Status TakeoverReport::begin_anew() {
  if (::ftruncate(fd_.get(), 0) != 0) return fail_errno("cannot empty the report");
  return {};
}

Status TakeoverReport::add(const TakeoverLine& line) {
  return write_all(fd_.get(), as_bytes(to_json(line) + "\n"));
}

Status TakeoverReport::sync() {
  if (::fdatasync(fd_.get()) != 0) return fail_errno("cannot sync the report");
  return {};
}

Result<std::vector<TakeoverLine>> TakeoverReport::read(const std::filesystem::path& path) {
  const Bytes bytes = TRY(read_file(path.string(), kLongest));
  std::vector<TakeoverLine> lines;
  std::map<std::pair<std::string, std::string>, std::size_t> places;
  for (std::string_view rest = as_text(bytes); !rest.empty();) {
    const auto end = rest.find('\n');
    auto line = line_from(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (!line) continue;
    const auto [place, is_new] = places.try_emplace(
        {line->sha256, line->aliases.empty() ? "" : line->aliases.front()}, lines.size());
    if (is_new)
      lines.push_back(*std::move(line));
    else
      lines[place->second] = *std::move(line);
  }
  return lines;
}

std::map<std::string, std::uint64_t> TakeoverReport::counts(
    const std::vector<TakeoverLine>& lines) {
  std::map<std::string, std::uint64_t> counts;
  for (const TakeoverLine& line : lines) ++counts[line.what];
  return counts;
}

}  // namespace portcullis::app
