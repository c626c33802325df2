#include <algorithm>
#include <condition_variable>
#include <future>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/log.h"
#include "decoder/links.h"
#include "decoder/sniff.h"

namespace portcullis::decoder {

namespace {

constexpr char kNoVersion[] = "none";

std::unexpected<Error> busy() {
  return fail_with(Fault::limits, "decoder-busy", "no decoder came free in time");
}
std::unexpected<Error> unanswered(std::string_view why) {
  return fail_with(Fault::upstream, "decoder-unanswered", "no decoder: {}", why);
}

// A job that waits for its turn; lives in the frame of decode().
struct Ticket {
  Priority priority;
  std::string_view owner;
  bool costly;
};

class WorkerPool final : public Pool {
 public:
  WorkerPool(Options options, const Clock& clock)
      : options_(std::move(options)), clock_(clock), missing_(options_.workers) {}
  ~WorkerPool() override {
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    if (replacer_.joinable()) replacer_.join();
  }

  // Comes back when each worker is up or has failed to come up.
  void start() {
    start_keeper();
    std::vector<std::future<Started>> starting;
    starting.reserve(options_.workers);
    for (std::size_t i = 0; i < options_.workers; ++i)
      starting.push_back(std::async(std::launch::async, [this] { return new_worker(); }));
    for (auto& worker : starting) add(worker.get());
    replacer_ = std::thread([this] { replace_workers(); });
  }

  Result<Decoded> decode(const Job& job, Deadline deadline) override;

  Health health() const override {
    const std::scoped_lock lock(mutex_);
    Health health = counts_;
    health.ready = idle_.size();
    health.busy = busy_;
    health.waiting = waiting_.size();
    if (none_is_up()) health.problem = problem_;
    return health;
  }

  std::string version() const override {
    const std::scoped_lock lock(mutex_);
    return version_;
  }

 private:
  using Started = Result<std::unique_ptr<WorkerLink>>;
  void start_keeper();
  Started new_worker();
  bool add(Started worker);
  bool none_is_up() const { return idle_.empty() && busy_ == 0; }
  const Ticket* next() const;
  Result<std::unique_ptr<WorkerLink>> take_worker(const Job& job, bool costly, Deadline deadline);
  void give_back(const Job& job, bool costly, std::unique_ptr<WorkerLink> worker,
                 WorkerLink::Trouble trouble);
  void replace_workers();

  const Options options_;
  const Clock& clock_;
  // Of the constructing thread, then of the replacer's.
  Result<std::unique_ptr<KeeperLink>> keeper_ = fail(Fault::us, "not started yet");

  mutable std::mutex mutex_;
  std::string version_ = kNoVersion;  // of the newest worker
  std::string problem_;               // why the last one did not come up; empty when it did
  std::condition_variable changed_;
  std::vector<std::unique_ptr<WorkerLink>> idle_;
  std::list<Ticket*> waiting_;  // oldest first
  std::multiset<std::string, std::less<>> owners_at_work_;
  std::size_t busy_ = 0, costly_at_work_ = 0, missing_;
  Health counts_;
  bool stopping_ = false;
  std::thread replacer_;
};

// JPEG XL, AVIF and videos take many times as long as the others, so they never hold all workers.
bool is_costly(const Job& job) {
  std::array<std::byte, kSniffBytes> head;
  const auto count = read_at(job.fd, head, 0);
  const auto format = count ? sniff(ByteView(head.data(), *count)) : std::nullopt;
  return format && (*format == Format::jxl || *format == Format::avif || is_video(*format));
}

// The one that goes now: of those that may, the highest priority, and of these the oldest.
const Ticket* WorkerPool::next() const {
  const std::size_t most_costly = std::max<std::size_t>(1, options_.workers - 1);
  const Ticket* best = nullptr;
  if (idle_.empty()) return best;
  for (const Ticket* one : waiting_) {
    if (!one->owner.empty() && owners_at_work_.contains(one->owner)) continue;
    if (one->costly && costly_at_work_ >= most_costly) continue;
    if (!best || one->priority < best->priority) best = one;
  }
  return best;
}

Result<std::unique_ptr<WorkerLink>> WorkerPool::take_worker(const Job& job, bool costly,
                                                            Deadline deadline) {
  Ticket ticket{job.priority, job.owner, costly};
  std::unique_lock lock(mutex_);
  const auto place = waiting_.insert(waiting_.end(), &ticket);
  const auto wait = std::max(std::chrono::nanoseconds(0), deadline - clock_.steady());
  const auto until = std::chrono::steady_clock::now() + wait;
  // While none has ever come up; one that did is worth the wait for another.
  const auto hopeless = [this] { return version_ == kNoVersion && !problem_.empty(); };
  changed_.wait_until(lock, until, [&] { return stopping_ || hopeless() || next() == &ticket; });
  const bool mine = !stopping_ && next() == &ticket;
  const auto why_not = hopeless() ? unanswered(problem_) : busy();
  waiting_.erase(place);
  if (!mine) {
    lock.unlock();
    changed_.notify_all();
    return why_not;
  }
  std::unique_ptr<WorkerLink> worker = std::move(idle_.back());
  idle_.pop_back();
  ++busy_;
  costly_at_work_ += ticket.costly;
  if (!job.owner.empty()) owners_at_work_.insert(job.owner);
  lock.unlock();
  changed_.notify_all();
  return worker;
}

void WorkerPool::give_back(const Job& job, bool costly, std::unique_ptr<WorkerLink> worker,
                           WorkerLink::Trouble trouble) {
  const bool keep =
      trouble == WorkerLink::Trouble::none && worker->jobs_done() < options_.jobs_per_worker;
  if (!keep) worker.reset();
  {
    const std::scoped_lock lock(mutex_);
    --busy_;
    costly_at_work_ -= costly;
    if (!job.owner.empty()) owners_at_work_.erase(owners_at_work_.find(job.owner));
    counts_.done += trouble != WorkerLink::Trouble::gone;
    counts_.timed_out += trouble == WorkerLink::Trouble::timed_out;
    counts_.died +=
        trouble != WorkerLink::Trouble::none && trouble != WorkerLink::Trouble::timed_out;
    if (keep)
      idle_.push_back(std::move(worker));
    else
      ++missing_;
  }
  changed_.notify_all();
}

void WorkerPool::start_keeper() { keeper_ = KeeperLink::start(options_.program); }

WorkerPool::Started WorkerPool::new_worker() {
  if (!keeper_) return std::unexpected(keeper_.error());
  return (*keeper_)->new_worker(options_);
}

bool WorkerPool::add(Started worker) {
  if (!worker)
    log::error("a decoder could not be started; trying again", {{"why", worker.error().what}});
  {
    const std::scoped_lock lock(mutex_);
    problem_ = worker ? "" : worker.error().what;
    if (worker) {
      --missing_;
      version_ = (*worker)->version();
      idle_.push_back(std::move(*worker));
    }
  }
  changed_.notify_all();
  return worker.has_value();
}

void WorkerPool::replace_workers() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || missing_ > 0; });
    if (stopping_) return;
    lock.unlock();
    Started worker = new_worker();
    const bool keeper_is_gone = !worker && worker.error().code == kKeeperGone;
    const bool added = add(std::move(worker));
    if (keeper_is_gone) start_keeper();
    lock.lock();
    if (!added) changed_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; });
  }
}

Result<Decoded> WorkerPool::decode(const Job& job, Deadline deadline) {
  const bool costly = is_costly(job);
  while (true) {
    std::unique_ptr<WorkerLink> worker = TRY(take_worker(job, costly, deadline));
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock_.steady());
    const auto timeout = std::clamp(left, std::chrono::milliseconds(0), options_.timeout);
    WorkerLink::Outcome outcome = worker->ask(job, timeout);
    if (outcome.trouble != WorkerLink::Trouble::none)
      log::warning("a decoder is replaced", {{"why", outcome.result.error().what}});
    give_back(job, costly, std::move(worker), outcome.trouble);
    if (outcome.trouble != WorkerLink::Trouble::gone) return std::move(outcome.result);
  }
}

}  // namespace

std::unique_ptr<Pool> Pool::create(Options options, const Clock& clock) {
  PORTCULLIS_CHECK(options.workers > 0);
  auto pool = std::make_unique<WorkerPool>(std::move(options), clock);
  pool->start();
  return pool;
}

}  // namespace portcullis::decoder
