// What a request costs before and beside its handler. Throughput over sockets is measured from
// outside.
#include <benchmark/benchmark.h>

#include <string>

#include "net/head.h"
#include "net/net.h"

namespace portcullis::net {
namespace {

const std::string kHead =
    "POST /image HTTP/1.1\r\nHost: pictrs:8080\r\nUser-Agent: Lemmy/0.19.9; +https://a.example\r\n"
    "Accept: */*\r\nAccept-Encoding: gzip\r\nContent-Length: 123456\r\n"
    "Content-Type: multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW\r\n"
    "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-For: 127.0.0.1:42624\r\n\r\n";

void refusing(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(refuse_ambiguous(kHead));
}
BENCHMARK(refusing);

void parsing_a_head(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(parse_head(kHead));
}
BENCHMARK(parsing_a_head);

// Noise like a compressed picture's: a CR every 256 bytes. Compare with what SHA-256 costs on the
// same bytes.
void parsing_multipart(benchmark::State& state) {
  std::string data(4 * 1024 * 1024, '\0');
  std::uint32_t noise = 1;
  for (char& c : data) c = static_cast<char>((noise = noise * 1664525 + 1013904223) >> 24);
  const std::string body =
      "--b\r\nContent-Disposition: form-data; name=\"images[]\"; filename=\"a\"\r\n\r\n" + data +
      "\r\n--b--\r\n";
  for (auto _ : state) {
    std::size_t seen = 0;
    auto parser =
        MultipartParser::create("multipart/form-data; boundary=b", {},
                                {.part_begin = [](const PartHeader&) -> Status { return {}; },
                                 .part_data = [&](ByteView bytes) -> Status {
                                   seen += bytes.size();
                                   return {};
                                 },
                                 .part_end = []() -> Status { return {}; }});
    ByteView rest = as_bytes(body);
    while (!rest.empty()) {
      const auto piece = rest.first(std::min<std::size_t>(rest.size(), 64 * 1024));
      benchmark::DoNotOptimize(parser->feed(piece));
      rest = rest.subspan(piece.size());
    }
    if (seen != data.size()) state.SkipWithError("bytes are missing");
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * data.size()));
}
BENCHMARK(parsing_multipart);

}  // namespace
}  // namespace portcullis::net
