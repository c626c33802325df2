// fingerprints_of: reads names of picture files, one a line; writes for each a line of what the
// decoder asks lists for: for every fingerprint, the whole picture's first, its quality and its
// eight hashes.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include "decoder/worker/views.h"

namespace decoder = portcullis::decoder;

int main() {
  decoder::start_vips();
  decoder::WireJob job;
  job.formats = 0x1FF;
  job.want_fingerprints = 1;
  job.image = job.animation = job.video = {10'000, 10'000, 40'000'000, 100'000'000, 900};
  for (std::string name; std::getline(std::cin, name);) try {
      std::ifstream file(name, std::ios::binary);
      const std::string text((std::istreambuf_iterator<char>(file)), {});
      const decoder::Done done = decoder::do_job(portcullis::as_bytes(text), job);
      for (const decoder::WireFingerprint& print : done.fingerprints) {
        std::cout << print.quality << ' ';
        for (const auto& pdq : print.pdq) std::cout << portcullis::hash::to_hex(pdq) << ' ';
      }
      std::cout << '\n';
    } catch (const decoder::NotTaken& reason) {
      std::cerr << name << ": " << reason.what << '\n';
      return 1;
    } catch (const std::exception& error) {
      std::cerr << name << ": " << error.what() << '\n';
      return 1;
    }
  return 0;
}
