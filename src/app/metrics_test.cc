#include "app/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace portcullis::app {
namespace {

using testing::HasSubstr;

TEST(Metrics, say_how_uploads_ended_and_what_is_wrong) {
  media::Counters counters;
  counters.accepted = 3;
  counters.refused = 2;
  Readings readings{.media = counters};
  readings.switches = {{"uploads", "open", "", "", {}, {}}, {"remote", "block", "", "", {}, {}}};
  readings.problems = 1;
  readings.stored = store::Counts{.aliases = 7, .blobs = 6, .blob_bytes = 99};
  const std::string text = metrics_text(readings);
  for (const char* line :
       {"portcullis_uploads_total{result=\"accepted\"} 3",
        "portcullis_uploads_total{result=\"refused\"} 2", "portcullis_uploads_open 1",
        "portcullis_switch{name=\"remote\",state=\"block\"} 1", "portcullis_problems 1",
        "portcullis_aliases 7", "# TYPE portcullis_uploads_total counter"})
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(Metrics, say_how_each_outside_service_does) {
  media::Counters counters;
  EXPECT_THAT(metrics_text({.media = counters}), Not(HasSubstr("portcullis_service_")));
  Readings readings{.media = counters};
  readings.services = {{.service = "shield",
                        .match = 1,
                        .no_match = 2,
                        .unanswered = 3,
                        .requests = 4,
                        .over_budget = 5,
                        .resting = 6,
                        .is_resting = true},
                       {.service = "hma"}};
  const std::string text = metrics_text(readings);
  for (const char* line :
       {"portcullis_service_pictures_total{service=\"shield\",result=\"match\"} 1",
        "portcullis_service_pictures_total{service=\"shield\",result=\"no_match\"} 2",
        "portcullis_service_pictures_total{service=\"shield\",result=\"unanswered\"} 3",
        "portcullis_service_requests_total{service=\"shield\"} 4",
        "portcullis_service_held_back_total{service=\"shield\",why=\"budget\"} 5",
        "portcullis_service_held_back_total{service=\"shield\",why=\"breaker\"} 6",
        "portcullis_service_breaker_open{service=\"shield\"} 1",
        "portcullis_service_breaker_open{service=\"hma\"} 0"})
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(Metrics, leave_out_what_the_database_cannot_tell) {
  media::Counters counters;
  EXPECT_THAT(metrics_text({.media = counters}), Not(HasSubstr("portcullis_aliases")));
}

}  // namespace
}  // namespace portcullis::app
