#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "hash/hash.h"

namespace portcullis::hash {
namespace {

using ::testing::HasSubstr;

const std::string k64 = "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa";
const std::string k40 = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
const std::string k32 = "d41d8cd98f00b204e9800998ecf8427e";

TEST(ParseList, takes_every_form_of_a_line) {
  const std::string text = "\xEF\xBB\xBF# heading\r\n\r\n  sha256 , " + k64 + "\t\r\nsha1," + k40 +
                           "\nMD5," + ascii_lower(k32) + "\n\npdq," + k64;
  const auto entries = parse_list(text, std::nullopt, "a.csv");
  ASSERT_TRUE(entries) << entries.error().what;
  EXPECT_EQ(entries->sha256, std::vector{Sha256::from(k64).value()});
  EXPECT_EQ(entries->sha1, std::vector{Sha1::from(k40).value()});
  EXPECT_EQ(entries->md5, std::vector{Md5::from(k32).value()});
  EXPECT_EQ(entries->pdq, std::vector{pdq_from_hex(k64).value()});
  EXPECT_EQ(entries->size(), 4u);
  const auto with_blanks = parse_list("pdq " + k64 + "\nMD5  " + k32, std::nullopt, "a");
  ASSERT_TRUE(with_blanks) << with_blanks.error().what;
  EXPECT_EQ(with_blanks->size(), 2u);
}

TEST(ParseList, takes_a_pdq_whose_bits_are_about_half_set) {
  const auto with_bits = [](int count) {
    PdqHash hash;
    for (int i = 0; i < count; ++i)
      hash.words[static_cast<std::size_t>(i / 64)] |= std::uint64_t{1} << i % 64;
    return parse_list("pdq," + to_hex(hash), std::nullopt, "a").has_value();
  };
  for (const int count : {112, 120, 128, 144}) EXPECT_TRUE(with_bits(count)) << count;
  for (const int count : {1, 64, 111, 145, 200, 256}) EXPECT_FALSE(with_bits(count)) << count;
}

TEST(ParseList, with_a_kind_lines_need_not_say_theirs) {
  const auto entries = parse_list(k64 + "\npdq," + k64 + "\n", Kind::pdq, "a");
  ASSERT_TRUE(entries) << entries.error().what;
  EXPECT_EQ(entries->pdq.size(), 1u) << "twice the same is once";
  EXPECT_EQ(entries->size(), 1u);
}

TEST(ParseList, without_entries_is_empty) {
  for (const char* text : {"", "\n\n", "# nothing\n", "\xEF\xBB\xBF"})
    EXPECT_EQ(parse_list(text, Kind::md5, "a").value().size(), 0u) << text;
}

TEST(ParseList, errors_name_source_and_line_and_say_what_to_do) {
  const struct {
    std::string text;
    std::optional<Kind> kind;
    const char *where, *what;
  } cases[] = {
      {k64, {}, "list.txt:1: ", "SHA-256 or a PDQ hash, which look alike"},
      {"# a\n\n" + k40, {}, "list.txt:3: ", "the kind is missing"},
      {"sha256," + k64 + "\nsha512," + k64,
       {},
       "list.txt:2: ",
       "\"sha512\" is no kind: write sha256"},
      {"pdq," + k64, Kind::sha256, "list.txt:1: ", "says pdq, but --kind says sha256"},
      {"sha256," + k40, {}, "list.txt:1: ", "64 hexadecimal digits"},
      {k64, Kind::sha1, "list.txt:1: ", "40 hexadecimal digits"},
      {k32 + "0", Kind::md5, "list.txt:1: ", "32 hexadecimal digits"},
      {k64 + " # comment", Kind::pdq, "list.txt:1: ", "64 hexadecimal digits"},
      {"md5," + k32 + ",extra", {}, "list.txt:1: ", "32 hexadecimal digits"},
      {"md5,", {}, "list.txt:1: ", "32 hexadecimal digits"},
      {std::string(64, 'x'), Kind::sha256, "list.txt:1: ", "64 hexadecimal digits"},
      {std::string("md5,a\0b", 7), {}, "list.txt:1: ", "\"a?b\""},
      {"md5,\x1b[2J", {}, "list.txt:1: ", "\"?[2J\""},
      {"pdq," + std::string(64, '0'), {}, "list.txt:1: ", "all zeros"},
      {"pdq " + k64 + "\npdq," + std::string(64, 'd'),
       {},
       "list.txt:2: ",
       "192 of the 256 bits of this PDQ hash are set"},
      {"pdq", {}, "list.txt:1: ", "64 hexadecimal digits"},
  };
  for (const auto& c : cases) {
    const auto entries = parse_list(c.text, c.kind, "list.txt");
    ASSERT_FALSE(entries) << c.text;
    EXPECT_EQ(entries.error().fault, Fault::client);
    EXPECT_THAT(entries.error().what, HasSubstr(c.where)) << c.text;
    EXPECT_THAT(entries.error().what, HasSubstr(c.what)) << c.text;
  }
}

TEST(ParseList, an_error_shows_only_the_beginning_of_a_long_line) {
  const auto entries = parse_list(std::string(1'000'000, 'a'), Kind::md5, "a");
  ASSERT_FALSE(entries);
  EXPECT_LT(entries.error().what.size(), 300u);
}

std::string random_digits(std::mt19937_64& random) {
  return fmt::format("{:016x}{:016x}{:016x}{:016x}", random(), random(), random(), random());
}

// Half of the digits f, half 0, in any order: 128 bits set, as in a PDQ hash.
std::string balanced_digits(std::mt19937_64& random) {
  std::string digits = std::string(32, 'f') + std::string(32, '0');
  std::ranges::shuffle(digits, random);
  return digits;
}

TEST(ParseList, notices_a_list_of_one_kind_taken_for_another_of_the_same_length) {
  std::mt19937_64 random(1);
  std::string sha256, pdq;
  for (int i = 0; i < 50; ++i) {
    sha256 += random_digits(random) + "\n";
    pdq += balanced_digits(random) + "\n";
  }
  EXPECT_TRUE(parse_list(sha256, Kind::sha256, "a"));
  EXPECT_TRUE(parse_list(pdq, Kind::pdq, "a"));
  const auto no_pdq = parse_list(sha256, Kind::pdq, "a");
  ASSERT_FALSE(no_pdq);
  EXPECT_THAT(no_pdq.error().what, HasSubstr("the pdq entries seem to be SHA-256 hashes"));
  const auto no_sha256 = parse_list(pdq, Kind::sha256, "a");
  ASSERT_FALSE(no_sha256);
  EXPECT_THAT(no_sha256.error().what, HasSubstr("the sha256 entries seem to be PDQ hashes"));
}

TEST(Kind, has_four_names) {
  for (const Kind kind : {Kind::sha256, Kind::sha1, Kind::md5, Kind::pdq})
    EXPECT_EQ(kind_from(name(kind)), kind);
  for (const char* text : {"", "SHA256", "sha-256", "sha256 ", "tmk"})
    EXPECT_FALSE(kind_from(text)) << text;
}

}  // namespace
}  // namespace portcullis::hash
