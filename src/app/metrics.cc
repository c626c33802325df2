#include "app/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include "app/places.h"

namespace portcullis::app {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

ClientMetric metric(MetricType type, double value, std::vector<ClientMetric::Label> labels = {}) {
  ClientMetric one;
  one.label = std::move(labels);
  (type == MetricType::Counter ? one.counter.value : one.gauge.value) = value;
  return one;
}

MetricFamily family(std::string name, std::string help, MetricType type,
                    std::vector<ClientMetric> values) {
  return {std::move(name), std::move(help), type, std::move(values)};
}

MetricFamily gauge(std::string name, std::string help, double value) {
  return family(std::move(name), std::move(help), MetricType::Gauge,
                {metric(MetricType::Gauge, value)});
}

MetricFamily counter(std::string name, std::string help, double value) {
  return family(std::move(name), std::move(help), MetricType::Counter,
                {metric(MetricType::Counter, value)});
}

bool is_in_state(const Readings& readings, std::string_view name, std::string_view state) {
  return std::ranges::any_of(readings.switches, [&](const store::Switch& value) {
    return value.name == name && value.state == state;
  });
}

std::vector<ClientMetric> switch_states(const Readings& readings) {
  std::vector<ClientMetric> states;
  for (const store::Switch& value : readings.switches)
    states.push_back(metric(MetricType::Gauge, 1, {{"name", value.name}, {"state", value.state}}));
  return states;
}

void add_services(std::vector<MetricFamily>& all, const std::vector<services::Reading>& readings) {
  if (readings.empty()) return;
  std::vector<ClientMetric> pictures, requests, held_back, resting;
  for (const services::Reading& reading : readings) {
    const auto counted = [&](std::uint64_t value, std::string label, std::string word) {
      return metric(MetricType::Counter, static_cast<double>(value),
                    {{"service", reading.service}, {std::move(label), std::move(word)}});
    };
    pictures.push_back(counted(reading.match, "result", "match"));
    pictures.push_back(counted(reading.no_match, "result", "no_match"));
    pictures.push_back(counted(reading.unanswered, "result", "unanswered"));
    held_back.push_back(counted(reading.over_budget, "why", "budget"));
    held_back.push_back(counted(reading.resting, "why", "breaker"));
    requests.push_back(metric(MetricType::Counter, static_cast<double>(reading.requests),
                              {{"service", reading.service}}));
    resting.push_back(
        metric(MetricType::Gauge, reading.is_resting ? 1 : 0, {{"service", reading.service}}));
  }
  all.push_back(family("portcullis_service_pictures_total",
                       "Pictures that an outside service was to tell about, by its answer",
                       MetricType::Counter, std::move(pictures)));
  all.push_back(family("portcullis_service_requests_total", "Requests made to an outside service",
                       MetricType::Counter, std::move(requests)));
  all.push_back(family("portcullis_service_held_back_total",
                       "Pictures that an outside service was not asked about: over its budget, or "
                       "it had failed too often",
                       MetricType::Counter, std::move(held_back)));
  all.push_back(family("portcullis_service_breaker_open",
                       "1 while an outside service is left alone because it failed too often",
                       MetricType::Gauge, std::move(resting)));
}

}  // namespace

std::string metrics_text(const Readings& readings) {
  const media::Counters& media = readings.media;
  const auto result = [](std::string name, std::uint64_t value) {
    return metric(MetricType::Counter, static_cast<double>(value), {{"result", std::move(name)}});
  };
  std::vector<MetricFamily> all = {
      family("portcullis_build_info", "Version of this program", MetricType::Gauge,
             {metric(MetricType::Gauge, 1, {{"version", kVersion}})}),
      family("portcullis_uploads_total", "Uploads by how they ended", MetricType::Counter,
             {result("accepted", media.accepted), result("refused", media.refused),
              result("unanswered", media.unanswered), result("not_taken", media.not_taken),
              result("closed", media.closed), result("failed", media.failed)}),
      counter("portcullis_served_total", "Stored pictures served",
              static_cast<double>(media.served)),
      counter("portcullis_deleted_total", "Aliases deleted", static_cast<double>(media.deleted)),
      counter("portcullis_variants_total", "Sizes and looks of stored pictures made",
              static_cast<double>(media.variants)),
      counter("portcullis_fetched_total", "Remote pictures asked for at their origin",
              static_cast<double>(media.fetched)),
      counter("portcullis_evicted_total",
              "Variants and copies of remote pictures that went unused or made room",
              static_cast<double>(media.evicted)),
      family("portcullis_kept_total", "Refused originals by what became of them",
             MetricType::Counter,
             {result("held", media.held), result("preserved", media.preserved),
              result("not_kept", media.not_kept)}),
      counter("portcullis_pict_rs_failures_total",
              "Requests that the pict-rs behind this gate did not answer, or with 5xx",
              static_cast<double>(media.pict_rs_failures)),
      counter("portcullis_validations_total", "Pictures that another picture server asked about",
              static_cast<double>(media.validations)),
      counter("portcullis_alerts_total", "Alerts for a person", static_cast<double>(media.alerts)),
      gauge("portcullis_spool_bytes", "Bytes of uploads that wait for their verdict",
            static_cast<double>(media.spooled_bytes)),
      gauge("portcullis_connections", "Open connections of the media listener",
            static_cast<double>(readings.connections)),
      gauge("portcullis_uploads_open", "1 while uploads are taken",
            is_in_state(readings, "uploads", "open") ? 1 : 0),
      family("portcullis_switch", "1 for the state that each switch is in", MetricType::Gauge,
             switch_states(readings)),
      gauge("portcullis_problems",
            "Signals, lists and parts that cannot answer; anything but 0 needs an admin",
            static_cast<double>(readings.problems)),
      gauge("portcullis_decoders_ready", "Decoder processes that wait for work",
            static_cast<double>(readings.decoders.ready)),
      gauge("portcullis_decoders_busy", "Decoder processes at work",
            static_cast<double>(readings.decoders.busy)),
      counter("portcullis_decodes_total", "Pictures decoded",
              static_cast<double>(readings.decoders.done)),
      counter("portcullis_decoders_died_total", "Decoder processes that died at work",
              static_cast<double>(readings.decoders.died)),
      counter("portcullis_decoders_timed_out_total",
              "Decoder processes that were killed at their deadline",
              static_cast<double>(readings.decoders.timed_out)),
  };
  add_services(all, readings.services);
  if (readings.stored) {
    all.push_back(gauge("portcullis_evidence_bytes", "Bytes of sealed originals",
                        static_cast<double>(readings.stored->evidence_bytes)));
    all.push_back(gauge("portcullis_evidence_held", "Sealed originals that wait for a moderator",
                        static_cast<double>(readings.stored->held)));
    all.push_back(gauge("portcullis_aliases", "Aliases stored",
                        static_cast<double>(readings.stored->aliases)));
    all.push_back(
        gauge("portcullis_blobs", "Pictures stored", static_cast<double>(readings.stored->blobs)));
    all.push_back(gauge("portcullis_blob_bytes", "Bytes of pictures stored",
                        static_cast<double>(readings.stored->blob_bytes)));
  }
  return prometheus::TextSerializer().Serialize(all);
}

}  // namespace portcullis::app
