// hasher-matcher-actioner: one GET for each hash.
#include "services/protocol.h"

namespace portcullis::services {

namespace {

// Percent-encodes all but unreserved characters (RFC 3986 §2.3).
std::string encoded(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain)
      result += c;
    else
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

class Hma final : public Protocol {
 public:
  explicit Hma(const Options& options) : options_(options), headers_(authorization(options)) {
    std::string names;
    for (const std::string& bank : options.banks)
      names += (names.empty() ? "" : ",") + encoded(bank);
    if (!names.empty()) banks_ = "&banks=" + names;
  }

  Result<std::vector<Step>> steps(const scan::Question& question) const override {
    std::vector<Step> steps;
    for (const hash::PdqHash& hash : TRY(hashes_to_ask(question, options_)))
      steps.push_back({[this, hash] {
                         return egress::Request{
                             .target = fmt::format("/m/lookup?signal={}&signal_type=pdq{}",
                                                   to_hex(hash), banks_),
                             .headers = headers_};
                       },
                       [](const egress::Reply& reply) -> Result<Finding> {
                         TRY(check_status(reply.status, false));  // 503: its index is not ready
                         return read_hma_lookup(reply.body);
                       }});
    return steps;
  }
  std::optional<egress::Request> probe() const override {
    return egress::Request{.target = "/status", .headers = headers_};
  }

 private:
  const Options& options_;
  std::vector<std::string> headers_;
  std::string banks_;
};

}  // namespace

std::unique_ptr<Protocol> hma_protocol(const Options& options) {
  return std::make_unique<Hma>(options);
}

}  // namespace portcullis::services
