// base/log.h: one JSON object a line on standard error: time, level, request id, what happened,
// named values.
//
// Never log a token, key, cookie, address, or anything a stranger wrote without limit: values are
// escaped and cut at 1,024 characters here, but leaving secrets out is the caller's duty.
// Thread-safe.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace portcullis::log {

enum class Level { debug, info, warning, error };

struct Field {
  std::string_view name;
  std::variant<std::string, std::int64_t, double, bool> value;

  Field(std::string_view n, std::string v) : name(n), value(std::move(v)) {}
  Field(std::string_view n, std::string_view v) : name(n), value(std::string(v)) {}
  Field(std::string_view n, const char* v) : name(n), value(std::string(v)) {}
  Field(std::string_view n, bool v) : name(n), value(v) {}
  Field(std::string_view n, double v) : name(n), value(v) {}
  template <std::integral T>
  Field(std::string_view n, T v) : name(n), value(static_cast<std::int64_t>(v)) {}
};

void set_level(Level level);
// Lines go to this sink instead of standard error; for tests. An empty function restores standard
// error.
void set_sink(std::function<void(std::string_view line)> sink);

void write(Level level, std::string_view what, std::initializer_list<Field> fields);
inline void debug(std::string_view what, std::initializer_list<Field> f = {}) {
  write(Level::debug, what, f);
}
inline void info(std::string_view what, std::initializer_list<Field> f = {}) {
  write(Level::info, what, f);
}
inline void warning(std::string_view what, std::initializer_list<Field> f = {}) {
  write(Level::warning, what, f);
}
inline void error(std::string_view what, std::initializer_list<Field> f = {}) {
  write(Level::error, what, f);
}

// The line that write() would emit, without the newline.
std::string format_line(std::string_view time, Level level, std::string_view what,
                        std::initializer_list<Field> fields);

}  // namespace portcullis::log
