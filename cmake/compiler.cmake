# Flags that every target shares. clang-19 is required: see docs/adr/001-clang-and-coroutines.md.
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_LESS 19)
  message(FATAL_ERROR "Portcullis is built with clang 19 or newer (run tools/setup, then use a preset of CMakePresets.json)")
endif()

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Debug)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
endif()

add_compile_options(
  -Wall -Wextra -Wpedantic -Wnon-virtual-dtor -Wimplicit-fallthrough
  -Wno-missing-designated-field-initializers -Wno-gnu-statement-expression   # TRY and CO_TRY of base/result.h
  -fno-omit-frame-pointer -fPIE -pthread
  -Xclang -fno-pch-timestamp)
if(DEFINED ENV{CI})
  add_compile_options(-Werror)
endif()
add_link_options(-fuse-ld=lld -pie)
add_compile_definitions(
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_VISIBILITY)

if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_options(-gline-tables-only)
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
else()
  add_compile_options(-fstack-protector-strong -fstack-clash-protection -fcf-protection)
  add_compile_definitions(_FORTIFY_SOURCE=2 _GLIBCXX_ASSERTIONS)
  add_link_options(-Wl,-z,relro,-z,now)
endif()

if(PORTCULLIS_SANITIZE)
  add_compile_options(-fsanitize=${PORTCULLIS_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PORTCULLIS_SANITIZE})
endif()
if(PORTCULLIS_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(PORTCULLIS_COVERAGE)
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()
