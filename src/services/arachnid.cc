// Project Arachnid Shield: one POST with all hashes, or one with the original.
#include "services/protocol.h"

namespace portcullis::services {

namespace {

// The service's limit on hashes in a request is not published; so many it takes surely.
constexpr std::size_t kHashesARequest = 64;

std::string base64_of(const hash::PdqHash& hash) {
  // Byte order as in the hexadecimal form, the highest bit first.
  const auto bytes = from_hex(to_hex(hash));
  PORTCULLIS_CHECK(bytes.has_value());
  return base64(*bytes);
}

class ArachnidHashes final : public Protocol {
 public:
  explicit ArachnidHashes(const Options& options)
      : options_(options), headers_(authorization(options)) {
    headers_.emplace_back("Content-Type: application/json");
  }

  Result<std::vector<Step>> steps(const scan::Question& question) const override {
    std::vector<Step> steps;
    std::vector<std::string> batch;
    const auto flush = [&] {
      if (!batch.empty()) steps.push_back(step(std::exchange(batch, {})));
    };
    for (const hash::PdqHash& hash : TRY(hashes_to_ask(question, options_))) {
      batch.push_back(base64_of(hash));
      if (batch.size() == kHashesARequest) flush();
    }
    flush();
    return steps;
  }

 private:
  Step step(std::vector<std::string> hashes) const {
    return {[this, hashes] {
              return egress::Request{
                  .is_post = true,
                  .target = "/v1/pdq/",
                  .headers = headers_,
                  .body = fmt::format(R"({{"hashes":["{}"]}})", fmt::join(hashes, R"(",")"))};
            },
            [hashes](const egress::Reply& reply) -> Result<Finding> {
              TRY(check_status(reply.status, false));
              return read_arachnid_pdq(reply.body, hashes);
            }};
  }

  const Options& options_;
  std::vector<std::string> headers_;
};

class ArachnidMedia final : public Protocol {
 public:
  explicit ArachnidMedia(const Options& options) : headers_(authorization(options)) {}

  Result<std::vector<Step>> steps(const scan::Question& question) const override {
    const egress::FilePart file = TRY(original_of(question));
    if (!question.seen)
      return fail(Fault::client, "the picture could not be decoded, so its type is not known");
    std::vector<std::string> headers = headers_;
    headers.push_back(
        fmt::format("Content-Type: {}", decoder::content_type(question.seen->format)));
    std::vector<Step> steps;
    steps.push_back(
        {[file, headers] {
           return egress::Request{
               .is_post = true, .target = "/v1/media/", .headers = headers, .file = file};
         },
         [](const egress::Reply& reply) -> Result<Finding> {
           TRY(check_status(reply.status, true));
           return read_arachnid_media(reply.body);
         }});
    return steps;
  }

 private:
  std::vector<std::string> headers_;
};

}  // namespace

std::unique_ptr<Protocol> arachnid_protocol(const Options& options) {
  if (options.mode == Mode::media) return std::make_unique<ArachnidMedia>(options);
  return std::make_unique<ArachnidHashes>(options);
}

}  // namespace portcullis::services
