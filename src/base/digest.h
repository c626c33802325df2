// base/digest.h: the digests of an original, computed while its bytes pass by.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace portcullis {

template <std::size_t Size, class Tag>
struct Digest {
  std::array<std::byte, Size> bytes{};

  static constexpr std::size_t kSize = Size;
  auto operator<=>(const Digest&) const = default;
  std::string hex() const { return to_hex(bytes); }
  // Nothing unless the text is exactly Size bytes in hexadecimal.
  static std::optional<Digest> from(std::string_view text) {
    auto raw = from_hex(text);
    if (!raw || raw->size() != Size) return std::nullopt;
    Digest digest;
    std::copy(raw->begin(), raw->end(), digest.bytes.begin());
    return digest;
  }
};

using Sha256 = Digest<32, struct Sha256Tag>;
using Sha1 = Digest<20, struct Sha1Tag>;
using Md5 = Digest<16, struct Md5Tag>;

// What lists of known pictures are keyed by. All three of the same bytes.
struct Digests {
  Sha256 sha256;
  Sha1 sha1;
  Md5 md5;
  bool operator==(const Digests&) const = default;
};

// Feeds on bytes in any portions; finish() once. Not thread-safe.
class DigestsBuilder {
 public:
  DigestsBuilder();
  ~DigestsBuilder();
  DigestsBuilder(DigestsBuilder&&) noexcept;
  DigestsBuilder& operator=(DigestsBuilder&&) noexcept;
  void add(ByteView bytes);
  Digests finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Digests digests_of(ByteView bytes);
Sha256 sha256_of(ByteView bytes);

}  // namespace portcullis

template <std::size_t Size, class Tag>
struct std::hash<portcullis::Digest<Size, Tag>> {
  std::size_t operator()(const portcullis::Digest<Size, Tag>& digest) const noexcept {
    std::size_t value;
    static_assert(sizeof value <= Size);
    std::memcpy(&value, digest.bytes.data(), sizeof value);  // a digest is its own best hash
    return value;
  }
};
