// base/id.h: identifiers nobody can guess, from the kernel's random source.
#pragma once

#include <string>

#include "base/bytes.h"

namespace portcullis {

// A random UUID, version 4: "f81d4fae-7dec-4d0d-a765-00a0c91e6bf6".
std::string random_uuid();
// `count` random bytes in hexadecimal.
std::string random_hex(std::size_t count);

}  // namespace portcullis
