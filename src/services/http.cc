// Whatever takes a picture and answers with a status.
#include <algorithm>

#include "services/protocol.h"

namespace portcullis::services {

namespace {

class Http final : public Protocol {
 public:
  explicit Http(const Options& options)
      : headers_(authorization(options)), match_statuses_(options.match_statuses) {}

  Result<std::vector<Step>> steps(const scan::Question& question) const override {
    const egress::FilePart file = TRY(original_of(question));
    std::vector<std::string> headers = headers_;
    headers.push_back(
        fmt::format("Content-Type: {}", question.seen ? decoder::content_type(question.seen->format)
                                                      : "application/octet-stream"));
    std::vector<Step> steps;
    steps.push_back({[file, headers] {
                       return egress::Request{.is_post = true, .headers = headers, .file = file};
                     },
                     [this](const egress::Reply& reply) { return read(reply.status); }});
    return steps;
  }

 private:
  Result<Finding> read(int status) const {
    if (status >= 200 && status <= 299) return Finding();
    if (std::ranges::find(match_statuses_, status) != match_statuses_.end())
      return Finding{.match = true, .labels = {}, .detail = fmt::format("status {}", status)};
    TRY(check_status(status, true));
    return fail(Fault::upstream, "status {}", status);
  }

  std::vector<std::string> headers_;
  std::vector<int> match_statuses_;
};

}  // namespace

std::unique_ptr<Protocol> http_protocol(const Options& options) {
  return std::make_unique<Http>(options);
}

}  // namespace portcullis::services
