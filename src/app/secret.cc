#include "app/secret.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

#include "base/fd.h"

namespace portcullis::app {

namespace {

constexpr std::uint64_t kLongest = 4'096;

Result<std::string> secret_in(std::string_view text, const std::string& where) {
  text = trim(text);
  const bool is_visible = std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
  if (text.empty() || !is_visible)
    return fail(Fault::us, "{} must hold one line of visible ASCII characters without spaces",
                where);
  return std::string(text);
}

}  // namespace

Result<std::string> load_secret(const std::string& where) {
  if (where.empty()) return std::string();
  if (where.starts_with("env:")) {
    const char* value = std::getenv(where.c_str() + 4);
    if (!value) return fail(Fault::us, "there is no environment variable {}", where.substr(4));
    return secret_in(value, where);
  }
  if (!where.starts_with("file:"))
    return fail(Fault::us, "say where the secret is: env:NAME or file:PATH");
  const std::string path = where.substr(5);
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return fail_errno("cannot look at " + path);
  if ((info.st_mode & 07) != 0)
    return fail(Fault::us, "{} holds a secret and anybody may read it: chmod 640 {}", path, path);
  const Bytes bytes = TRY(read_file(path, kLongest));
  return secret_in(as_text(bytes), where);
}

}  // namespace portcullis::app
