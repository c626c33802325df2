// services/protocol.h: what is sent to one kind of service, and how its replies are read. Private
// to the room.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/replies.h"
#include "services/services.h"

namespace portcullis::services {

// One request about a picture, made when its turn comes.
struct Step {
  std::function<egress::Request()> request;
  std::function<Result<Finding>(const egress::Reply&)> read;
};

// Immutable.
class Protocol {
 public:
  virtual ~Protocol() = default;
  // All that must be asked about a picture. An error says why it cannot be asked about: unanswered.
  // None: nothing of that kind can be known, so there is no match. What the question refers to must
  // outlive the steps.
  virtual Result<std::vector<Step>> steps(const scan::Question& question) const = 0;
  virtual std::optional<decoder::ViewSize> view() const { return std::nullopt; }
  // A request that only asks how the service does; none: connecting must do.
  virtual std::optional<egress::Request> probe() const { return std::nullopt; }
};

std::unique_ptr<Protocol> hma_protocol(const Options& options);
std::unique_ptr<Protocol> arachnid_protocol(const Options& options);
std::unique_ptr<Protocol> photodna_protocol(const Options& options);
std::unique_ptr<Protocol> http_protocol(const Options& options);

// The distinct hashes of what was decoded, turned and mirrored if asked for. Those of too low a
// quality are left out, as they must not match anything (detection.md §1.4).
Result<std::vector<hash::PdqHash>> hashes_to_ask(const scan::Question& question,
                                                 const Options& options);

// Nothing, or what a status other than 200 means. `is_about_a_picture`: bytes were sent, so a
// refusal of the request may be because of them.
Status check_status(int status, bool is_about_a_picture);

// The original's bytes as a POST's body.
Result<egress::FilePart> original_of(const scan::Question& question);

// "Name: value" with whatever credentials there are; empty without any.
std::vector<std::string> authorization(const Options& options);

std::string base64(ByteView bytes);

// 24 bits a pixel, uncompressed.
std::string bmp(const decoder::Picture& picture);

}  // namespace portcullis::services
