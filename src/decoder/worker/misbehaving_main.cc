// A decoder for tests, locked in like the real one, that does what the first word of a file tells
// it: hang, die, grow without end. Any other file is decoded.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "decoder/worker/keeper.h"

namespace portcullis::decoder {
namespace {

Done misbehave(ByteView bytes, const WireJob& job) {
  const std::string_view text = as_text(bytes);
  if (text.starts_with("hang"))
    while (true) asm volatile("");
  if (text.starts_with("crash")) *static_cast<volatile int*>(nullptr) = 1;
  if (text.starts_with("abort")) std::abort();
  if (text.starts_with("open")) (void)std::fopen("/etc/passwd", "r");
  if (text.starts_with("grow"))
    for (std::vector<Bytes> heap;;) heap.emplace_back(16 * 1024 * 1024, std::byte{1});
  Done done = do_job(bytes.subspan(text.starts_with("flood") ? 5 : 0), job);
  if (text.starts_with("flood")) done.rendition.resize(600ull * 1024 * 1024);
  return done;
}

}  // namespace
}  // namespace portcullis::decoder

int main() { return portcullis::decoder::run_keeper(portcullis::decoder::misbehave); }
