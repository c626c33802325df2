#include <fcntl.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <system_error>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/result.h"
#include "base/task.h"

#include <sodium.h>

namespace portcullis {

std::unexpected<Error> fail_errno(std::string_view what) {
  const int error = errno;
  return fail(error == ENOSPC || error == EDQUOT ? Fault::limits : Fault::storage, "{}: {}", what,
              std::generic_category().message(error));
}

void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "portcullis: bug: %s does not hold at %s:%d\n", expression, file, line);
  std::abort();
}

WallTime SystemClock::now() const {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}
SteadyTime SystemClock::steady() const { return std::chrono::steady_clock::now(); }

namespace {
std::tm broken_down(WallTime time) {
  const std::time_t seconds =
      std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return parts;
}
}  // namespace

std::string rfc3339(WallTime time) {
  const std::tm t = broken_down(time);
  const auto micros = (time - std::chrono::floor<std::chrono::seconds>(time)).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", t.tm_year + 1900, t.tm_mon + 1,
                     t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, micros);
}

std::string http_date(WallTime time) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::tm t = broken_down(time);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", kDays[t.tm_wday], t.tm_mday,
                     kMonths[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

std::string to_hex(ByteView bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text(bytes.size() * 2, '0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto value = std::to_integer<unsigned>(bytes[i]);
    text[2 * i] = kDigits[value >> 4];
    text[2 * i + 1] = kDigits[value & 15];
  }
  return text;
}

std::optional<Bytes> from_hex(std::string_view text) {
  auto digit = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  if (text.size() % 2 != 0) return std::nullopt;
  Bytes bytes(text.size() / 2);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes[i] = static_cast<std::byte>(high * 16 + low);
  }
  return bytes;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

namespace {
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }
}  // namespace

std::string ascii_lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower(c);
  return result;
}

bool ascii_equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

Status write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0) {
      if (errno == EINTR) continue;
      return fail_errno("cannot write");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<std::size_t> read_at(int fd, std::span<std::byte> bytes, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count =
        ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (count < 0) {
      if (errno == EINTR) continue;
      return fail_errno("cannot read");
    }
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Result<Bytes> read_file(const std::string& path, std::uint64_t most) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno("cannot open " + path);
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return fail_errno("cannot look at " + path);
  if (!S_ISREG(info.st_mode)) return fail(Fault::client, "{} is not a file", path);
  if (static_cast<std::uint64_t>(info.st_size) > most)
    return fail(Fault::limits, "{} has {} bytes, more than the {} allowed", path, info.st_size,
                most);
  Bytes bytes(static_cast<std::size_t>(info.st_size));
  bytes.resize(TRY(read_at(fd.get(), bytes, 0)));
  return bytes;
}

std::string random_hex(std::size_t count) {
  Bytes bytes(count);
  ::randombytes_buf(bytes.data(), bytes.size());
  return to_hex(bytes);
}

std::string random_uuid() {
  std::array<std::byte, 16> raw;
  ::randombytes_buf(raw.data(), raw.size());
  raw[6] = (raw[6] & std::byte{0x0f}) | std::byte{0x40};  // version 4
  raw[8] = (raw[8] & std::byte{0x3f}) | std::byte{0x80};  // variant of RFC 9562
  const std::string hex = to_hex(raw);
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                     hex.substr(16, 4), hex.substr(20));
}

namespace {
bool is_alias_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}
}  // namespace

bool is_alias(std::string_view text) {
  return !text.empty() && text.size() <= 128 && std::ranges::all_of(text, is_alias_character) &&
         text.find_first_not_of('.') != std::string_view::npos;
}

Pool::Pool(std::string name, std::size_t threads) : threads_(threads), pool_(threads) {
  // asio's pool has no hook for naming threads: each names itself once.
  name.resize(std::min<std::size_t>(name.size(), 15));
  for (std::size_t i = 0; i < threads; ++i)
    asio::post(pool_, [name] { ::pthread_setname_np(::pthread_self(), name.c_str()); });
}

Pool::~Pool() { pool_.join(); }

Task<void> all(std::vector<Task<void>> tasks) {
  if (tasks.empty()) co_return;
  const Executor executor = co_await asio::this_coro::executor;
  std::size_t left = tasks.size();
  std::exception_ptr first;
  co_await asio::async_initiate<const asio::use_awaitable_t<Executor>, void()>(
      [&](auto handler) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        for (Task<void>& task : tasks)
          asio::co_spawn(executor, std::move(task),
                         [&left, &first, shared, executor](std::exception_ptr error) {
                           if (error && !first) first = error;
                           if (--left == 0) asio::post(executor, [shared] { (*shared)(); });
                         });
      },
      use_task);
  if (first) std::rethrow_exception(first);
}

}  // namespace portcullis
