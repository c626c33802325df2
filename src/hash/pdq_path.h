// hash/pdq_path.h: which instructions PDQ is computed with. Private to the room: for pdq.cc, tests
// and benchmarks; everybody else calls pdq_dihedral() of hash.h, which takes the best.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "hash/hash.h"

namespace portcullis::hash {

// One source, compiled several times; every path gives the same bits.
enum class PdqPath : std::uint8_t { portable, avx2, avx512 };
inline constexpr PdqPath kPdqPaths[] = {PdqPath::portable, PdqPath::avx2, PdqPath::avx512};
std::string_view name(PdqPath path);  // "avx2"

// Asks the processor itself, no file and no system call; so also behind the decoder's lock.
bool can_take(PdqPath path);
PdqPath best_pdq_path();

// As pdq_dihedral() of hash.h; the processor must be able to take `path`.
Dihedral pdq_dihedral(std::span<const std::uint8_t> rgb, int width, int height, PdqPath path);

}  // namespace portcullis::hash
