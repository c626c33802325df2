#include "services/protocol.h"

#include <sodium.h>

#include <set>

namespace portcullis::services {

namespace {

void append_little_endian(std::string& to, std::uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> (8 * i) & 0xFF);
}

}  // namespace

Result<std::vector<hash::PdqHash>> hashes_to_ask(const scan::Question& question,
                                                 const Options& options) {
  if (!question.fingerprints)
    return fail(Fault::client, "the picture could not be decoded for a perceptual hash");
  std::set<hash::PdqHash> distinct;
  for (const hash::Dihedral& print : *question.fingerprints) {
    if (print.quality < hash::kMinQuality) continue;
    for (std::size_t i = 0; i < (options.turned ? print.pdq.size() : 1); ++i)
      distinct.insert(print.pdq[i]);
    if (distinct.size() > options.max_hashes)
      return fail(Fault::client,
                  "the picture has more different frames than may be asked about (max_hashes)");
  }
  return std::vector<hash::PdqHash>(distinct.begin(), distinct.end());
}

Status check_status(int status, bool is_about_a_picture) {
  if (status == 200) return {};
  const bool is_refused = status == 401 || status == 403 || status == 404 || status == 407 ||
                          status == 408 || status == 429;
  if (is_about_a_picture && status >= 400 && status <= 499 && !is_refused)
    return fail(Fault::client, "it cannot judge this picture (status {})", status);
  return fail(Fault::upstream, "it failed (status {})", status);
}

Result<egress::FilePart> original_of(const scan::Question& question) {
  if (question.fd < 0) return fail(Fault::client, "the picture's bytes are not at hand");
  return egress::FilePart{question.fd, question.size};
}

std::vector<std::string> authorization(const Options& options) {
  if (!options.key.empty()) return {"Authorization: Bearer " + options.key};
  if (options.user.empty() && options.password.empty()) return {};
  return {"Authorization: Basic " + base64(as_bytes(options.user + ':' + options.password))};
}

std::string base64(ByteView bytes) {
  std::string text(sodium_base64_ENCODED_LEN(bytes.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  ::sodium_bin2base64(text.data(), text.size(),
                      reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                      sodium_base64_VARIANT_ORIGINAL);
  text.pop_back();  // its NUL
  return text;
}

// Rows from the bottom up, each a multiple of 4 bytes long, blue first.
std::string bmp(const decoder::Picture& picture) {
  constexpr std::uint32_t kHead = 54, kInfo = 40;
  const std::size_t row = std::size_t{picture.width} * 3, padded = (row + 3) / 4 * 4;
  const std::size_t size = kHead + padded * picture.height;
  std::string file;
  file.reserve(size);
  file += "BM";
  append_little_endian(file, static_cast<std::uint32_t>(size), 4);
  append_little_endian(file, 0, 4);
  append_little_endian(file, kHead, 4);
  append_little_endian(file, kInfo, 4);
  append_little_endian(file, picture.width, 4);
  append_little_endian(file, picture.height, 4);
  append_little_endian(file, 1, 2);   // planes
  append_little_endian(file, 24, 2);  // bits a pixel
  append_little_endian(file, 0, 4);   // uncompressed
  append_little_endian(file, static_cast<std::uint32_t>(padded * picture.height), 4);
  for (int i = 0; i < 2; ++i) append_little_endian(file, 2'835, 4);  // pixels a metre
  for (int i = 0; i < 2; ++i) append_little_endian(file, 0, 4);      // no palette
  for (std::uint32_t y = picture.height; y-- > 0;) {
    for (std::size_t x = 0; x < row; x += 3)
      for (const std::size_t channel : {2, 1, 0})
        file += static_cast<char>(picture.rgb[y * row + x + channel]);
    file.append(padded - row, '\0');
  }
  return file;
}

}  // namespace portcullis::services
