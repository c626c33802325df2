#include "app/keeping.h"

namespace portcullis::app {

namespace {

using evidence::Purpose;

Result<std::optional<evidence::PublicKey>> key_from(const std::string& text, Purpose purpose) {
  if (text.empty()) return std::nullopt;
  auto key = evidence::public_key_from(text, purpose);
  if (!key)
    return fail(Fault::us, "[evidence] {}_key: {}", evidence::name(purpose), key.error().what);
  return *key;
}

}  // namespace

Result<evidence::Keeper::Options> keeper_options(const config::Config& config,
                                                 const DataFolder& data) {
  const config::Evidence& from = config.evidence;
  evidence::Keeper::Options options;
  options.folder = data.evidence();
  options.review = TRY(key_from(from.review_key, Purpose::review));
  options.evidence = TRY(key_from(from.evidence_key, Purpose::evidence));
  options.max_bytes = from.max_bytes;
  options.keep_held = from.keep_held;
  options.keep_preserved = from.keep_preserved;
  options.held_per_uploader = from.held_per_uploader;
  return options;
}

}  // namespace portcullis::app
