#include "app/purge_hook.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "testing/temporary_folder.h"

namespace portcullis::app {
namespace {

TEST(PurgeHook, is_told_every_address_that_showed_what_is_gone) {
  EXPECT_EQ(purge_lines({"a.png"}, {"lemmy.example", "www.lemmy.example"}),
            "https://lemmy.example/pictrs/image/a.png\n"
            "https://www.lemmy.example/pictrs/image/a.png\n"
            "https://lemmy.example/api/v4/image/a.png\n"
            "https://www.lemmy.example/api/v4/image/a.png\n");
  EXPECT_EQ(purge_lines({"a.png"}, {}), "/pictrs/image/a.png\n/api/v4/image/a.png\n");
}

TEST(PurgeHook, runs_an_admin_s_program_with_them) {
  testing::TemporaryFolder folder;
  const auto program = folder.path() / "hook", told = folder.path() / "told";
  std::ofstream(program) << "#!/bin/sh\ncat >> " << told.native() << "\n";
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  {
    PurgeHook hook(program, {"lemmy.example"});
    hook.tell({"a.png"});
    hook.tell({"b.png", "c.png"});
  }
  std::stringstream text;
  text << std::ifstream(told).rdbuf();
  EXPECT_EQ(text.str(), purge_lines({"a.png", "b.png", "c.png"}, {"lemmy.example"}));
}

TEST(PurgeHook, that_is_missing_or_fails_harms_nobody) {
  for (const char* program : {"/nowhere/hook", "/bin/false"}) {
    PurgeHook hook(program, {});
    hook.tell({"a.png"});
  }
}

}  // namespace
}  // namespace portcullis::app
