#include <cstdio>

#include "app/commands.h"
#include "app/gate.h"

namespace portcullis::app {

Result<int> serve_command(const std::string& config) {
  static const SystemClock clock;
  auto gate = TRY(Gate::create(TRY(find_config(config)), clock));
  const std::string media = fmt::format(
      "http://{}{}", gate->media_address().text(),
      gate->config().listen.media_prefix.empty() ? "/" : gate->config().listen.media_prefix);
  std::printf(
      "Portcullis %s\n"
      "  media    %s   (Lemmy's pictrs.url)\n"
      "  admin    http://%s/metrics\n",
      kVersion, media.c_str(), gate->admin_address().text().c_str());
  if (const auto validator = gate->validator_address())
    std::printf("  validate http://%s/SECRET/validate   (pict-rs's media.external_validation)\n",
                validator->text().c_str());
  for (const std::string& problem : gate->problems())
    std::printf("  PROBLEM  %s\n           Uploads are refused until this is mended.\n",
                problem.c_str());
  std::printf(
      "Try it:\n"
      "  curl -F 'images[]=@photo.jpg' %simage\n"
      "  curl -o back.jpg %simage/original/ALIAS     (ALIAS is \"file\" in the answer)\n",
      media.c_str(), media.c_str());
  std::fflush(stdout);
  TRY(gate->run());
  return 0;
}

}  // namespace portcullis::app
