// PhotoDNA Cloud Service: one POST with the original if the service takes such, else one for each
// view of it.
#include "services/protocol.h"

namespace portcullis::services {

namespace {

constexpr std::uint32_t kLeastSide = 160;
constexpr std::uint64_t kMostBytes = 4'000'000;
// PhotoDNA itself looks at a small picture of a fixed shape, so the aspect need not be kept.
constexpr decoder::ViewSize kView{512, 512, 512, 512};

// Of a moving picture, or one with transparency, the service would look at what it likes.
bool takes_original(const scan::Question& question) {
  const image::Seen& seen = *question.seen;
  const bool is_known = seen.format == decoder::Format::jpeg ||
                        seen.format == decoder::Format::png || seen.format == decoder::Format::gif;
  return is_known && seen.frames == 1 && question.pictures->size() == 1 && question.fd >= 0 &&
         question.size <= kMostBytes && seen.width >= kLeastSide && seen.height >= kLeastSide;
}

class PhotoDna final : public Protocol {
 public:
  explicit PhotoDna(const Options& options)
      : headers_{"Ocp-Apim-Subscription-Key: " + options.key} {}

  std::optional<decoder::ViewSize> view() const override { return kView; }

  Result<std::vector<Step>> steps(const scan::Question& question) const override {
    if (!question.seen || !question.pictures || question.pictures->empty())
      return fail(Fault::client, "the picture could not be decoded");
    std::vector<Step> steps;
    if (takes_original(question)) {
      const egress::FilePart file{question.fd, question.size};
      steps.push_back({[this, file, type = decoder::content_type(question.seen->format)] {
                         egress::Request request = post(type);
                         request.file = file;
                         return request;
                       },
                       read});
      return steps;
    }
    for (const decoder::Picture& picture : *question.pictures)
      steps.push_back({[this, &picture] {
                         egress::Request request = post("image/bmp");
                         request.body = bmp(picture);
                         return request;
                       },
                       read});
    return steps;
  }

 private:
  egress::Request post(std::string_view content_type) const {
    egress::Request request{.is_post = true, .target = "/Match", .headers = headers_};
    request.headers.push_back(fmt::format("Content-Type: {}", content_type));
    return request;
  }
  static Result<Finding> read(const egress::Reply& reply) {
    TRY(check_status(reply.status, true));
    return read_photodna_match(reply.body);
  }

  std::vector<std::string> headers_;
};

}  // namespace

std::unique_ptr<Protocol> photodna_protocol(const Options& options) {
  return std::make_unique<PhotoDna>(options);
}

}  // namespace portcullis::services
