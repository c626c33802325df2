#include "app/list_source.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>

#include "app/list_credentials.h"
#include "app/wait_for.h"
#include "egress/egress.h"

namespace portcullis::app {

namespace {

constexpr std::uint64_t kMostBytes = 2ull * 1024 * 1024 * 1024;
constexpr std::size_t kMostPages = 20'000;
constexpr std::chrono::minutes kLongest{60}, kLongestPage{10};

// A line on the terminal that is written over and over, and nothing anywhere else.
class Progress {
 public:
  explicit Progress(std::string name)
      : name_(std::move(name)), is_on_(::isatty(STDERR_FILENO) != 0) {}
  ~Progress() {
    if (is_on_) std::fputs("\r\x1b[K", stderr);
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(std::string_view what, std::uint64_t bytes) {
    const auto now = std::chrono::steady_clock::now();
    if (!is_on_ || now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    std::fputs(
        fmt::format("\r\x1b[K{}: {} {:.1f} MB", name_, what, static_cast<double>(bytes) / 1e6)
            .c_str(),
        stderr);
  }

 private:
  std::string name_;
  bool is_on_;
  std::chrono::steady_clock::time_point last_;
};

Result<UniqueFd> new_page(const DataFolder& data) {
  UniqueFd fd(::open(data.spool().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) return fail_errno("cannot make a file in " + data.spool().string());
  return fd;
}

Status copy_file(const std::string& path, int to, Progress& progress) {
  UniqueFd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!from) return fail_errno("cannot open " + path);
  Bytes buffer(1024 * 1024);
  std::uint64_t copied = 0;
  while (true) {
    const ssize_t count = ::read(from.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno("cannot read " + path);
    if (count == 0) return {};
    copied += static_cast<std::uint64_t>(count);
    if (copied > kMostBytes) return fail(Fault::limits, "{} is larger than 2 GiB", path);
    TRY(write_all(to, ByteView(buffer.data(), static_cast<std::size_t>(count))));
    progress.show("read", copied);
  }
}

bool is_this_machine(const egress::Url& url) {
  const auto address = IpAddress::parse(url.host);
  const auto loopback = Network::parse("127.0.0.0/8");
  return url.host == "localhost" || url.host == "::1" ||
         (address && loopback && loopback->contains(*address));
}

std::string origin_text(const egress::Url& url) {
  return fmt::format("{}://{}:{}/", url.scheme,
                     url.host.contains(':') ? '[' + url.host + ']' : url.host, url.port);
}

// One address after the other, from one server.
class Downloader {
 public:
  static Result<Downloader> create(const std::string& where, Credentials credentials) {
    auto origin = egress::parse_url(with_query(where, {}));
    if (!origin)
      return fail(Fault::client,
                  "{}: {}; user names, passwords and tokens belong into --credentials",
                  shown_source(where), origin.error().what);
    if (origin->scheme != "https" && !is_this_machine(*origin))
      return fail(Fault::client,
                  "{}: a list must come over https, or whoever is in between could change it",
                  shown_source(where));
    auto endpoint = TRY(egress::Endpoint::parse(origin_text(*origin)));
    egress::ConfiguredOptions options;
    options.user_agent = fmt::format("Portcullis/{}", kVersion);
    return Downloader(TRY(egress::ConfiguredClient::create(std::move(options))),
                      std::move(endpoint), std::move(credentials));
  }

  Result<UniqueFd> get(const std::string& url, const DataFolder& data, std::uint64_t before,
                       Progress& progress) {
    UniqueFd page = TRY(new_page(data));
    std::uint64_t bytes = 0;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        until_ - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      return fail(Fault::limits, "{}: not done after an hour", shown_source(url));
    egress::Request request;
    request.target = TRY(egress::parse_url(with_query(url, credentials_))).path_and_query;
    request.headers = credentials_.headers;
    request.sink = [&](ByteView piece) -> Status {
      bytes += piece.size();
      progress.show("fetched", before + bytes);
      return write_all(page.get(), piece);
    };
    const auto reply =
        wait_for(client_->ask(endpoint_, std::move(request), kMostBytes - before,
                              std::min<std::chrono::milliseconds>(left, kLongestPage)));
    if (!reply)
      return fail_with(reply.error().fault, reply.error().code, "{}: {}", shown_source(url),
                       reply.error().what);
    if (reply->status < 200 || reply->status > 299)
      return fail(Fault::upstream, "{}: status {}", shown_source(url), reply->status);
    return page;
  }

 private:
  Downloader(std::unique_ptr<egress::ConfiguredClient> client, egress::Endpoint endpoint,
             Credentials credentials)
      : client_(std::move(client)),
        endpoint_(std::move(endpoint)),
        credentials_(std::move(credentials)) {}

  std::unique_ptr<egress::ConfiguredClient> client_;
  egress::Endpoint endpoint_;
  Credentials credentials_;
  std::chrono::steady_clock::time_point until_ = std::chrono::steady_clock::now() + kLongest;
};

hash::ListFormat format_of(const ListSource& source, std::string_view page) {
  return hash::list_format_from(source.format).value_or(hash::detect_format(page));
}

Result<ListText> download(const ListSource& source, const DataFolder& data, Progress& progress) {
  auto downloader =
      TRY(Downloader::create(source.where, TRY(load_credentials(source.credentials))));
  ListText text;
  const std::string shown = shown_source(source.where);
  for (std::string url = source.where; !url.empty();) {
    if (text.pages().size() == kMostPages)
      return fail(Fault::limits, "{}: more than {} pages", shown, kMostPages);
    TRY(text.add(TRY(downloader.get(url, data, text.bytes(), progress))));
    const std::string_view page = text.pages().back();
    const hash::ListFormat format = format_of(source, text.pages().front());
    const std::string next = TRY(hash::next_page(page, format, shown));
    if (next.empty()) break;
    const std::string last =
        std::exchange(url, next_url(source.where, next, format == hash::ListFormat::stopncii));
    if (url.empty() || url == last)
      return fail(Fault::upstream, "{}: page {} says that the list goes on at {}", shown,
                  text.pages().size(), url.empty() ? "another server" : "itself");
  }
  return text;
}

}  // namespace

ListText::~ListText() {
  for (const std::string_view page : pages_)
    if (!page.empty()) ::munmap(const_cast<char*>(page.data()), page.size());
}

Status ListText::add(UniqueFd page) {
  struct stat info{};
  if (::fstat(page.get(), &info) != 0) return fail_errno("cannot look at a page of the list");
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size == 0) {
    pages_.emplace_back();
    return {};
  }
  void* mapped = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, page.get(), 0);
  if (mapped == MAP_FAILED) return fail_errno("cannot map a page of the list");
  pages_.emplace_back(static_cast<const char*>(mapped), size);
  bytes_ += size;
  return {};
}

Result<ReadList> read_list(const ListSource& source, const std::string& name,
                           const DataFolder& data) {
  std::optional<hash::Kind> kind;
  if (!source.kind.empty()) {
    kind = hash::kind_from(source.kind);
    if (!kind)
      return fail(Fault::client, "there is no kind \"{}\": use sha256, sha1, md5 or pdq",
                  source.kind);
  }
  Progress progress(name);
  ListText text;
  if (is_url(source.where)) {
    text = TRY(download(source, data, progress));
  } else {
    UniqueFd page = TRY(new_page(data));
    TRY(copy_file(source.where, page.get(), progress));
    TRY(text.add(std::move(page)));
  }
  ReadList read;
  read.format = format_of(source, text.pages().front());
  progress.show("reading", text.bytes());
  read.parsed = TRY(hash::parse_list(text.pages(), read.format, kind, shown_source(source.where)));
  return read;
}

}  // namespace portcullis::app
