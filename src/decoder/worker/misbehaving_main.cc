// A decoder for tests, locked in like the real one, that does what the first word of a file tells
// it: hang, die, grow without end, take its time, print. Any other file is decoded.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "decoder/worker/keeper.h"

namespace portcullis::decoder {
namespace {

// 2 GiB, twice what a worker may have; only a sanitizer's build, which has no such limit, gets
// there.
constexpr std::size_t kEnough = 128;
constexpr timespec kSlow{.tv_sec = 0, .tv_nsec = 200'000'000};

Done misbehave(ByteView bytes, const WireJob& job) {
  const std::string_view text = as_text(bytes);
  if (text.starts_with("hang"))
    while (true) asm volatile("");
  if (text.starts_with("slow")) ::nanosleep(&kSlow, nullptr);
  if (text.starts_with("print"))
    for (const int standard : {1, 2}) (void)!::write(standard, "forged\n", 7);
  if (text.starts_with("crash")) *static_cast<volatile int*>(nullptr) = 1;
  if (text.starts_with("abort")) std::abort();
  if (text.starts_with("open")) (void)std::fopen("/etc/passwd", "r");
  if (text.starts_with("grow")) {
    for (std::vector<Bytes> heap; heap.size() < kEnough;)
      heap.emplace_back(16 * 1024 * 1024, std::byte{1});
    std::abort();
  }
  std::size_t order = 0;
  for (const std::string_view known : {"flood", "slow", "print"})
    if (text.starts_with(known)) order = known.size();
  Done done = do_job(bytes.subspan(order), job);
  if (text.starts_with("flood")) done.rendition.bytes.resize(600ull * 1024 * 1024);
  return done;
}

}  // namespace
}  // namespace portcullis::decoder

int main() { return portcullis::decoder::run_keeper(portcullis::decoder::misbehave); }
