#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/digest.h"
#include "decoder/worker/pictures.h"

namespace portcullis::decoder {

namespace {

// Raised when the same bytes give other views, fingerprints or renditions by our own doing.
constexpr int kOwnVersion = 4;

// The linker's fingerprint of a library's build, which changes with every rebuild, a security
// update that keeps the version's number included.
void add_build_ids(const dl_phdr_info& object, std::vector<std::string>& ids) {
  for (int i = 0; i < object.dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = object.dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    const auto* notes = reinterpret_cast<const std::byte*>(object.dlpi_addr + header.p_vaddr);
    const auto padded = [](std::size_t size) { return (size + 3) & ~std::size_t{3}; };
    for (std::size_t at = 0; at + sizeof(ElfW(Nhdr)) <= header.p_memsz;) {
      ElfW(Nhdr) note;
      std::memcpy(&note, notes + at, sizeof note);
      const std::size_t name = at + sizeof note, value = name + padded(note.n_namesz);
      at = value + padded(note.n_descsz);
      if (at > header.p_memsz) break;
      if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
          std::memcmp(notes + name, "GNU", 4) == 0)
        ids.push_back(to_hex({notes + value, note.n_descsz}));
    }
  }
}

}  // namespace

std::string versions() {
  std::vector<std::string> ids;
  ::dl_iterate_phdr(
      [](dl_phdr_info* object, std::size_t, void* into) {
        add_build_ids(*object, *static_cast<std::vector<std::string>*>(into));
        return 0;
      },
      &ids);
  std::ranges::sort(ids);
  std::string all;
  for (const std::string& id : ids) all += id + ' ';
  return fmt::format("{} vips-{} builds-{}", kOwnVersion, vips_version_string(),
                     sha256_of(as_bytes(all)).hex().substr(0, 16));
}

}  // namespace portcullis::decoder
