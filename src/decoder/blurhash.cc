#include "decoder/blurhash.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "base/result.h"

namespace portcullis::decoder {

namespace {

constexpr std::string_view kDigits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";
static_assert(kDigits.size() == 83);

using Colour = std::array<double, 3>;  // linear light, 0..1

double linear(std::byte channel) {
  const double value = std::to_integer<int>(channel) / 255.0;
  return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
}

int srgb(double value) {
  value = std::clamp(value, 0.0, 1.0);
  const double encoded =
      value <= 0.0031308 ? value * 12.92 : 1.055 * std::pow(value, 1 / 2.4) - 0.055;
  return static_cast<int>(encoded * 255 + 0.5);
}

void append(std::string& text, int value, int digits) {
  int divisor = 1;
  for (int i = 1; i < digits; ++i) divisor *= 83;
  for (; divisor > 0; divisor /= 83)
    text += kDigits[static_cast<std::size_t>(value / divisor % 83)];
}

// The mean of the picture times a cosine in each direction.
Colour component(const std::vector<Colour>& pixels, int width, int height, int across, int down) {
  Colour sum{};
  for (int y = 0; y < height; ++y) {
    const double row = std::cos(std::numbers::pi * down * y / height);
    for (int x = 0; x < width; ++x) {
      const double weight = row * std::cos(std::numbers::pi * across * x / width);
      const Colour& pixel = pixels[static_cast<std::size_t>(y) * static_cast<std::size_t>(width) +
                                   static_cast<std::size_t>(x)];
      for (std::size_t c = 0; c < 3; ++c) sum[c] += weight * pixel[c];
    }
  }
  const double scale = (across == 0 && down == 0 ? 1.0 : 2.0) / (double(width) * height);
  for (double& value : sum) value *= scale;
  return sum;
}

int quantised(double value, double greatest) {
  const double share = value / greatest;
  const double root = std::copysign(std::sqrt(std::abs(share)), share);
  return std::clamp(static_cast<int>(std::floor(root * 9 + 9.5)), 0, 18);
}

}  // namespace

std::string blurhash(ByteView rgb, int width, int height) {
  PORTCULLIS_CHECK(width > 0 && height > 0 &&
                   rgb.size() == std::size_t(width) * std::size_t(height) * 3);
  std::array<double, 256> table{};
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = linear(std::byte(i));
  std::vector<Colour> pixels(rgb.size() / 3);
  for (std::size_t i = 0; i < rgb.size(); ++i)
    pixels[i / 3][i % 3] = table[std::to_integer<std::size_t>(rgb[i])];

  const int across = width >= height ? 4 : 3, down = width >= height ? 3 : 4;
  std::vector<Colour> components;
  for (int y = 0; y < down; ++y)
    for (int x = 0; x < across; ++x) components.push_back(component(pixels, width, height, x, y));

  double greatest = 0;
  for (std::size_t i = 1; i < components.size(); ++i)
    for (const double value : components[i]) greatest = std::max(greatest, std::abs(value));
  const int scale = std::clamp(static_cast<int>(std::floor(greatest * 166 - 0.5)), 0, 82);

  std::string text;
  append(text, across - 1 + (down - 1) * 9, 1);
  append(text, scale, 1);
  const Colour& mean = components.front();
  append(text, (srgb(mean[0]) << 16) + (srgb(mean[1]) << 8) + srgb(mean[2]), 4);
  for (std::size_t i = 1; i < components.size(); ++i) {
    int value = 0;
    for (const double channel : components[i])
      value = value * 19 + quantised(channel, (scale + 1) / 166.0);
    append(text, value, 2);
  }
  return text;
}

bool is_blurhash(std::string_view text) {
  if (text.size() < 6 || text.find_first_not_of(kDigits) != std::string_view::npos) return false;
  const std::size_t flags = kDigits.find(text.front());
  if (flags >= 81) return false;
  return text.size() == 4 + 2 * (flags % 9 + 1) * (flags / 9 + 1);
}

}  // namespace portcullis::decoder
