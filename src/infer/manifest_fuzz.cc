// A manifest is a manifest or an error, whatever the text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "infer/parse_manifest.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto manifest = portcullis::infer::parse_manifest(text, "model.toml");
  if (manifest && (manifest->file.find('/') != std::string::npos || manifest->labels.empty()))
    std::abort();
  return 0;
}
