// net/parameters.h: "value; name=token; name="quoted"" as Content-Type and Content-Disposition are
// written. Pure. Private.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace portcullis::net {

struct Parameters {
  std::string value;  // before the first ';'
  std::vector<std::pair<std::string, std::string>> named;

  // Names are compared without regard to case.
  std::optional<std::string_view> find(std::string_view name) const;
};

// Nothing when it is malformed or a name occurs twice, because two readers could take different
// ones.
//
// In a quoted string a backslash escapes a quote or a backslash only: browsers send file names with
// backslashes as they are, and quotes as %22, which stays.
std::optional<Parameters> parse_parameters(std::string_view text);

}  // namespace portcullis::net
