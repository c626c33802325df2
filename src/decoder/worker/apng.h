// decoder/worker/apng.h: animated PNG, decoded and made by libav.
#pragma once

#include "decoder/apng_chunks.h"
#include "decoder/worker/pictures.h"

namespace portcullis::decoder {

// All frames as they are shown, with what each leaves of the one before. A picture that stands in
// the file for programs that know no animations is not among them and is not kept. 16 bits become
// eight. Throws NotTaken.
Frames decode_apng(const Apng& apng);

// The pixels, delays and plays of `frames`, of 8 bits, and nothing else.
Bytes encode_apng(const Frames& frames);

}  // namespace portcullis::decoder
