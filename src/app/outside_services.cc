#include "app/outside_services.h"

#include <cstdlib>

#include "base/fd.h"

namespace portcullis::app {

namespace {

constexpr std::uint64_t kLongestSecret = 4'096;

// Empty when neither is given.
Result<std::string> secret(const std::filesystem::path& file, const std::string& variable) {
  if (!file.empty()) {
    const Bytes bytes = TRY(read_file(file.string(), kLongestSecret));
    const std::string_view text = trim(as_text(bytes));
    if (text.empty()) return fail(Fault::us, "{} is empty", file.string());
    return std::string(text);
  }
  if (variable.empty()) return std::string();
  const char* value = std::getenv(variable.c_str());
  if (!value || !*value) return fail(Fault::us, "there is no variable {}", variable);
  return std::string(value);
}

services::Type type_of(const config::Service& service) {
  const auto type = services::type_from(service.type);
  PORTCULLIS_CHECK(type.has_value());  // config lets nothing else through
  return *type;
}

services::Mode mode_of(const config::Service& service) {
  const services::Type type = type_of(service);
  const bool can_hash = type == services::Type::hma || type == services::Type::arachnid;
  return can_hash && service.mode != "media" ? services::Mode::hash : services::Mode::media;
}

}  // namespace

Result<services::Options> service_options(const config::Service& service) {
  const auto read = [&](const std::filesystem::path& file,
                        const std::string& variable) -> Result<std::string> {
    auto text = secret(file, variable);
    if (!text) return fail(Fault::us, "service {}: {}", service.name, text.error().what);
    return text;
  };
  return services::Options{
      .name = service.name,
      .type = type_of(service),
      .mode = mode_of(service),
      .url = service.url,
      .user = service.user,
      .password = TRY(read(service.password_file, service.password_env)),
      .key = TRY(read(service.key_file, service.key_env)),
      .banks = service.banks,
      .match_statuses = {service.match_statuses.begin(), service.match_statuses.end()},
      .turned = service.turned,
      .max_hashes = service.max_hashes,
      .timeout = service.timeout,
      .max_at_once = service.max_at_once,
      .per_minute = service.per_minute,
      .failures = service.failures,
      .rest = service.rest,
      .keep_match = service.keep_match,
      .keep_no_match = service.keep_no_match};
}

std::map<std::string, std::vector<std::string>> service_labels(const config::Config& config) {
  std::map<std::string, std::vector<std::string>> labels;
  for (const config::Service& service : config.services)
    labels[service.name] = services::labels(type_of(service), service.banks);
  return labels;
}

void OutsideServices::configure(const std::vector<config::Service>& services) {
  const std::scoped_lock lock(mutex_);
  std::map<std::string, Found> old = std::exchange(services_, {});
  for (const config::Service& service : services) {
    Found& slot = services_[service.name];
    auto options = service_options(service);
    if (!options) {
      slot.why = options.error().what;
      continue;
    }
    const auto before = old.find(service.name);
    if (before != old.end() && before->second.service &&
        before->second.service->options() == *options) {
      slot = before->second;
      continue;
    }
    if (!client_) {
      auto client = egress::ConfiguredClient::create({});
      if (!client) {
        slot.why = client.error().what;
        continue;
      }
      client_ = *std::move(client);
    }
    auto made = services::Service::create(*std::move(options), client_, clock_);
    if (made)
      slot.service = *std::move(made);
    else
      slot.why = made.error().what;
  }
}

OutsideServices::Found OutsideServices::find(const std::string& name) const {
  const std::scoped_lock lock(mutex_);
  const auto found = services_.find(name);
  return found == services_.end() ? Found{nullptr, "it is not configured"} : found->second;
}

std::vector<services::Reading> OutsideServices::readings() const {
  const std::scoped_lock lock(mutex_);
  std::vector<services::Reading> readings;
  for (const auto& [name, found] : services_)
    if (found.service) readings.push_back(found.service->reading());
  return readings;
}

}  // namespace portcullis::app
