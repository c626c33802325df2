#include <utility>

#include "decoder/worker/libav.h"
#include "decoder/worker/pictures.h"

namespace portcullis::decoder {

namespace {

constexpr const char* kAllowed[] = {
    "VipsForeignLoadJpeg", "VipsForeignLoadPng",  "VipsForeignLoadWebp", "VipsForeignLoadNsgif",
    "VipsForeignLoadHeif", "VipsForeignLoadJxl",  "VipsForeignSaveJpeg", "VipsForeignSavePng",
    "VipsForeignSaveWebp", "VipsForeignSaveCgif", "VipsForeignSaveHeif", "VipsForeignSaveJxl"};

// GLib's own writer asks the terminal for its colours, which a locked-in worker may not; and what a
// library says about a stranger's picture is of no use to an admin.
GLogWriterOutput say_nothing(GLogLevelFlags, const GLogField*, gsize, gpointer) {
  return G_LOG_WRITER_HANDLED;
}

}  // namespace

void start_vips() {
  static bool is_started = false;
  if (std::exchange(is_started, true)) return;
  quiet_libav();
  g_log_set_writer_func(say_nothing, nullptr, nullptr);
  g_log_set_default_handler([](const gchar*, GLogLevelFlags, const gchar*, gpointer) {}, nullptr);
  if (VIPS_INIT("portcullis-decoder") != 0) throw vips::VError();
  vips_concurrency_set(1);
  vips_cache_set_max(0);
  // By class name and not by vips_block_untrusted_set(), which blocks JPEG XL as well.
  vips_operation_block_set("VipsForeign", TRUE);
  for (const char* name : kAllowed) vips_operation_block_set(name, FALSE);
}

}  // namespace portcullis::decoder
