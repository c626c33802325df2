#include "media/openapi.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

namespace portcullis::media {
namespace {

TEST(OpenApi, is_the_file_in_docs) {
  std::ifstream file(PORTCULLIS_SOURCE_DIR "/docs/openapi.yaml", std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  EXPECT_TRUE(text.starts_with("openapi: 3.1"));
  EXPECT_EQ(kOpenApi, text);
}

}  // namespace
}  // namespace portcullis::media
