#include "app/secret.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

#include "base/bytes.h"
#include "base/fd.h"

namespace portcullis::app {

namespace {

constexpr std::uint64_t kLongest = 64 * 1024;

}  // namespace

Result<std::string> read_secret(const std::string& where) {
  if (where.starts_with("env:")) {
    const char* value = std::getenv(where.c_str() + 4);
    if (!value)
      return fail(Fault::client, "there is no environment variable {} for the credentials",
                  where.substr(4));
    return std::string(value);
  }
  if (!where.starts_with("file:"))
    return fail(Fault::client, "say where the credentials are: env:NAME or file:PATH");
  const std::string path = where.substr(5);
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return fail_errno("cannot look at " + path);
  if ((info.st_mode & 07) != 0)
    return fail(Fault::client, "{} holds credentials and anybody may read it: chmod 600 {}", path,
                path);
  const Bytes bytes = TRY(read_file(path, kLongest));
  return std::string(as_text(bytes));
}

Result<std::string> secret_or_text(const std::string& text) {
  if (!text.starts_with("env:") && !text.starts_with("file:")) return text;
  const std::string secret = TRY(read_secret(text));
  return std::string(trim(secret));
}

Result<std::string> load_secret(const std::string& where) {
  if (where.empty()) return std::string();
  const std::string whole = TRY(read_secret(where));
  const std::string_view text = trim(whole);
  if (text.empty() || !std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; }))
    return fail(Fault::client, "{} must hold one line of visible ASCII characters without spaces",
                where);
  return std::string(text);
}

}  // namespace portcullis::app
