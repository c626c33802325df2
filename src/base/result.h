// base/result.h: errors are values, and say whose fault they are.
//
// A function that can fail returns Result<T>. TRY(expression) gives the value or returns the error
// from the enclosing function; CO_TRY does the same inside a coroutine. Exceptions of libraries are
// caught in the one file that calls them. PORTCULLIS_CHECK is for our own bugs only: it stays on in
// release builds and aborts.
#pragma once

#include <fmt/format.h>
#include <cstdlib>
#include <expected>
#include <string>
#include <utility>

namespace portcullis {

// Whose fault an error is; decides status, log level and whether to try again.
enum class Fault {
  client,    // what was sent is wrong; trying again with the same bytes fails again
  upstream,  // another server or a decoder worker failed
  storage,   // database or file system
  limits,    // a configured bound was reached
  us,        // our bug, or a wrong installation
};

// `what` is for the log and for the person at the terminal, never for a remote client. `code` is a
// machine word where one exists (e.g. "validate-width"), else empty.
struct Error {
  Fault fault = Fault::us;
  std::string what;
  std::string code = {};
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

// fail(Fault::client, "width {} is over {}", w, max)
template <class... Args>
std::unexpected<Error> fail(Fault fault, fmt::format_string<Args...> text, Args&&... args) {
  return std::unexpected(Error{fault, fmt::format(text, std::forward<Args>(args)...), {}});
}

// The same with a machine word for the answer.
template <class... Args>
std::unexpected<Error> fail_with(Fault fault, std::string code, fmt::format_string<Args...> text,
                                 Args&&... args) {
  return std::unexpected(
      Error{fault, fmt::format(text, std::forward<Args>(args)...), std::move(code)});
}

// "what: errno's text", Fault::storage.
std::unexpected<Error> fail_errno(std::string_view what);

[[noreturn]] void check_failed(const char* expression, const char* file, int line);

}  // namespace portcullis

#define PORTCULLIS_CHECK(expression)   \
  ((expression) ? static_cast<void>(0) \
                : ::portcullis::check_failed(#expression, __FILE__, __LINE__))

#define PORTCULLIS_TRY_WITH(return_, expression)                 \
  ({                                                             \
    auto&& result_of_try = (expression);                         \
    if (!result_of_try) [[unlikely]]                             \
      return_ std::unexpected(std::move(result_of_try).error()); \
    *std::move(result_of_try);                                   \
  })
#define TRY(expression) PORTCULLIS_TRY_WITH(return, expression)
#define CO_TRY(expression) PORTCULLIS_TRY_WITH(co_return, expression)
