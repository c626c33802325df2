# portcullis_embed(TARGET FILE HEADER NAME): compiles the bytes of FILE into TARGET as the string_view NAME of
# portcullis::media that HEADER declares. CMake runs again when FILE changes.
function(portcullis_embed target file header name)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} bytes HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  get_filename_component(source ${header} NAME_WE)
  set(source ${CMAKE_BINARY_DIR}/embedded/${source}.cc)
  file(CONFIGURE OUTPUT ${source} @ONLY CONTENT
"#include \"@header@\"

namespace portcullis::media {
namespace {
constexpr char kBytes[] = {@bytes@};
}
extern const std::string_view @name@(kBytes, sizeof kBytes);
}  // namespace portcullis::media
")
  target_sources(${target} PRIVATE ${source})
endfunction()
