// infer/tensor.h: what goes into a model and what comes out, as numbers. Private to this room.
#pragma once

#include "infer/infer.h"

namespace portcullis::infer {

// Values in one picture's tensor, and bytes in its view.
std::size_t tensor_size(const Manifest& manifest);

// Output values as scores, if they can be trusted: as many as labels, all finite and within 0..1 (a
// little beyond is rounding and is cut off).
Result<Scores> checked_scores(std::span<const float> values,
                              const std::vector<std::string>& labels);

}  // namespace portcullis::infer
