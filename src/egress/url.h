// egress/url.h: where a redirect leads.
#pragma once

#include "egress/egress.h"

namespace portcullis::egress {

// `location` as an answer of `from` named it, relative or not, vetted as parse_url() does it;
// unlike there, spaces and bytes beyond ASCII are encoded first, since servers send them. Pure.
Result<Url> redirected(const Url& from, std::string_view location);

}  // namespace portcullis::egress
