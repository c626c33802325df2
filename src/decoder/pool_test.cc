// The pool with real, locked-in workers, some of which misbehave on purpose.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "decoder/decoder.h"
#include "decoder/worker/lock_in.h"
#include "testing/memory_file.h"
#include "testing/temporary_folder.h"

namespace portcullis::decoder {
namespace {

const std::filesystem::path kReal =
    std::filesystem::path(PORTCULLIS_BINARY_DIR) / "portcullis-decoder";
const std::filesystem::path kMisbehaving =
    std::filesystem::path(PORTCULLIS_BINARY_DIR) / "misbehaving-decoder";

// A GIF of one white pixel.
constexpr std::string_view kPixel(
    "GIF89a\x01\0\x01\0\x80\0\0\xFF\xFF\xFF\0\0\0\x2C\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0;",
    35);

class PoolTest : public ::testing::Test {
 protected:
  std::unique_ptr<Pool> pool(std::size_t workers,
                             std::chrono::milliseconds timeout = std::chrono::seconds(20),
                             std::uint32_t jobs = 1'000) {
    Options options;
    options.program = kMisbehaving;
    options.workers = workers;
    options.timeout = timeout;
    options.jobs_per_worker = jobs;
    auto made = Pool::create(options, clock_);
    EXPECT_EQ(made->health().problem, "");
    return made;
  }

  Result<Decoded> decode(Pool& pool, std::string_view bytes, std::string owner = "",
                         Priority priority = Priority::upload) {
    const UniqueFd fd = testing::memory_file(as_bytes(bytes));
    Job job;
    job.fd = fd.get();
    job.size = bytes.size();
    job.formats = 0x3F;
    job.image = job.animation = {1'000, 1'000, 1'000'000, 1'000'000, 10};
    job.views = {{8, 8, 4, 4}};
    job.owner = std::move(owner);
    job.priority = priority;
    return pool.decode(job, clock_.steady() + std::chrono::seconds(60));
  }

  SystemClock clock_;
};

TEST_F(PoolTest, a_picture_comes_back_as_fingerprint_view_and_rendition) {
  const auto workers = pool(1);
  const auto decoded = decode(*workers, kPixel);
  ASSERT_TRUE(decoded) << decoded.error().what;
  EXPECT_EQ(decoded->format, Format::gif);
  EXPECT_EQ(decoded->width, 1u);
  EXPECT_EQ(decoded->frames, 1u);
  EXPECT_EQ(decoded->fingerprints.size(), 1u);
  ASSERT_EQ(decoded->views.size(), 1u);
  EXPECT_EQ(decoded->views[0].at(0).rgb, Bytes(4 * 4 * 3, std::byte{255}));
  EXPECT_TRUE(as_text(decoded->rendition.view()).starts_with("GIF89a"));
  EXPECT_FALSE(workers->version().empty());
}

TEST_F(PoolTest, what_is_no_picture_is_the_clients_fault_and_costs_no_worker) {
  const auto workers = pool(1);
  const auto decoded = decode(*workers, "hello");
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().fault, Fault::client);
  EXPECT_EQ(decoded.error().code, "command-failure");
  EXPECT_EQ(workers->health().died, 0u);
}

TEST_F(PoolTest,
       Invariant4_a_worker_that_ends_in_the_middle_is_unanswered_and_the_next_picture_is_decoded) {
  const auto workers = pool(1, std::chrono::minutes(2));
  const struct {
    const char* name;
    std::string bytes;
  } cases[] = {{"crashes", "crash"},
               {"aborts", "abort"},
               {"opens a file", "open"},
               {"grows without end", "grow"},
               {"writes without end", "flood" + std::string(kPixel)}};
  std::uint64_t died = 0;
  for (const auto& c : cases) {
    const auto decoded = decode(*workers, c.bytes);
    ASSERT_FALSE(decoded) << c.name;
    EXPECT_EQ(decoded.error().fault, Fault::upstream) << c.name;
    EXPECT_EQ(decoded.error().code, "decoder-unanswered") << c.name;
    EXPECT_EQ(workers->health().died, ++died) << c.name;
    const auto next = decode(*workers, kPixel);
    EXPECT_TRUE(next) << "after one that " << c.name << ": " << next.error().what;
  }
}

TEST_F(PoolTest, a_worker_that_hangs_is_killed_at_the_deadline_and_replaced) {
  const auto workers = pool(1, std::chrono::milliseconds(300));
  const auto decoded = decode(*workers, "hang");
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, "decoder-unanswered");
  EXPECT_EQ(workers->health().timed_out, 1u);
  EXPECT_TRUE(decode(*pool(1), kPixel));
}

TEST_F(PoolTest, no_free_worker_in_time_is_busy_and_not_an_answer) {
  const auto workers = pool(1, std::chrono::seconds(3));
  std::thread hog([&] { (void)decode(*workers, "hang"); });
  while (workers->health().busy == 0) std::this_thread::yield();
  const UniqueFd fd = testing::memory_file(as_bytes(kPixel));
  Job job{.fd = fd.get(), .size = kPixel.size(), .formats = 0x3F};
  const auto decoded = workers->decode(job, clock_.steady());
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, "decoder-busy");
  hog.join();
}

TEST_F(PoolTest, one_owner_never_holds_more_than_one_worker) {
  const auto workers = pool(2, std::chrono::seconds(4));
  std::thread hog([&] { (void)decode(*workers, "hang", "greedy"); });
  while (workers->health().busy == 0) std::this_thread::yield();
  std::atomic<bool> second_done = false;
  std::thread second([&] {
    EXPECT_TRUE(decode(*workers, kPixel, "greedy"));
    second_done = true;
  });
  EXPECT_TRUE(decode(*workers, kPixel, "patient"));  // goes past the one that waits for its own
  EXPECT_FALSE(second_done);
  hog.join();
  second.join();
}

TEST_F(PoolTest, uploads_go_before_remote_pictures_before_imports_before_rescans) {
  const auto workers = pool(1);
  std::mutex mutex;
  std::vector<Priority> order;
  std::vector<std::thread> threads;
  const auto start = [&](Priority priority) {
    threads.emplace_back([&, priority] {
      EXPECT_TRUE(decode(*workers, "slow" + std::string(kPixel), "", priority));
      const std::scoped_lock lock(mutex);
      order.push_back(priority);
    });
  };
  start(Priority::rescan);
  while (workers->health().busy == 0) std::this_thread::yield();
  std::size_t waiting = 0;
  for (const Priority priority :
       {Priority::rescan, Priority::import, Priority::remote, Priority::upload}) {
    start(priority);
    ++waiting;
    while (workers->health().waiting < waiting && workers->health().done == 0)
      std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(order, (std::vector{Priority::rescan, Priority::upload, Priority::remote,
                                Priority::import, Priority::rescan}));
}

// The processes that `parent` has started.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> found;
  for (const auto& task :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/task", parent))) {
    std::ifstream list(task.path() / "children");
    for (pid_t pid; list >> pid;) found.push_back(pid);
  }
  return found;
}

bool has_ended(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text;
  std::getline(file, text);
  const auto name_end = text.rfind(')');
  return name_end == std::string::npos || text[name_end + 2] == 'Z';
}

// Comes back when the process has ended with all its threads.
void wait_for_end(const UniqueFd& process) {
  pollfd ended{process.get(), POLLIN, 0};
  ::poll(&ended, 1, -1);
}
UniqueFd process_of(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}
void end(pid_t pid) {
  const UniqueFd process = process_of(pid);
  ::kill(pid, SIGKILL);
  wait_for_end(process);
}

TEST_F(PoolTest, a_worker_that_ended_while_idle_costs_no_answer) {
  const auto workers = pool(1);
  const pid_t keeper = children_of(::getpid()).at(0);
  end(children_of(keeper).at(0));
  const auto decoded = decode(*workers, kPixel);
  EXPECT_TRUE(decoded) << decoded.error().what;
  EXPECT_EQ(workers->health().died, 1u);
}

// As the kernel does when memory runs out.
TEST_F(PoolTest, Invariant4_who_is_killed_at_work_costs_one_answer) {
  const auto workers = pool(1, std::chrono::minutes(5));
  for (const bool keeper_too : {false, true}) {
    Result<Decoded> cut_off = fail(Fault::us, "not asked yet");
    std::atomic<bool> answered = false;
    std::thread at_work([&] {
      cut_off = decode(*workers, "hang");
      answered = true;
    });
    // Who dies before it has the job costs no answer: the next one gets the job, and is killed too.
    while (!answered) {
      while (workers->health().busy == 0 && !answered) std::this_thread::yield();
      const auto keepers = children_of(::getpid());
      if (keepers.empty()) continue;
      const std::vector<pid_t> doomed = keeper_too ? keepers : children_of(keepers.at(0));
      for (const pid_t pid : doomed) end(pid);
    }
    at_work.join();
    ASSERT_FALSE(cut_off) << keeper_too;
    EXPECT_EQ(cut_off.error().fault, Fault::upstream) << keeper_too;
    EXPECT_EQ(cut_off.error().code, "decoder-unanswered") << keeper_too;
    const auto next = decode(*workers, kPixel);
    EXPECT_TRUE(next) << keeper_too << ": " << next.error().what;
  }
  EXPECT_EQ(workers->health().timed_out, 0u);
  EXPECT_EQ(workers->health().busy, 0u);
}

TEST_F(PoolTest, who_is_killed_while_it_starts_is_replaced_at_once) {
  const auto workers = pool(1);
  const pid_t keeper = children_of(::getpid()).at(0);
  pid_t last = children_of(keeper).at(0);
  end(last);
  Result<Decoded> decoded = fail(Fault::us, "not asked yet");
  std::thread asking([&] { decoded = decode(*workers, kPixel); });  // makes the pool start another
  for (int i = 0; i < 3; ++i) {
    std::vector<pid_t> next;
    while (next.empty() || next.at(0) == last) next = children_of(keeper);
    end(last = next.at(0));
  }
  asking.join();
  EXPECT_TRUE(decoded) << decoded.error().what;
}

TEST_F(PoolTest, Invariant4_without_its_keeper_the_pool_starts_another) {
  const auto workers = pool(2);
  const pid_t keeper = children_of(::getpid()).at(0);
  std::vector<UniqueFd> ending;
  for (const pid_t worker : children_of(keeper)) ending.push_back(process_of(worker));
  end(keeper);
  for (const UniqueFd& worker : ending) wait_for_end(worker);
  EXPECT_EQ(ending.size(), 2u);
  for (int i = 0; i < 3; ++i) {
    const auto decoded = decode(*workers, kPixel);
    EXPECT_TRUE(decoded) << decoded.error().what;
  }
}

TEST_F(PoolTest, neither_keeper_nor_a_hanging_worker_outlives_a_killed_gate) {
  int pipe[2];
  ASSERT_EQ(::pipe(pipe), 0);
  const pid_t gate = ::fork();
  if (gate == 0) {
    const auto workers = pool(1, std::chrono::minutes(5));
    std::thread hang([&] { (void)decode(*workers, "hang"); });
    while (workers->health().busy == 0) std::this_thread::yield();
    const pid_t keeper = children_of(::getpid()).at(0);
    const pid_t pids[] = {keeper, children_of(keeper).at(0)};
    (void)!::write(pipe[1], pids, sizeof pids);
    hang.join();
    ::_exit(0);
  }
  pid_t pids[2] = {};
  ASSERT_EQ(::read(pipe[0], pids, sizeof pids), static_cast<ssize_t>(sizeof pids));
  EXPECT_FALSE(has_ended(pids[0]));
  EXPECT_FALSE(has_ended(pids[1]));
  ::kill(gate, SIGKILL);
  ::waitpid(gate, nullptr, 0);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while ((!has_ended(pids[0]) || !has_ended(pids[1])) && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  EXPECT_TRUE(has_ended(pids[0]));
  EXPECT_TRUE(has_ended(pids[1]));
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(PoolTest, signals_to_the_whole_service_leave_decoding_to_the_gate) {
  const auto workers = pool(1);
  const pid_t keeper = children_of(::getpid()).at(0);
  for (const pid_t pid : {keeper, children_of(keeper).at(0)})
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::kill(pid, signal);
  EXPECT_TRUE(decode(*workers, kPixel));
  EXPECT_EQ(workers->health().died, 0u);
}

TEST_F(PoolTest, a_worker_cannot_write_what_an_admin_reads) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  {
    const auto workers = pool(1);
    EXPECT_TRUE(decode(*workers, "print" + std::string(kPixel)));
  }
  const std::string out = ::testing::internal::GetCapturedStdout(),
                    error = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(out.find("forged"), std::string::npos);
  if (!kSanitized) EXPECT_EQ(error.find("forged"), std::string::npos) << error;
}

TEST_F(PoolTest, workers_are_replaced_after_their_number_of_jobs) {
  const auto workers = pool(1, std::chrono::seconds(20), 2);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(decode(*workers, kPixel)) << i;
  EXPECT_EQ(workers->health().done, 5u);
  EXPECT_EQ(workers->health().died, 0u);
}

TEST_F(PoolTest, Invariant4_without_a_program_nothing_is_decoded_until_there_is_one) {
  const testing::TemporaryFolder folder;
  Options options;
  options.program = folder.path() / "portcullis-decoder";
  const auto workers = Pool::create(options, clock_);
  EXPECT_NE(workers->health().problem.find("install it beside"), std::string::npos);
  const auto decoded = decode(*workers, kPixel);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().code, "decoder-unanswered");

  std::filesystem::create_symlink(kReal, options.program);
  const auto until = clock_.steady() + std::chrono::minutes(2);
  while (!workers->health().problem.empty() && clock_.steady() < until) std::this_thread::yield();
  EXPECT_TRUE(decode(*workers, kPixel));
}

TEST_F(PoolTest, the_real_program_starts_and_decodes) {
  Options options;
  options.program = kReal;
  EXPECT_TRUE(decode(*Pool::create(options, clock_), kPixel));
}

}  // namespace
}  // namespace portcullis::decoder
