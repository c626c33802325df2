// base/id.h: identifiers nobody can guess, from the kernel's random source.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace portcullis {

// A random UUID, version 4: "f81d4fae-7dec-4d0d-a765-00a0c91e6bf6".
std::string random_uuid();
// `count` random bytes in hexadecimal.
std::string random_hex(std::size_t count);

// Whether a text may be the name of a stored picture: letters, digits, '.', '_' and '-', at most
// 128 of them, and not only dots. Pure.
bool is_alias(std::string_view text);

}  // namespace portcullis
