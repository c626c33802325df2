// hash/list_reader.h: what the readers of all list formats share. Private to the room.
#pragma once

#include <set>

#include "hash/entries.h"
#include "hash/hash.h"

namespace portcullis::hash {

// Lines of a text, or records of a feed.
struct Place {
  std::string_view source;
  std::size_t number = 0;
  bool is_line = true;
  std::string text() const {
    return is_line ? fmt::format("{}:{}", source, number)
                   : fmt::format("{}, record {}", source, number);
  }
};

template <class... Args>
std::unexpected<Error> fail_at(const Place& place, fmt::format_string<Args...> text,
                               Args&&... args) {
  return fail(Fault::client, "{}: {}", place.text(),
              fmt::format(text, std::forward<Args>(args)...));
}

// Lists come from others: what is shown of one must not move a terminal's cursor or fill its
// screen.
std::string shown(std::string_view text);

inline std::string_view without_byte_order_mark(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  return text;
}
// The next line, without its end and without blanks around it.
std::string_view take_line(std::string_view& text);

// Gathers what an admin wrote himself: the first bad entry is an error.
class OwnList {
 public:
  Status add(Kind kind, std::string_view digest, const Place& place);
  // Sorted, and looked at as a whole.
  Result<ParsedList> finish(std::string_view source);

 private:
  ListEntries entries_;
  Status first_implausible_;  // told only if the list as a whole is not of another kind
};

// Gathers what a feed sends.
class Feed {
 public:
  void add(Kind kind, std::string_view digest, const Place& place);
  // Takes the digest out again if it was there; a later add() puts it back.
  void withdraw(Kind kind, std::string_view digest);
  void count_withdrawn() { ++parsed_.withdrawn; }
  void count_foreign() { ++parsed_.foreign; }
  Result<ParsedList> finish(std::string_view source);

 private:
  ParsedList parsed_;
  std::set<std::string> withdrawn_;
};

// The readers. Pages in order; see parse_list().
Result<ParsedList> parse_plain(std::string_view text, std::optional<Kind> kind,
                               std::string_view source);
Result<ParsedList> parse_csv(std::string_view text, std::optional<Kind> kind,
                             std::string_view source);
Result<ParsedList> parse_threatexchange(std::span<const std::string_view> pages,
                                        std::string_view source);
Result<ParsedList> parse_ncmec(std::span<const std::string_view> pages, std::string_view source);
Result<ParsedList> parse_stopncii(std::span<const std::string_view> pages, std::string_view source);

Result<std::string> next_page_of_threatexchange(std::string_view page, std::string_view source);
Result<std::string> next_page_of_ncmec(std::string_view page, std::string_view source);
Result<std::string> next_page_of_stopncii(std::string_view page, std::string_view source);

}  // namespace portcullis::hash
