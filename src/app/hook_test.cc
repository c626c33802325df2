#include "app/hook.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "testing/temporary_folder.h"

namespace portcullis::app {
namespace {

TEST(Hook, is_told_every_address_that_showed_what_is_gone) {
  EXPECT_EQ(purge_lines({"a.png"}, {"lemmy.example", "www.lemmy.example"}),
            "https://lemmy.example/pictrs/image/a.png\n"
            "https://www.lemmy.example/pictrs/image/a.png\n"
            "https://lemmy.example/api/v4/image/a.png\n"
            "https://www.lemmy.example/api/v4/image/a.png\n");
  EXPECT_EQ(purge_lines({"a.png"}, {}), "/pictrs/image/a.png\n/api/v4/image/a.png\n");
}

TEST(Hook, is_told_alerts_as_json) {
  EXPECT_EQ(alert_line(WallTime{}, "verdict", "a \"quoted\"\nline"),
            R"({"when":"1970-01-01T00:00:00.000000Z","what":"verdict","text":"a \"quoted\"\nline"})"
            "\n");
}

TEST(Hook, runs_an_admin_s_program_with_them) {
  testing::TemporaryFolder folder;
  const auto program = folder.path() / "hook", told = folder.path() / "told";
  std::ofstream(program) << "#!/bin/sh\ncat >> " << told.native() << "\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  {
    Hook hook("test", program);
    hook.tell("a\n");
    hook.tell("b\nc\n");
  }
  std::stringstream text;
  text << std::ifstream(told).rdbuf();
  EXPECT_EQ(text.str(), "a\nb\nc\n");
}

TEST(Hook, that_is_missing_or_fails_harms_nobody) {
  for (const char* program : {"/nowhere/hook", "/bin/false"}) {
    Hook hook("test", program);
    hook.tell("a\n");
  }
}

}  // namespace
}  // namespace portcullis::app
