// A stranger's film is taken out of its container and put into a new one, or refused; every frame
// of what is taken can be decoded or is refused.
#include "decoder/worker/video.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace portcullis;
  using namespace portcullis::decoder;
  static const bool started = (start_vips(), true);
  (void)started;
  const ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  VideoRules rules;
  rules.limits = {640, 640, 100'000, 1u << 20, 30};
  rules.allow_audio = true;
  for (const Container container : {Container::mp4, Container::webm}) try {
      const Video video = rebuild_video(bytes, container, rules);
      each_frame(video, [&](const AVFrame& frame, std::int64_t) {
        (void)picture_of(frame, video.turn);
        return true;
      });
    } catch (const NotTaken&) {
    }
  return 0;
}
