#include "base/log.h"

#include <cmath>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/clock.h"

namespace portcullis::log {

namespace {

constexpr std::size_t kLongestValue = 1024;

std::atomic<Level> lowest{Level::info};
std::mutex sink_mutex;
std::function<void(std::string_view)> test_sink;

spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("portcullis",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *instance;
}

void append_string(std::string& line, std::string_view text) {
  line += '"';
  const bool cut = text.size() > kLongestValue;
  if (cut) text = text.substr(0, kLongestValue);
  for (const char c : text) {
    const auto value = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (value < 0x20 || value >= 0x7f) {
      line += fmt::format("\\u{:04x}",
                          value);  // bytes, not code points: a log line is always valid JSON
    } else {
      line += c;
    }
  }
  if (cut) line += "...";
  line += '"';
}

void append_value(std::string& line, const Field& field) {
  if (const auto* text = std::get_if<std::string>(&field.value))
    append_string(line, *text);
  else if (const auto* number = std::get_if<std::int64_t>(&field.value))
    line += std::to_string(*number);
  else if (const auto* real = std::get_if<double>(&field.value))
    line += std::isfinite(*real) ? fmt::format("{}", *real) : "null";
  else
    line += std::get<bool>(field.value) ? "true" : "false";
}

std::string_view name(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
  }
  return "error";
}

}  // namespace

std::string format_line(std::string_view time, Level level, std::string_view what,
                        std::initializer_list<Field> fields) {
  std::string line = fmt::format(R"({{"time":"{}","level":"{}","what":)", time, name(level));
  append_string(line, what);
  for (const Field& field : fields) {
    line += ',';
    append_string(line, field.name);
    line += ':';
    append_value(line, field);
  }
  line += '}';
  return line;
}

void set_level(Level level) { lowest = level; }

void set_sink(std::function<void(std::string_view)> sink) {
  const std::scoped_lock lock(sink_mutex);
  test_sink = std::move(sink);
}

void write(Level level, std::string_view what, std::initializer_list<Field> fields) {
  if (level < lowest.load(std::memory_order_relaxed)) return;
  const std::string line = format_line(rfc3339(SystemClock().now()), level, what, fields);
  {
    const std::scoped_lock lock(sink_mutex);
    if (test_sink) return test_sink(line);
  }
  logger().log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace portcullis::log
