// app/origin_finder.h: where the picture of an old thumbnail lies, asked of those who know: the
// page that its post links to, and the site where the post was written.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "egress/egress.h"
#include "lemmy/lemmy.h"

namespace portcullis::app {

class OriginFinder {
 public:
  // `hosts`: this site's own, whose pictures are no origins.
  static Result<std::unique_ptr<OriginFinder>> create(const config::Config& config,
                                                      std::vector<std::string> hosts);

  // An http or https address on no host of this site; empty when nobody knows any more. Blocks for
  // at most twice [egress] timeout.
  std::string find(const lemmy::Thumbnail& thumbnail);

 private:
  OriginFinder(std::unique_ptr<egress::Client> pages, std::unique_ptr<egress::Client> activities,
               std::chrono::milliseconds timeout, std::vector<std::string> hosts)
      : pages_(std::move(pages)),
        activities_(std::move(activities)),
        timeout_(timeout),
        hosts_(std::move(hosts)) {}

  bool is_own(const std::string& host) const;
  std::string of_page(const std::string& url);
  std::string of_activity(const std::string& url);
  // What lies there, as far as it matters; empty when it cannot be had.
  std::string text_at(egress::Client& client, const std::string& url);
  std::string vetted(const egress::Url& page, const std::string& image) const;

  std::unique_ptr<egress::Client> pages_, activities_;
  const std::chrono::milliseconds timeout_;
  const std::vector<std::string> hosts_;
};

}  // namespace portcullis::app
