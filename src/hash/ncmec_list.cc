// NCMEC hash sharing v2: XML, read element by element with expat.
//
//   queryResult / images|videos / image|video          member@id, id, fingerprints / md5, sha1, pdq
//                               / deletedImage|Video   member@id, id
//               / paging / next
//
// An entry that was deleted is named by member and id alone, and entries are in no order within an
// answer: the deletions of all pages are read first, then the entries.
#include <expat.h>

#include <memory>
#include <set>

#include "hash/list_reader.h"

namespace portcullis::hash {

namespace {

constexpr std::size_t kDeepest = 16;
constexpr std::size_t kLongestText = 8 * 1024;
constexpr std::size_t kPiece = 64 * 1024;
// Expat keeps a tag until it has an end.
constexpr std::size_t kLongestTag = 1024 * 1024;

std::string_view local_name(const char* name) {
  const std::string_view text(name);
  const auto colon = text.rfind(':');
  return colon == std::string_view::npos ? text : text.substr(colon + 1);
}

using Path = std::vector<std::string>;

class Xml {
 public:
  explicit Xml(std::string_view source) : source_(source), parser_(::XML_ParserCreate(nullptr)) {}
  virtual ~Xml() = default;
  Xml(const Xml&) = delete;
  Xml& operator=(const Xml&) = delete;

  Status read(std::string_view text) {
    if (!parser_) return fail(Fault::us, "expat has no memory");
    ::XML_SetUserData(parser_.get(), this);
    ::XML_SetElementHandler(parser_.get(), &Xml::on_start, &Xml::on_end);
    ::XML_SetCharacterDataHandler(parser_.get(), &Xml::on_text);
    ::XML_SetStartDoctypeDeclHandler(parser_.get(), &Xml::on_doctype);
    for (std::size_t at = 0;;) {
      const std::string_view piece = text.substr(at, kPiece);
      at += piece.size();
      const bool is_last = at == text.size();
      if (::XML_Parse(parser_.get(), piece.data(), static_cast<int>(piece.size()),
                      is_last ? 1 : 0) != XML_STATUS_OK)
        return why_ ? wrong(*why_) : wrong(::XML_ErrorString(::XML_GetErrorCode(parser_.get())));
      const XML_Index known = ::XML_GetCurrentByteIndex(parser_.get());
      if (known >= 0 && at - static_cast<std::size_t>(known) > kLongestTag)
        return wrong("one tag is longer than 1 MiB");
      if (is_last) return {};
    }
  }

 protected:
  using Attribute = std::optional<std::string>;

  virtual void starts(const Path& path, const Attribute& id) = 0;
  virtual void ends(const Path& path, std::string_view text) = 0;
  std::size_t line() const {
    return static_cast<std::size_t>(::XML_GetCurrentLineNumber(parser_.get()));
  }
  std::string_view source() const { return source_; }

 private:
  struct Free {
    void operator()(XML_Parser parser) const { ::XML_ParserFree(parser); }
  };

  std::unexpected<Error> wrong(std::string_view why) const {
    return fail_at({source_, line()}, "this is no answer of NCMEC hash sharing: {}", why);
  }
  void stop(std::string why) {
    if (!why_) why_ = std::move(why);
    ::XML_StopParser(parser_.get(), XML_FALSE);
  }

  static void on_start(void* self, const char* name, const char** attributes) {
    auto& xml = *static_cast<Xml*>(self);
    if (xml.path_.size() == kDeepest) return xml.stop("it is nested too deeply");
    if (xml.path_.empty() && local_name(name) != "queryResult")
      return xml.stop(
          fmt::format("it begins with <{}>, not with <queryResult>; is the address "
                      "right, and the password?",
                      shown(name)));
    xml.path_.emplace_back(local_name(name));
    xml.text_.clear();
    Attribute id;
    for (const char** one = attributes; one[0] != nullptr; one += 2)
      if (local_name(one[0]) == "id") id = one[1];
    xml.starts(xml.path_, id);
  }
  static void on_end(void* self, const char*) {
    auto& xml = *static_cast<Xml*>(self);
    if (xml.why_) return;
    xml.ends(xml.path_, trim(xml.text_));
    xml.text_.clear();
    xml.path_.pop_back();
  }
  static void on_text(void* self, const char* text, int count) {
    auto& xml = *static_cast<Xml*>(self);
    xml.text_.append(text, static_cast<std::size_t>(count));
    if (xml.text_.size() > kLongestText) xml.stop("one text is too long");
  }
  // Without a document type there are no entities but the five of XML.
  static void on_doctype(void* self, const char*, const char*, const char*, int) {
    static_cast<Xml*>(self)->stop("it has a document type, which is not read");
  }

  std::string_view source_;
  std::unique_ptr<std::remove_pointer_t<XML_Parser>, Free> parser_;
  Path path_;
  std::string text_;
  std::optional<std::string> why_;
};

bool is_entry(std::string_view name) { return name == "image" || name == "video"; }
bool is_deletion(std::string_view name) { return name == "deletedImage" || name == "deletedVideo"; }

// Whose entry it is and which: an id is a member's own.
class WithOwner : public Xml {
 public:
  using Xml::Xml;

 protected:
  static constexpr std::size_t kRecord = 3;  // depth of an entry

  void starts(const Path& path, const Attribute& id) override {
    if (path.size() == kRecord) member_ = id_ = {};
    if (path.size() == kRecord + 1 && path.back() == "member" && id) member_ = *id;
  }
  void ends(const Path& path, std::string_view text) override {
    if (path.size() == kRecord + 1 && path.back() == "id") id_ = text;
  }
  std::string owner() const { return fmt::format("{}/{}", member_, id_); }

 private:
  std::string member_, id_;
};

class Deletions final : public WithOwner {
 public:
  Deletions(std::string_view source, std::set<std::string>& deleted)
      : WithOwner(source), deleted_(deleted) {}

 private:
  void ends(const Path& path, std::string_view text) override {
    WithOwner::ends(path, text);
    if (path.size() == kRecord && is_deletion(path.back())) deleted_.insert(owner());
  }
  std::set<std::string>& deleted_;
};

class Entries final : public WithOwner {
 public:
  Entries(std::string_view source, const std::set<std::string>& deleted, Feed& feed)
      : WithOwner(source), deleted_(deleted), feed_(feed) {}

 private:
  struct Print {
    std::optional<Kind> kind;
    std::string digest;
    std::size_t line;
  };
  static constexpr std::size_t kMostPrints = 64;  // of one entry

  void starts(const Path& path, const Attribute& id) override {
    WithOwner::starts(path, id);
    if (path.size() == kRecord) prints_.clear();
  }
  void ends(const Path& path, std::string_view text) override {
    WithOwner::ends(path, text);
    if (path.size() == kRecord + 2 && path[kRecord] == "fingerprints" && !text.empty() &&
        prints_.size() < kMostPrints)
      prints_.push_back({kind_from(path.back()), std::string(text), line()});
    if (path.size() != kRecord) return;
    if (is_deletion(path.back())) feed_.count_withdrawn();
    if (!is_entry(path.back()) || deleted_.contains(owner())) return;
    for (const Print& print : prints_)
      if (print.kind)
        feed_.add(*print.kind, print.digest, {source(), print.line});
      else
        feed_.count_foreign();
  }

  const std::set<std::string>& deleted_;
  Feed& feed_;
  std::vector<Print> prints_;
};

class Paging final : public Xml {
 public:
  using Xml::Xml;
  std::string next;

 private:
  void starts(const Path&, const Attribute&) override {}
  void ends(const Path& path, std::string_view text) override {
    if (path.size() == 3 && path[1] == "paging" && path[2] == "next") next = text;
  }
};

}  // namespace

Result<ParsedList> parse_ncmec(std::span<const std::string_view> pages, std::string_view source) {
  std::set<std::string> deleted;
  for (const std::string_view page : pages) TRY(Deletions(source, deleted).read(page));
  Feed feed;
  for (const std::string_view page : pages) TRY(Entries(source, deleted, feed).read(page));
  return feed.finish(source);
}

Result<std::string> next_page_of_ncmec(std::string_view page, std::string_view source) {
  Paging paging(source);
  TRY(paging.read(page));
  return std::move(paging.next);
}

}  // namespace portcullis::hash
