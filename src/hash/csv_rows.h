// hash/csv_rows.h: rows of comma-separated text, as in RFC 4180. Private to the room.
//
// Fields may stand in double quotes, in which a doubled quote is one, and commas and ends of lines
// are text. Blank lines and lines that start with '#' are skipped. Bounded: kMostFields fields in a
// row, kLongestField bytes in one.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace portcullis::hash {

class CsvRows {
 public:
  static constexpr std::size_t kMostFields = 64;
  static constexpr std::size_t kLongestField = 64 * 1024;

  explicit CsvRows(std::string_view text) : text_(text) {}
  // The fields of the next row, trimmed of blanks unless quoted; false at the end. The error says
  // what is wrong, not where: line() does.
  Result<bool> next(std::vector<std::string>& fields);
  // Where the last row began, from 1.
  std::size_t line() const { return line_; }

 private:
  void skip_what_says_nothing();
  Result<std::string> quoted();

  std::string_view text_;
  std::size_t line_ = 1, lines_read_ = 0;
};

}  // namespace portcullis::hash
