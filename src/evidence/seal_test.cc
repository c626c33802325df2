#include <gmock/gmock.h>

#include "evidence/evidence.h"

namespace portcullis::evidence {
namespace {

using ::testing::HasSubstr;

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 131 + i / 251);
  return bytes;
}

struct Keys {
  PrivateKey review = make_key(Purpose::review), evidence = make_key(Purpose::evidence);
  std::vector<PublicKey> both() const { return {review.public_half(), evidence.public_half()}; }
};

TEST(Seal, gives_back_what_was_sealed_at_every_length_around_a_piece) {
  const Keys keys;
  for (const std::size_t size : {0, 1, 65'535, 65'536, 65'537, 131'072, 300'000}) {
    const Bytes plain = pattern(size);
    const auto sealed = seal(keys.both(), plain);
    ASSERT_TRUE(sealed);
    EXPECT_EQ(open(keys.review, *sealed).value(), plain) << size;
    EXPECT_EQ(open(keys.evidence, *sealed).value(), plain) << size;
  }
}

TEST(Seal, shows_nothing_of_the_plain_text_and_differs_each_time) {
  const Keys keys;
  const std::string plain = "a sentence that would be found";
  const Bytes once = seal(keys.both(), as_bytes(plain)).value();
  EXPECT_EQ(as_text(once).find("sentence"), std::string_view::npos);
  EXPECT_NE(once, seal(keys.both(), as_bytes(plain)).value());
}

TEST(Seal, opens_for_its_recipients_alone) {
  const Keys keys, others;
  const Bytes sealed = seal({keys.evidence.public_half()}, pattern(100)).value();
  EXPECT_TRUE(open(keys.evidence, sealed));
  const auto held_key = open(keys.review, sealed);
  ASSERT_FALSE(held_key);
  EXPECT_THAT(held_key.error().what, HasSubstr("does not open it"));
  EXPECT_FALSE(open(others.evidence, sealed));
}

TEST(Seal, narrowed_to_evidence_no_longer_opens_for_review) {
  const Keys keys;
  const Bytes plain = pattern(70'000);
  const Bytes sealed = seal(keys.both(), plain).value();
  Bytes narrowed;
  ASSERT_TRUE(narrow(Purpose::evidence, source_of(sealed), sink_into(narrowed)));
  EXPECT_EQ(open(keys.evidence, narrowed).value(), plain);
  EXPECT_FALSE(open(keys.review, narrowed));
  Bytes nothing;
  EXPECT_FALSE(narrow(Purpose::review, source_of(narrowed), sink_into(nothing)));
}

TEST(Seal, cut_anywhere_or_changed_anywhere_is_an_error) {
  const Keys keys;
  const Bytes sealed = seal({keys.evidence.public_half()}, pattern(66'000)).value();
  for (std::size_t length = 0; length < sealed.size(); length += 997)
    EXPECT_FALSE(open(keys.evidence, ByteView(sealed).first(length))) << length;
  EXPECT_FALSE(open(keys.evidence, ByteView(sealed).first(sealed.size() - 1)));
  for (std::size_t place = 0; place < sealed.size(); place += 997) {
    Bytes changed = sealed;
    changed[place] ^= std::byte{0x40};
    EXPECT_FALSE(open(keys.evidence, changed)) << place;
  }
  Bytes longer = sealed;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(open(keys.evidence, longer));
}

TEST(Seal, pieces_in_another_order_are_an_error) {
  const Keys keys;
  Bytes sealed = seal({keys.evidence.public_half()}, pattern(3 * 65'536)).value();
  const std::size_t piece = 65'536 + 17, first = sealed.size() - 3 * piece - 17;
  std::swap_ranges(sealed.begin() + static_cast<std::ptrdiff_t>(first),
                   sealed.begin() + static_cast<std::ptrdiff_t>(first + piece),
                   sealed.begin() + static_cast<std::ptrdiff_t>(first + piece));
  EXPECT_FALSE(open(keys.evidence, sealed));
}

}  // namespace
}  // namespace portcullis::evidence
