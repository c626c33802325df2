#include "services/replies.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

namespace portcullis::services {

namespace {

namespace json = boost::json;

constexpr std::size_t kLongestWord = 64, kMostDetail = 300;

std::string_view view(const json::string& text) { return {text.data(), text.size()}; }

std::unexpected<Error> not_understood(std::string_view what) {
  return fail(Fault::upstream, "its answer cannot be understood: {}", what);
}

// A word of theirs, for our facts: visible ASCII, not too long.
std::string clean(std::string_view text) {
  std::string result(text.substr(0, kLongestWord));
  std::ranges::replace_if(result, [](char c) { return c < ' ' || c > '~'; }, '?');
  return result;
}

Result<json::object> object_in(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return not_understood("it is no JSON");
  if (!value.is_object()) return not_understood("it is no object");
  return std::move(value.get_object());
}

// A member that may be null or a text. An error for anything else, and when it is not there.
Result<std::optional<std::string>> word(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name.data(), name.size()));
  if (!value) return not_understood(fmt::format("{} is missing", name));
  if (value->is_null()) return std::nullopt;
  if (!value->is_string()) return not_understood(fmt::format("{} is no text", name));
  return std::string(view(value->get_string()));
}

constexpr std::string_view kNoKnownMatch = "no-known-match";

// Their class of a picture, as our label. "csam" and "harmful-abusive-material" are known.
std::string label_of(const std::string& classification) {
  return classification == "csam" || classification == "harmful-abusive-material" ? classification
                                                                                  : "other";
}

void add_class(Finding& finding, const std::optional<std::string>& classification) {
  if (!classification || *classification == kNoKnownMatch) return;
  add(finding,
      {.match = true, .labels = {label_of(*classification)}, .detail = clean(*classification)});
}

// {"classification":…,"match_type":…}, as all of Arachnid Shield's answers have it.
Result<Finding> read_classified(const json::object& object) {
  const auto classification = TRY(word(object, "classification"));
  const auto match_type = TRY(word(object, "match_type"));
  Finding finding;
  add_class(finding, classification);
  if (!finding.match && match_type) return not_understood("a match without a classification");
  finding.exact = finding.match && match_type == "exact";
  return finding;
}

// Details name a class each; more can be there than the whole says.
Status add_details(Finding& finding, const json::object& object) {
  const json::value* details = object.if_contains("near_match_details");
  if (!details || details->is_null()) return {};
  const auto add_one = [&](const json::value& value) -> Status {
    if (!value.is_object()) return not_understood("near_match_details");
    const json::object& detail = value.get_object();
    if (detail.if_contains("classification"))
      add_class(finding, TRY(word(detail, "classification")));
    return {};
  };
  if (!details->is_array()) return add_one(*details);
  for (const json::value& value : details->get_array()) TRY(add_one(value));
  return {};
}

}  // namespace

void add(Finding& to, Finding&& more) {
  to.match |= more.match;
  to.exact |= more.exact;
  to.labels.merge(more.labels);
  if (more.detail.empty() || to.detail.contains(more.detail) ||
      to.detail.size() + more.detail.size() > kMostDetail)
    return;
  if (!to.detail.empty()) to.detail += ", ";
  to.detail += more.detail;
}

Result<Finding> read_hma_lookup(std::string_view text) {
  const json::object object = TRY(object_in(text));
  Finding finding;
  for (const auto& [bank, value] : object) {
    const json::array* entries = value.if_array();
    if (!entries) return not_understood("a bank holds no list");
    for (const json::value& entry : *entries)
      if (!entry.is_object() || !entry.get_object().contains("bank_content_id"))
        return not_understood("an entry of a bank");
    if (entries->empty()) continue;
    const std::string_view name(bank.data(), bank.size());
    std::string where = fmt::format("in bank {}", clean(name));
    const json::value* distance = entries->front().get_object().if_contains("distance");
    if (distance && distance->is_string())
      where += fmt::format(" at distance {}", clean(view(distance->get_string())).substr(0, 8));
    add(finding, {.match = true, .labels = {std::string(name)}, .detail = std::move(where)});
  }
  return finding;
}

Result<Finding> read_arachnid_pdq(std::string_view text, const std::vector<std::string>& hashes) {
  const json::object object = TRY(object_in(text));
  const json::value* scanned = object.if_contains("scanned_hashes");
  if (!scanned || !scanned->is_object()) return not_understood("scanned_hashes");
  Finding finding;
  for (const std::string& hash : hashes) {
    const json::value* value = scanned->get_object().if_contains(hash);
    if (!value) return not_understood("a hash is not answered");
    if (value->is_null()) continue;
    if (!value->is_object()) return not_understood("the answer to a hash");
    Finding one = TRY(read_classified(value->get_object()));
    TRY(add_details(one, value->get_object()));
    one.exact = false;  // a perceptual hash says nothing about the very bytes
    add(finding, std::move(one));
  }
  return finding;
}

Result<Finding> read_arachnid_media(std::string_view text) {
  const json::object object = TRY(object_in(text));
  Finding finding = TRY(read_classified(object));
  TRY(add_details(finding, object));
  return finding;
}

Result<Finding> read_photodna_match(std::string_view text) {
  constexpr std::int64_t kFine = 3000, kNoImage = 3206, kSizeOutOfRange = 3208;
  const json::object object = TRY(object_in(text));
  const json::value* status = object.if_contains("Status");
  if (!status || !status->is_object()) return not_understood("Status");
  const json::value* code = status->get_object().if_contains("Code");
  if (!code || !code->is_int64()) return not_understood("Status.Code");
  if (code->get_int64() == kNoImage || code->get_int64() == kSizeOutOfRange)
    return fail(Fault::client, "it cannot judge this picture (code {})", code->get_int64());
  if (code->get_int64() != kFine)
    return fail(Fault::upstream, "it failed (code {})", code->get_int64());
  const json::value* is_match = object.if_contains("IsMatch");
  if (!is_match || !is_match->is_bool()) return not_understood("IsMatch");
  Finding finding;
  finding.match = is_match->get_bool();
  if (!finding.match) return finding;
  // What follows only explains; a match it stays.
  const json::value* details = object.if_contains("MatchDetails");
  const json::value* flags =
      details && details->is_object() ? details->get_object().if_contains("MatchFlags") : nullptr;
  if (!flags || !flags->is_array()) return finding;
  for (const json::value& value : flags->get_array()) {
    if (!value.is_object()) continue;
    const json::value* source = value.get_object().if_contains("Source");
    if (source && source->is_string()) {
      const std::string name = clean(view(source->get_string()));
      if (name == "Test") finding.labels.insert("test");
      add(finding, {.match = true, .labels = {}, .detail = name});
    }
    const json::value* violations = value.get_object().if_contains("Violations");
    if (!violations || !violations->is_array()) continue;
    for (const json::value& violation : violations->get_array()) {
      if (!violation.is_string()) continue;
      const std::string name = clean(view(violation.get_string()));
      static constexpr std::array<std::string_view, 4> kKnown{"A1", "A2", "B1", "B2"};
      if (std::ranges::find(kKnown, name) != kKnown.end()) finding.labels.insert(name);
      add(finding, {.match = true, .labels = {}, .detail = name});
    }
  }
  return finding;
}

}  // namespace portcullis::services
