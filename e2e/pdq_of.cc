// pdq_of: reads pictures from standard input, each as width and height (32 bits, little-endian) and
// width * height * 3 bytes of RGB; writes a line for each: quality and the eight hashes.
#include <cstdio>

#include "hash/hash.h"

int main() {
  std::array<std::uint32_t, 2> size;
  while (std::fread(size.data(), sizeof size, 1, stdin) == 1) {
    std::vector<std::uint8_t> rgb(std::size_t{size[0]} * size[1] * 3);
    if (std::fread(rgb.data(), 1, rgb.size(), stdin) != rgb.size()) {
      std::fputs("pdq_of: the picture is shorter than its size says\n", stderr);
      return 1;
    }
    const auto dihedral =
        portcullis::hash::pdq_dihedral(rgb, static_cast<int>(size[0]), static_cast<int>(size[1]));
    std::printf("%d", dihedral.quality);
    for (const auto& pdq : dihedral.pdq) std::printf(" %s", portcullis::hash::to_hex(pdq).c_str());
    std::puts("");
  }
  return 0;
}
