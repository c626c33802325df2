// app/metrics.h: what GET /metrics on the admin listener says, in Prometheus's text format.
#pragma once

#include <string>

#include "decoder/decoder.h"
#include "media/media.h"
#include "services/services.h"
#include "store/store.h"

namespace portcullis::app {

struct Readings {
  const media::Counters& media;
  decoder::Pool::Health decoders;
  std::size_t connections = 0;
  // As they are now; none while the database cannot be read.
  std::vector<store::Switch> switches = {};
  std::size_t problems = 0;  // signals, lists or parts that cannot answer
  std::vector<services::Reading> services = {};
  std::optional<store::Counts> stored;  // none while the database cannot be read
};

std::string metrics_text(const Readings& readings);

}  // namespace portcullis::app
