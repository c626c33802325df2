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
  readings.uploads_open = true;
  readings.problems = 1;
  readings.stored = store::Counts{.aliases = 7, .blobs = 6, .blob_bytes = 99};
  const std::string text = metrics_text(readings);
  for (const char* line :
       {"portcullis_uploads_total{result=\"accepted\"} 3",
        "portcullis_uploads_total{result=\"refused\"} 2", "portcullis_uploads_open 1",
        "portcullis_problems 1", "portcullis_aliases 7", "# TYPE portcullis_uploads_total counter"})
    EXPECT_THAT(text, HasSubstr(line));
}

TEST(Metrics, leave_out_what_the_database_cannot_tell) {
  media::Counters counters;
  EXPECT_THAT(metrics_text({.media = counters}), Not(HasSubstr("portcullis_aliases")));
}

}  // namespace
}  // namespace portcullis::app
