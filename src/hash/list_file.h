// hash/list_file.h: a list file whose index is not what its size asks for, for tests. Private.
#pragma once

#include "hash/near_index.h"

namespace portcullis::hash {

// The public write_list() chooses the slots.
Status write_list(ListEntries entries, std::optional<Slots> slots, int fd);

}  // namespace portcullis::hash
