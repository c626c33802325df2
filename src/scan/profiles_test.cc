// The shipped profiles beside the shipped models: policy/profiles_test.cc says what the profiles
// decide, this that the models they ask are there and have the labels they speak of.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fd.h"
#include "infer/infer.h"
#include "policy/policy.h"

namespace portcullis::scan {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = PORTCULLIS_SOURCE_DIR;

std::vector<fs::path> profiles() {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kSource / "profiles"))
    if (entry.path().extension() == ".toml") files.push_back(entry.path());
  return files;
}

std::vector<infer::Manifest> manifests() {
  std::vector<infer::Manifest> all;
  for (const auto& entry : fs::directory_iterator(kSource / "models"))
    if (entry.is_directory()) all.push_back(infer::load_manifest(entry.path()).value());
  return all;
}

Result<policy::Policy> parse(const std::string& text, const std::vector<infer::Manifest>& models) {
  policy::Vocabulary known;
  for (const infer::Manifest& model : models) known.model_labels[model.name] = model.labels;
  known.lists = {"csam/x", "own/banned"};
  return policy::Policy::parse(text, "policy.toml", known);
}

TEST(Profiles, ask_only_models_that_are_there_from_the_start) {
  ASSERT_EQ(profiles().size(), 3u);
  for (const fs::path& file : profiles()) {
    const std::string text(as_text(read_file(file.string(), 65536).value()));
    const auto parsed = parse(text, manifests());
    ASSERT_TRUE(parsed) << parsed.error().what;
    EXPECT_TRUE(parsed->lints().empty()) << file;
    for (const policy::SignalDefinition& signal : parsed->signals())
      if (signal.kind == policy::SignalKind::classifier) {
        EXPECT_EQ(signal.model, "open_nsfw") << file << ": tools/setup installs no other";
      }
  }
}

// Another model takes the place of the default one with three changed words, and a wrong label is
// told before it matters.
TEST(Profiles, work_with_every_model_by_its_own_labels) {
  for (const fs::path& file : profiles())
    for (const infer::Manifest& model : manifests())
      for (const std::string& label : model.sensitive) {
        std::string text(as_text(read_file(file.string(), 65536).value()));
        const auto replace = [&text](const std::string& from, const std::string& to) {
          for (auto at = text.find(from); at != std::string::npos;
               at = text.find(from, at + to.size()))
            text.replace(at, from.size(), to);
        };
        replace("\"open_nsfw\"", fmt::format("\"{}\"", model.name));
        replace("\"nsfw.nsfw\"", fmt::format("\"nsfw.{}\"", label));
        const auto parsed = parse(text, manifests());
        ASSERT_TRUE(parsed) << file << " with " << model.name << ": " << parsed.error().what;
        EXPECT_TRUE(parsed->lints().empty()) << file << " with " << model.name;
        if (text.find("nsfw." + label) == std::string::npos) continue;
        replace(fmt::format("\"nsfw.{}\"", label), "\"nsfw.nonsense\"");
        EXPECT_FALSE(parse(text, manifests())) << file << " with " << model.name;
      }
}

}  // namespace
}  // namespace portcullis::scan
