#include <algorithm>
#include <cmath>

#include "decoder/decoder.h"

namespace portcullis::decoder {

namespace {

std::uint32_t scaled(std::uint32_t length, double factor) {
  return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(std::lround(length * factor)));
}

// A side rounded up can be a pixel over the bound.
Size fit(Size size, std::uint32_t side) {
  const std::uint32_t longer = std::max(size.width, size.height);
  if (side == 0 || longer <= side) return size;
  const double factor = static_cast<double>(side) / longer;
  return {std::min(side, scaled(size.width, factor)), std::min(side, scaled(size.height, factor))};
}

Size fit_area(Size size, std::uint32_t area) {
  const double pixels = static_cast<double>(size.width) * size.height;
  if (area == 0 || pixels <= area) return size;
  const double factor = std::sqrt(area / pixels);
  const auto floored = [factor](std::uint32_t length) {
    return std::max<std::uint32_t>(1, static_cast<std::uint32_t>(length * factor));
  };
  return {floored(size.width), floored(size.height)};
}

Size crop(Size size, std::uint32_t across, std::uint32_t down) {
  const std::uint64_t width = std::uint64_t{size.height} * across / down,
                      height = std::uint64_t{size.width} * down / across;
  return {static_cast<std::uint32_t>(std::clamp<std::uint64_t>(width, 1, size.width)),
          static_cast<std::uint32_t>(std::clamp<std::uint64_t>(height, 1, size.height))};
}

}  // namespace

Size size_after(const std::vector<Operation>& operations, Size size) {
  for (const Operation& one : operations) switch (one.kind) {
      case Operation::Kind::fit:
        size = fit(size, one.width);
        break;
      case Operation::Kind::fit_area:
        size = fit_area(size, one.width);
        break;
      case Operation::Kind::crop:
        size = crop(size, one.width, one.height);
        break;
      case Operation::Kind::blur:
        break;
    }
  return size;
}

}  // namespace portcullis::decoder
