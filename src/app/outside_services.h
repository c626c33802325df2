// app/outside_services.h: the services of [services.NAME], made of the config and of the files or
// variables that hold their credentials.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "config/config.h"
#include "services/services.h"

namespace portcullis::app {

// Reads the credentials; an error never tells them. Blocks.
Result<services::Options> service_options(const config::Service& service);

// What rules may say of each.
std::map<std::string, std::vector<std::string>> service_labels(const config::Config& config);

// Thread-safe.
class OutsideServices {
 public:
  // `clock` must outlive it and all that it makes.
  explicit OutsideServices(const Clock& clock) : clock_(clock) {}

  // Makes those that are new or changed. The others stay, with their counters, budgets and
  // breakers. Blocks.
  void configure(const std::vector<config::Service>& services);

  struct Found {
    std::shared_ptr<services::Service> service;  // null when it could not be made
    std::string why;
  };
  Found find(const std::string& name) const;
  std::vector<services::Reading> readings() const;

 private:
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::shared_ptr<egress::ConfiguredClient> client_;  // null while there is no service
  std::map<std::string, Found> services_;
};

}  // namespace portcullis::app
