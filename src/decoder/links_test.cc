// A worker played by the test: it says whatever it likes, and the gate believes none of it.
#include "decoder/links.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <functional>
#include <thread>

#include "decoder/packet.h"

namespace portcullis::decoder {
namespace {

constexpr ViewSize kView{8, 8, 4, 4};
constexpr std::size_t kViewBytes = 4 * 4 * 3;

struct Outputs {
  int views, rendition;
};

Job any_job(int fd) {
  Job job;
  job.fd = fd;
  job.size = 3;
  job.formats = 0x3F;
  job.image = {100, 100, 5'000, 1'000, 1};
  job.animation = {100, 100, 5'000, 1'000, 10};
  job.views = {kView};
  return job;
}

WireReply good_reply() {
  WireReply reply;
  reply.taken = 1;
  reply.format = Format::png;
  reply.width = 50;
  reply.height = 40;
  reply.frames = 1;
  reply.fingerprints = 1;
  reply.pictures[0] = 1;
  reply.views_size = sizeof(WireFingerprint) + kViewBytes;
  reply.rendition_size = 9;
  reply.rendition_format = Format::png;
  reply.rendition_width = 50;
  reply.rendition_height = 40;
  reply.rendition_frames = 1;
  std::ranges::copy(std::string_view("L8Eyb[~qfQ~q~qt7fQt7fQfQfQfQ"), reply.blurhash.begin());
  return reply;
}

void write_good_outputs(const Outputs& outputs) {
  const WireFingerprint print{.pdq = {}, .quality = 77};
  PORTCULLIS_CHECK(write_all(outputs.views, std::as_bytes(std::span(&print, 1))).has_value());
  PORTCULLIS_CHECK(write_all(outputs.views, Bytes(kViewBytes, std::byte{9})).has_value());
  PORTCULLIS_CHECK(write_all(outputs.rendition, as_bytes("rendition")).has_value());
}

// The outcome of one job for a worker that does what `play` says; `after` runs once the answer was
// judged.
WorkerLink::Outcome ask(
    const std::function<void(int socket, const Outputs&)>& play,
    const std::function<void(const Outputs&, const WorkerLink::Outcome&)>& after = {}) {
  int pair[2];
  PORTCULLIS_CHECK(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
  WorkerLink link(UniqueFd(pair[0]), UniqueFd(), "test");
  UniqueFd theirs(pair[1]);
  UniqueFd spool(::memfd_create("spool", MFD_CLOEXEC));
  PORTCULLIS_CHECK(write_all(spool.get(), as_bytes("abc")).has_value());
  std::vector<UniqueFd> fds;
  std::thread worker([&] {
    const auto job = receive_struct<WireJob>(theirs.get(), fds, 3, std::chrono::seconds(10));
    PORTCULLIS_CHECK(job && fds.size() == 3);
    play(theirs.get(), {fds[1].get(), fds[2].get()});
  });
  WorkerLink::Outcome outcome = link.ask(any_job(spool.get()), std::chrono::seconds(10));
  worker.join();
  if (after) after({fds[1].get(), fds[2].get()}, outcome);
  return outcome;
}

using Trouble = WorkerLink::Trouble;

TEST(Worker, that_tells_the_truth_is_believed) {
  const auto outcome = ask([](int socket, const Outputs& outputs) {
    write_good_outputs(outputs);
    (void)send_struct(socket, good_reply());
  });
  ASSERT_TRUE(outcome.result) << outcome.result.error().what;
  EXPECT_EQ(outcome.trouble, Trouble::none);
  EXPECT_EQ(outcome.result->width, 50u);
  EXPECT_EQ(outcome.result->fingerprints.at(0).quality, 77);
  EXPECT_EQ(as_text(outcome.result->rendition.view()), "rendition");
}

TEST(Worker, that_lies_about_its_outputs_is_unanswered) {
  const struct {
    const char* name;
    std::function<void(WireReply&)> lie;
  } cases[] = {
      {"another magic word", [](WireReply& r) { r.magic = 1; }},
      {"a format that is none", [](WireReply& r) { r.format = static_cast<Format>(200); }},
      {"no width", [](WireReply& r) { r.width = 0; }},
      {"too wide", [](WireReply& r) { r.width = 101; }},
      {"too much area", [](WireReply& r) { r.width = r.height = 100; }},
      {"too many frames", [](WireReply& r) { r.frames = 11; }},
      {"no frames", [](WireReply& r) { r.frames = 0; }},
      {"no fingerprint", [](WireReply& r) { r.fingerprints = 0; }},
      {"more fingerprints than frames", [](WireReply& r) { r.fingerprints = 9; }},
      {"a huge number of fingerprints", [](WireReply& r) { r.fingerprints = UINT32_MAX; }},
      {"no picture for a view", [](WireReply& r) { r.pictures[0] = 0; }},
      {"more pictures than written", [](WireReply& r) { r.pictures[0] = 2; }},
      {"a huge number of pictures", [](WireReply& r) { r.pictures[0] = UINT32_MAX; }},
      {"pictures for a view that was not asked for", [](WireReply& r) { r.pictures[1] = 1; }},
      {"views larger than written", [](WireReply& r) { r.views_size += 1; }},
      {"views smaller than written", [](WireReply& r) { r.views_size -= 1; }},
      {"a rendition larger than written", [](WireReply& r) { r.rendition_size = 10; }},
      {"a rendition smaller than written", [](WireReply& r) { r.rendition_size = 8; }},
      {"a huge rendition", [](WireReply& r) { r.rendition_size = UINT64_MAX; }},
      {"no rendition", [](WireReply& r) { r.rendition_size = 0; }},
      {"a rendition of another format", [](WireReply& r) { r.rendition_format = Format::gif; }},
      {"a rendition of another size", [](WireReply& r) { r.rendition_width = 51; }},
      {"a rendition with more frames", [](WireReply& r) { r.rendition_frames = 2; }},
      {"a rendition without frames", [](WireReply& r) { r.rendition_frames = 0; }},
      {"a blurhash that is none", [](WireReply& r) { r.blurhash.front() = '"'; }},
      {"a refusal with a word of its own",
       [](WireReply& r) {
         r.taken = 0;
         std::ranges::copy("you-are-pwned", r.code.begin());
       }},
      {"a refusal without a word", [](WireReply& r) { r.taken = 0; }},
  };
  for (const auto& c : cases) {
    const auto outcome = ask([&](int socket, const Outputs& outputs) {
      write_good_outputs(outputs);
      WireReply reply = good_reply();
      c.lie(reply);
      (void)send_struct(socket, reply);
    });
    ASSERT_FALSE(outcome.result) << c.name;
    EXPECT_EQ(outcome.result.error().fault, Fault::upstream) << c.name;
    EXPECT_EQ(outcome.result.error().code, "decoder-unanswered") << c.name;
    EXPECT_NE(outcome.trouble, Trouble::none) << c.name;
  }
}

TEST(Worker, that_gives_a_fingerprint_of_an_impossible_quality_is_unanswered) {
  for (const std::int64_t quality : {-1, 101}) {
    const auto outcome = ask([&](int socket, const Outputs& outputs) {
      write_good_outputs(outputs);
      const WireFingerprint print{.pdq = {}, .quality = quality};
      PORTCULLIS_CHECK(::pwrite(outputs.views, &print, sizeof print, 0) == sizeof print);
      (void)send_struct(socket, good_reply());
    });
    EXPECT_EQ(outcome.trouble, Trouble::lied);
  }
}

TEST(Worker, that_shrinks_or_rewrites_its_output_after_the_answer_changes_nothing) {
  ask(
      [](int socket, const Outputs& outputs) {
        write_good_outputs(outputs);
        (void)send_struct(socket, good_reply());
      },
      [](const Outputs& outputs, const WorkerLink::Outcome& outcome) {
        ASSERT_TRUE(outcome.result);
        EXPECT_EQ(::ftruncate(outputs.rendition, 0), -1);
        EXPECT_EQ(::ftruncate(outputs.rendition, 100), -1);
        EXPECT_EQ(::pwrite(outputs.rendition, "evil", 4, 0), -1);
        EXPECT_EQ(::mmap(nullptr, 9, PROT_READ | PROT_WRITE, MAP_SHARED, outputs.rendition, 0),
                  MAP_FAILED);
        EXPECT_EQ(as_text(outcome.result->rendition.view()), "rendition");
      });
}

TEST(Worker, that_keeps_its_output_mapped_for_writing_is_unanswered) {
  const auto outcome = ask([](int socket, const Outputs& outputs) {
    write_good_outputs(outputs);
    PORTCULLIS_CHECK(::mmap(nullptr, 9, PROT_READ | PROT_WRITE, MAP_SHARED, outputs.rendition, 0) !=
                     MAP_FAILED);
    (void)send_struct(socket, good_reply());
  });
  EXPECT_EQ(outcome.trouble, Trouble::lied);
}

TEST(Worker, that_shrinks_its_output_between_writing_and_answering_is_unanswered) {
  const auto outcome = ask([](int socket, const Outputs& outputs) {
    write_good_outputs(outputs);
    PORTCULLIS_CHECK(::ftruncate(outputs.rendition, 3) == 0);
    (void)send_struct(socket, good_reply());
  });
  EXPECT_EQ(outcome.trouble, Trouble::lied);
}

TEST(Worker, that_says_nothing_whole_is_unanswered) {
  const auto gone = ask([](int socket, const Outputs&) { ::shutdown(socket, SHUT_RDWR); });
  EXPECT_EQ(gone.trouble, Trouble::died);
  const auto short_answer = ask([](int socket, const Outputs&) { ::send(socket, "hi", 2, 0); });
  EXPECT_EQ(short_answer.trouble, Trouble::died);
  const auto long_answer = ask([](int socket, const Outputs&) {
    const Bytes many(sizeof(WireReply) + 1);
    ::send(socket, many.data(), many.size(), 0);
  });
  EXPECT_EQ(long_answer.trouble, Trouble::died);
}

TEST(Worker, that_ended_before_it_got_the_job_leaves_it_to_another) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  WorkerLink link(UniqueFd(pair[0]), UniqueFd(), "test");
  ::close(pair[1]);
  const UniqueFd spool(::memfd_create("spool", MFD_CLOEXEC));
  EXPECT_EQ(link.ask(any_job(spool.get()), std::chrono::seconds(10)).trouble, Trouble::gone);
}

TEST(Worker, that_ends_without_having_read_the_job_leaves_it_to_another) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  WorkerLink link(UniqueFd(pair[0]), UniqueFd(), "test");
  UniqueFd theirs(pair[1]);
  const UniqueFd spool(::memfd_create("spool", MFD_CLOEXEC));
  std::thread worker([&] {
    pollfd job{theirs.get(), POLLIN, 0};
    ::poll(&job, 1, -1);
    theirs.reset();
  });
  EXPECT_EQ(link.ask(any_job(spool.get()), std::chrono::seconds(10)).trouble, Trouble::gone);
  worker.join();
}

TEST(Worker, that_sends_descriptors_back_is_unanswered) {
  const auto outcome = ask([](int socket, const Outputs& outputs) {
    write_good_outputs(outputs);
    const int fds[] = {outputs.views};
    (void)send_struct(socket, good_reply(), fds);
  });
  EXPECT_NE(outcome.trouble, Trouble::none);
}

TEST(Worker, cannot_write_to_the_file_that_it_reads) {
  ask([](int socket, const Outputs&) { ::shutdown(socket, SHUT_RDWR); });
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  WorkerLink link(UniqueFd(pair[0]), UniqueFd(), "test");
  UniqueFd theirs(pair[1]), spool(::memfd_create("spool", MFD_CLOEXEC));
  ASSERT_TRUE(write_all(spool.get(), as_bytes("abc")));
  std::thread worker([&] {
    std::vector<UniqueFd> fds;
    ASSERT_TRUE(receive_struct<WireJob>(theirs.get(), fds, 3, std::chrono::seconds(10)));
    EXPECT_EQ(::write(fds[0].get(), "x", 1), -1);
    EXPECT_EQ(::fcntl(fds[0].get(), F_GETFL) & O_ACCMODE, O_RDONLY);
    theirs.reset();
  });
  (void)link.ask(any_job(spool.get()), std::chrono::seconds(10));
  worker.join();
}

}  // namespace
}  // namespace portcullis::decoder
