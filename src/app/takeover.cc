#include "app/takeover.h"

#include <boost/asio/co_spawn.hpp>
#include <thread>

#include "app/wait_for.h"
#include "base/id.h"

namespace portcullis::app {

namespace {

constexpr std::size_t kPage = 64;
constexpr std::size_t kEnoughToTell = 3;
constexpr std::string_view kKind = "import pict-rs";

using End = media::TakeOver::End;

// As it stands in the report.
std::string_view word_for(End end) {
  switch (end) {
    case End::refused:
      return "refused";
    case End::held:
      return "held";
    case End::unanswered:
      return "unanswered";
    case End::no_picture:
      return "no-picture";
    case End::name_taken:
      return "name-taken";
    case End::taken:
    case End::there_already:
    case End::deleted:
    case End::stopped:
      break;
  }
  return "";
}

TakeoverLine line_about(const OldPicture& picture, std::string_view what, std::string why) {
  TakeoverLine line{std::string(what), {}, picture.key.sha256.hex(), picture.identifier,
                    std::move(why),    {}};
  for (const pictrs::Name& name : picture.names) line.aliases.push_back(name.alias);
  return line;
}

std::uint64_t count_of(const std::string& what, const TakeoverProgress& progress) {
  const auto found = progress.reported.find(what);
  return found == progress.reported.end() ? 0 : found->second;
}

// Spreads work over a loop of this thread; `work` is awaited `count` times at once.
template <class Work>
Status all_at_once(std::size_t count, Work work) {
  asio::io_context loop(1);
  Status failed;
  std::exception_ptr thrown;
  for (std::size_t i = 0; i < count; ++i)
    asio::co_spawn(loop, work(), [&](std::exception_ptr error, Status status) {
      if (error) thrown = error;
      if (!status && failed) failed = std::move(status);
    });
  loop.run();
  if (thrown) std::rethrow_exception(thrown);
  return failed;
}

}  // namespace

void LinkingBlobs::offer(const Sha256& digest, int fd) {
  const std::scoped_lock lock(mutex_);
  offered_[digest] = fd;
}

void LinkingBlobs::withdraw(const Sha256& digest) {
  const std::scoped_lock lock(mutex_);
  offered_.erase(digest);
}

Status LinkingBlobs::put(const Sha256& digest, ByteView bytes) {
  int fd = -1;
  {
    const std::scoped_lock lock(mutex_);
    if (const auto found = offered_.find(digest); found != offered_.end()) fd = found->second;
  }
  if (fd < 0) return real_.put(digest, bytes);
  if (TRY(real_.put_link(digest, bytes, fd))) ++linked_;
  return {};
}

// Where a run stands: what it goes on with, and what it began with.
struct Takeover::Place {
  store::Job job;
  std::string next;
  bool is_fresh = true;
};

Result<Takeover::Place> Takeover::begin(TakeoverProgress& progress) {
  Place place{{random_uuid(), std::string(kKind), {}, 0, 0, clock.now(), {}}, {}, true};
  if (options.dry_run) return place;
  const std::string mine = old.name() + "\n";
  if (const auto before = TRY(store.job(std::string(kKind)))) {
    place.job.id = before->id;
    if (before->cursor.starts_with(mine)) {
      place.job = *before;
      place.next = before->cursor.substr(mine.size());
      place.is_fresh = false;
      progress.done = before->done;
      progress.taken = before->found;
    }
  }
  if (place.is_fresh) TRY(report->begin_anew());
  return place;
}

Result<TakeoverProgress> Takeover::run() {
  TakeoverProgress progress;
  progress.total = TRY(wait_for(old.count()));
  Place place = TRY(begin(progress));
  const std::size_t size =
      options.rate > 0 ? std::clamp(static_cast<std::size_t>(options.rate), std::size_t{1}, kPage)
                       : kPage;
  const bool is_beginning = place.is_fresh;
  for (bool is_first = true;; is_first = false) {
    const auto begun = std::chrono::steady_clock::now();
    const OldPage page = TRY(wait_for(old.page(place.next, size)));
    const std::uint64_t missing = count_of("missing", progress);
    progress.skipped += page.skipped;
    TRY(look_at_all(page, progress));
    // Nothing of what the old store names lies there: that is no loss but the wrong folder.
    if (is_first && is_beginning && page.pictures.size() >= kEnoughToTell &&
        count_of("missing", progress) - missing == page.pictures.size())
      return fail(Fault::client,
                  "none of the first {} files is in {}: is this what pict-rs stores into "
                  "(PICTRS__STORE__PATH), and may this user read it?",
                  page.pictures.size(), old.files());
    place.next = page.next;
    if (!options.dry_run) {
      TRY(report->sync());
      place.job.cursor = old.name() + "\n" + place.next;
      place.job.done = progress.done;
      place.job.found = progress.taken;
      place.job.updated = clock.now();
      if (!place.next.empty()) TRY(store.save_job(place.job));
    }
    if (place.next.empty()) break;
    if (options.rate > 0)
      std::this_thread::sleep_until(
          begun +
          std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(
              static_cast<double>(page.pictures.size()) / options.rate)));
  }
  if (!options.dry_run) TRY(store.finish_job(place.job.id));
  return progress;
}

Status Takeover::look_at_all(const OldPage& page, TakeoverProgress& progress) {
  std::size_t next = 0;
  bool is_over = false;  // something failed: what is under way ends, and nothing more begins
  const auto work = [&]() -> Task<Status> {
    while (next < page.pictures.size() && !is_over) {
      const OldPicture& picture = page.pictures[next++];
      Status done = co_await look_at(picture, progress);
      if (!done) is_over = true;
      if (!done) co_return done;
      ++progress.done;
      if (on_progress) on_progress(progress);
    }
    co_return Status();
  };
  return all_at_once(std::max<std::size_t>(options.at_once, 1), work);
}

Task<Status> Takeover::look_at(const OldPicture& picture, TakeoverProgress& progress) {
  if (picture.names.empty()) {
    ++progress.nameless;
    co_return Status();
  }
  std::vector<pictrs::Name> names;
  for (const pictrs::Name& name : picture.names) {
    const auto known = CO_TRY(co_await door.known(picture.key.sha256, name.alias));
    if (known == End::there_already || known == End::deleted) {
      ++progress.there_already;
    } else if (known == End::refused && !options.refused_too) {
      ++progress.refused_before;
    } else if (known == End::name_taken) {
      TakeoverLine line = line_about(picture, word_for(End::name_taken),
                                     "another picture of this site has that name");
      line.aliases = {name.alias};
      CO_TRY(note(std::move(line), progress));
    } else {
      names.push_back(name);
    }
  }
  if (names.empty()) co_return Status();
  auto file = co_await old.open(picture, options.max_file_size);
  if (!file) {
    const Error& error = file.error();
    if (error.code == "missing")
      co_return note(line_about(picture, "missing", error.what), progress);
    if (error.code == "validate-file-size")
      co_return note(line_about(picture, word_for(End::no_picture), error.what), progress);
    co_return std::unexpected(error);
  }
  if (file->digests.sha256 != picture.key.sha256 || file->size != picture.key.size)
    co_return note(
        line_about(picture, "damaged",
                   fmt::format("the file has {} bytes and SHA-256 {}; the old store "
                               "wrote {} bytes and another digest",
                               file->size, file->digests.sha256.hex(), picture.key.size)),
        progress);
  if (file->has_name) blobs.offer(picture.key.sha256, file->fd.get());
  Status taken = co_await take(picture, *file, names, progress);
  if (file->has_name) blobs.withdraw(picture.key.sha256);
  co_return taken;
}

Task<Status> Takeover::take(const OldPicture& picture, const OldFile& file,
                            const std::vector<pictrs::Name>& names, TakeoverProgress& progress) {
  const scan::Original original{file.fd.get(), file.size, file.digests};
  for (const pictrs::Name& name : names) {
    const auto outcome =
        options.dry_run ? co_await door.judge(original)
                        : co_await door.take(
                              original, {name.alias, name.delete_token, picture.created, name.url});
    if (outcome.end == End::stopped)
      co_return fail(Fault::storage,
                     "the import stops where it stands: {}. Nothing is lost; when that is mended, "
                     "start it again and it goes on",
                     outcome.why);
    if (outcome.end == End::taken) {
      ++progress.taken;
      continue;
    }
    TakeoverLine line = line_about(picture, word_for(outcome.end), outcome.why);
    line.aliases = {name.alias};
    line.verdict = outcome.verdict;
    CO_TRY(note(std::move(line), progress));
  }
  co_return Status();
}

Status Takeover::note(TakeoverLine line, TakeoverProgress& progress) {
  ++progress.reported[line.what];
  if (report) TRY(report->add(line));
  if (on_line) on_line(line);
  return {};
}

}  // namespace portcullis::app
