#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/bytes.h"
#include "image/image.h"

namespace portcullis::image {

using decoder::Kernel;
using decoder::Operation;

namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

std::unexpected<Error> bad_operation(std::string_view key, std::string_view value) {
  return fail_with(Fault::client, "invalid-process-path", "{}={} is no operation", key, value);
}

// The whole text, or nothing.
template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> side(std::string_view text) {
  const auto value = number<std::uint32_t>(text);
  return value && *value > 0 ? value : std::nullopt;
}

// ImageMagick's filters, by those of libvips that are nearest to them. One that is unknown is the
// default, as pict-rs has it.
Kernel kernel_from(std::string_view name) {
  for (const std::string_view known : {"lanczos", "lanczossharp"})
    if (ascii_equal_ignoring_case(name, known)) return Kernel::lanczos3;
  for (const std::string_view known : {"mitchell", "robidouxsharp"})
    if (ascii_equal_ignoring_case(name, known)) return Kernel::mitchell;
  return Kernel::lanczos2;
}

// "300", "Lanczos.300", ".a10000"
std::optional<Operation> resize(std::string_view text) {
  Operation operation;
  if (const auto dot = text.find('.'); dot != std::string_view::npos) {
    operation.kernel = kernel_from(text.substr(0, dot));
    text.remove_prefix(dot + 1);
    if (text.starts_with('a')) {
      operation.kind = Operation::Kind::fit_area;
      text.remove_prefix(1);
    }
  }
  const auto length = side(text);
  if (!length) return std::nullopt;
  operation.width = *length;
  return operation;
}

std::optional<Operation> crop(std::string_view text) {
  const auto cross = text.find('x');
  if (cross == std::string_view::npos) return std::nullopt;
  const auto width = side(text.substr(0, cross)), height = side(text.substr(cross + 1));
  if (!width || !height || std::max(*width, *height) > decoder::kMaxCropAspect) return std::nullopt;
  return Operation{Operation::Kind::crop, {}, *width, *height, 0};
}

std::optional<Operation> blur(std::string_view text) {
  const auto sigma = number<float>(text);
  if (!sigma || !(*sigma >= 0 && *sigma <= decoder::kMaxBlur)) return std::nullopt;
  return Operation{Operation::Kind::blur, {}, 0, 0, *sigma};
}

std::optional<Operation> thumbnail(std::string_view text) {
  const auto length = side(text);
  if (!length) return std::nullopt;
  return Operation{Operation::Kind::fit, Kernel::lanczos3, *length, 0, 0};
}

bool is_operation(std::string_view key) {
  constexpr std::string_view kKeys[] = {"identity", "thumbnail", "resize", "crop", "blur"};
  return std::ranges::find(kKeys, key) != std::end(kKeys);
}

template <class T>
Status take_limit(const std::string& value, std::optional<T>& limit, std::uint64_t unit = 1) {
  const auto parsed = number<T>(value);
  if (!parsed || *parsed > std::numeric_limits<T>::max() / unit)
    return fail_with(Fault::client, "invalid-query", "a limit that is no number in its range");
  limit = static_cast<T>(*parsed * unit);
  return {};
}

Status take_flag(const std::string& value, bool& flag) {
  if (value != "true" && value != "false")
    return fail_with(Fault::client, "invalid-query", "neither true nor false");
  flag = value == "true";
  return {};
}

std::string text_of(const Operation& one) {
  return fmt::format("{}:{}:{}x{}:{}", static_cast<int>(one.kind), static_cast<int>(one.kernel),
                     one.width, one.height, one.sigma);
}

}  // namespace

Result<std::vector<Operation>> operations_from(const Parameters& parameters) {
  std::vector<Operation> operations;
  for (const auto& [key, value] : parameters) {
    if (key == "identity") continue;
    const auto operation = key == "thumbnail" ? thumbnail(value)
                           : key == "resize"  ? resize(value)
                           : key == "crop"    ? crop(value)
                           : key == "blur"    ? blur(value)
                                              : std::nullopt;
    if (!operation) return bad_operation(key, value);
    operations.push_back(*operation);
    if (operations.size() > decoder::kMaxOperations)
      return fail_with(Fault::client, "invalid-process-path", "more than {} operations",
                       decoder::kMaxOperations);
  }
  return operations;
}

Result<Wishes> wishes_from(const Parameters& parameters) {
  Wishes wishes;
  Parameters operations;
  for (const auto& [key, value] : parameters) {
    if (key == "max_width")
      TRY(take_limit(value, wishes.max_width));
    else if (key == "max_height")
      TRY(take_limit(value, wishes.max_height));
    else if (key == "max_area")
      TRY(take_limit(value, wishes.max_area));
    else if (key == "max_frame_count")
      TRY(take_limit(value, wishes.max_frame_count));
    else if (key == "max_file_size")
      TRY(take_limit(value, wishes.max_file_size, kMiB));
    else if (key == "allow_image")
      TRY(take_flag(value, wishes.allow_image));
    else if (key == "allow_animation")
      TRY(take_flag(value, wishes.allow_animation));
    else if (key == "allow_video")
      TRY(take_flag(value, wishes.allow_video));
    else
      operations.emplace_back(key, value);
  }
  if (!operations.empty()) wishes.operations = TRY(operations_from(operations));
  return wishes;
}

Rules narrowed(const Rules& rules, const Wishes& wishes) {
  Rules result = rules;
  for (decoder::Limits* limits : {&result.image, &result.animation, &result.video}) {
    const auto least = [](auto& limit, const auto& wish) {
      if (wish) limit = std::min<std::remove_reference_t<decltype(limit)>>(limit, *wish);
    };
    least(limits->max_width, wishes.max_width);
    least(limits->max_height, wishes.max_height);
    least(limits->max_area, wishes.max_area);
    least(limits->max_frames, wishes.max_frame_count);
    least(limits->max_file_size, wishes.max_file_size);
  }
  result.allow_image = rules.allow_image && wishes.allow_image;
  result.allow_animation = rules.allow_animation && wishes.allow_animation;
  result.allow_video = rules.allow_video && wishes.allow_video;
  return result;
}

std::optional<Format> variant_format(std::string_view extension) {
  if (extension == "jpg") return Format::jpeg;
  const auto format = decoder::format_from(extension);
  return format && !decoder::is_video(*format) ? format : std::nullopt;
}

Result<Variant> variant_from(std::string_view extension, const Parameters& parameters,
                             const std::vector<std::string>& filters) {
  const auto format = variant_format(extension);
  if (!format)
    return fail_with(Fault::client, "invalid-file-extension", "no picture ends in {}", extension);
  Variant variant;
  Parameters kept;
  for (const auto& [key, value] : parameters) {
    if (!is_operation(key) || std::ranges::find(filters, key) == filters.end()) continue;
    kept.emplace_back(key, value);
    if (key != "identity") variant.key += fmt::format("{}/{}/", key, value);
  }
  variant.rendering.format = *format;
  variant.rendering.operations = TRY(operations_from(kept));
  variant.key += decoder::name(*format);
  return variant;
}

std::string operations(const decoder::Rendering& rendering, std::string_view decoder_version) {
  std::string text;
  for (const Operation& one : rendering.operations) text += text_of(one) + ',';
  if (rendering.format) text += decoder::name(*rendering.format);
  return fmt::format("{};quality={};decoder={}", text, rendering.quality, decoder_version);
}

}  // namespace portcullis::image
