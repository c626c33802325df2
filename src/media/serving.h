// media/serving.h: a stored picture as an answer, with ranges and conditions. Pure. Private to the
// room.
#pragma once

#include "media/hot_files.h"
#include "net/net.h"

namespace portcullis::media {

// 200, 206, 304 or 416. A relayed request is never answered 304.
net::Response serve(const net::Request& request, const StoredPointer& picture, bool relayed,
                    std::chrono::seconds cache_max_age);

// 404 with a picture as its body.
net::Response serve_not_found(const StoredPointer& picture);

}  // namespace portcullis::media
