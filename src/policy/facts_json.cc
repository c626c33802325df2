#include <algorithm>
#include <boost/json/serialize.hpp>
#include <cmath>
#include <limits>

#include "policy/exact_json.h"
#include "policy/policy.h"

namespace portcullis::policy {

namespace {

namespace json = boost::json;

constexpr std::size_t kLongest = 1024 * 1024;

// Length of the UTF-8 sequence at the beginning of `text`, 0 when there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xC2 && first <= 0xDF   ? 2
                             : first >= 0xE0 && first <= 0xEF ? 3
                             : first >= 0xF0 && first <= 0xF4 ? 4
                                                              : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xC0u) != 0x80u) return 0;
  // Too long a form, surrogates, beyond U+10FFFF.
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) ||
      (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F))
    return 0;
  return length;
}

std::string json_text(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0)
      clean += '?';
    else
      clean += text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return json::serialize(json::string_view(clean));
}

std::string scores_json(const std::map<std::string, double>& scores) {
  std::string text;
  for (const auto& [label, score] : scores)
    if (std::isfinite(score))
      text += fmt::format("{}{}:{}", text.empty() ? "" : ",", json_text(label),
                          score + 0.0);  // a minus before zero would not come back
  return "{" + text + "}";
}

// One JSON object, every member of which must be asked for.
class Members {
 public:
  static Result<Members> of(const json::value& value, std::string_view what) {
    const json::object* object = value.if_object();
    if (!object) return fail(Fault::us, "facts: {} must be an object", what);
    return Members(*object);
  }

  bool has(std::string_view key) const {
    return object_->contains(json::string_view(key.data(), key.size()));
  }
  Result<const json::value*> take(std::string_view key) {
    ++taken_;
    const json::value* value = object_->if_contains(json::string_view(key.data(), key.size()));
    if (!value) return fail(Fault::us, "facts: `{}` is missing", key);
    return value;
  }
  Result<std::string> text(std::string_view key) {
    const json::string* text = TRY(take(key))->if_string();
    if (!text) return fail(Fault::us, "facts: `{}` must be a text", key);
    return std::string(text->data(), text->size());
  }
  Result<bool> flag(std::string_view key) {
    const bool* flag = TRY(take(key))->if_bool();
    if (!flag) return fail(Fault::us, "facts: `{}` must be true or false", key);
    return *flag;
  }
  template <class T>
  Result<T> whole(std::string_view key) {
    const json::value* value = TRY(take(key));
    std::uint64_t number = 0;
    if (const std::uint64_t* big = value->if_uint64())
      number = *big;
    else if (const std::int64_t* small = value->if_int64(); small && *small >= 0)
      number = static_cast<std::uint64_t>(*small);
    else
      return fail(Fault::us, "facts: `{}` must be a whole number, 0 or more", key);
    if (number > std::numeric_limits<T>::max())
      return fail(Fault::us, "facts: `{}` is too large", key);
    return static_cast<T>(number);
  }
  // By one of our names, with `from` as the way back.
  template <class T>
  Result<T> named(std::string_view key, std::optional<T> (*from)(std::string_view)) {
    const std::string text = TRY(this->text(key));
    const std::optional<T> value = from(text);
    if (!value) return fail(Fault::us, "facts: `{}` cannot be \"{}\"", key, text);
    return *value;
  }
  Status finish() const {
    if (taken_ != object_->size()) return fail(Fault::us, "facts: there is an unknown member");
    return {};
  }

 private:
  explicit Members(const json::object& object) : object_(&object) {}
  const json::object* object_;
  std::size_t taken_ = 0;
};

Result<std::map<std::string, double>> scores_from(const json::value& value) {
  const json::object* object = value.if_object();
  if (!object) return fail(Fault::us, "facts: `scores` must be an object");
  std::map<std::string, double> scores;
  for (const auto& [label, score] : *object) {
    if (!score.is_number()) return fail(Fault::us, "facts: a score must be a number");
    const double number = score.is_double()  ? score.get_double()
                          : score.is_int64() ? static_cast<double>(score.get_int64())
                                             : static_cast<double>(score.get_uint64());
    scores.emplace(std::string(label.data(), label.size()), number);
  }
  return scores;
}

Result<SignalAnswer> answer_in(const json::value& value) {
  Members members = TRY(Members::of(value, "a signal"));
  SignalAnswer answer;
  answer.answer = TRY(members.named("answer", answer_from));
  answer.exact = TRY(members.flag("exact"));
  answer.scores = TRY(scores_from(*TRY(members.take("scores"))));
  answer.detail = TRY(members.text("detail"));
  TRY(members.finish());
  return answer;
}

}  // namespace

std::string to_json(const Facts& facts) {
  std::string signals;
  for (const auto& [signal, answer] : facts.signals)
    signals += fmt::format(R"({}{}:{{"answer":"{}","exact":{},"scores":{},"detail":{}}})",
                           signals.empty() ? "" : ",", json_text(signal), name(answer.answer),
                           answer.exact, scores_json(answer.scores), json_text(answer.detail));
  return fmt::format(R"({{"sha256":"{}","bytes":{},"format":{},"width":{},"height":{},"frames":{},)"
                     R"("origin":"{}","uploader":"{}","allow_listed":{},"varies_refused":{},)"
                     R"("signals":{{{}}}}})",
                     facts.sha256.hex(), facts.bytes, json_text(facts.format), facts.width,
                     facts.height, facts.frames, name(facts.origin), name(facts.uploader),
                     facts.allow_listed, facts.varies_refused, signals);
}

Result<Facts> facts_from_json(std::string_view text) {
  if (text.size() > kLongest) return fail(Fault::limits, "facts: longer than {} bytes", kLongest);
  const json::value root = TRY(parse_json_exactly(text));
  Members members = TRY(Members::of(root, "the whole"));
  Facts facts;
  const auto sha256 = Sha256::from(TRY(members.text("sha256")));
  if (!sha256) return fail(Fault::us, "facts: `sha256` must be 64 hexadecimal digits");
  facts.sha256 = *sha256;
  facts.bytes = TRY(members.whole<std::uint64_t>("bytes"));
  facts.format = TRY(members.text("format"));
  facts.width = TRY(members.whole<std::uint32_t>("width"));
  facts.height = TRY(members.whole<std::uint32_t>("height"));
  facts.frames = TRY(members.whole<std::uint32_t>("frames"));
  facts.origin = TRY(members.named("origin", origin_from));
  facts.allow_listed = TRY(members.flag("allow_listed"));
  // Not in facts that were recorded before these were known.
  if (members.has("uploader")) facts.uploader = TRY(members.named("uploader", uploader_class_from));
  if (members.has("varies_refused")) facts.varies_refused = TRY(members.flag("varies_refused"));
  const json::object* signals = TRY(members.take("signals"))->if_object();
  if (!signals) return fail(Fault::us, "facts: `signals` must be an object");
  for (const auto& [signal, answer] : *signals)
    facts.signals.emplace(std::string(signal.data(), signal.size()), TRY(answer_in(answer)));
  TRY(members.finish());
  return facts;
}

}  // namespace portcullis::policy
