#include "store/sqlite/migrations.h"

namespace portcullis::store::sqlite {

namespace {

constexpr std::int64_t kApplicationId = 0x50434C53;  // "PCLS"

constexpr std::string_view kMigrations[] = {
    // 1: the first upload. Digests are 32-byte blobs, times are microseconds since 1970 in UTC.
    R"sql(
CREATE TABLE blob (
  sha256 BLOB PRIMARY KEY CHECK (length(sha256) = 32),
  state INTEGER NOT NULL CHECK (state IN (0, 1, 2)),  -- pending, stored, deleting
  width INTEGER NOT NULL, height INTEGER NOT NULL, frames INTEGER,
  content_type TEXT NOT NULL, blurhash TEXT NOT NULL, bytes INTEGER NOT NULL, created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX blob_unsettled ON blob (state) WHERE state <> 1;
CREATE TABLE claim (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  blob BLOB NOT NULL REFERENCES blob
) STRICT;
CREATE INDEX claim_blob ON claim (blob);
CREATE TABLE alias (
  alias TEXT PRIMARY KEY, delete_token TEXT NOT NULL,
  blob BLOB NOT NULL REFERENCES blob, created INTEGER NOT NULL, source TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX alias_blob ON alias (blob);
CREATE TABLE rendition (
  original BLOB NOT NULL, operations TEXT NOT NULL,
  blob BLOB NOT NULL REFERENCES blob ON DELETE CASCADE, facts TEXT NOT NULL,
  PRIMARY KEY (original, operations)
) STRICT, WITHOUT ROWID;
CREATE INDEX rendition_blob ON rendition (blob);
CREATE TABLE answer (
  original BLOB NOT NULL, signal TEXT NOT NULL, version TEXT NOT NULL,
  facts TEXT NOT NULL, until INTEGER NOT NULL,
  PRIMARY KEY (original, signal, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE verdict (
  number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, original BLOB NOT NULL, ruleset TEXT NOT NULL,
  outcome TEXT NOT NULL, rule TEXT NOT NULL, label TEXT NOT NULL,
  preserve INTEGER NOT NULL, report INTEGER NOT NULL, alert INTEGER NOT NULL, ban_hash INTEGER NOT NULL,
  unanswered INTEGER NOT NULL, reason TEXT NOT NULL, facts TEXT NOT NULL, decided INTEGER NOT NULL
) STRICT;
CREATE INDEX verdict_original ON verdict (original);
CREATE TABLE switch (
  name TEXT PRIMARY KEY, state TEXT NOT NULL, message TEXT NOT NULL, who TEXT NOT NULL,
  flipped INTEGER NOT NULL, until INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE hashlist (
  name TEXT PRIMARY KEY, file TEXT NOT NULL, version TEXT NOT NULL, count INTEGER NOT NULL,
  source TEXT NOT NULL, added INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
    // 2: variants, remote pictures, and the bytes that all of it takes.
    R"sql(
ALTER TABLE alias ADD COLUMN parent TEXT;
ALTER TABLE alias ADD COLUMN url TEXT;
CREATE INDEX alias_parent ON alias (parent) WHERE parent IS NOT NULL;
CREATE INDEX blob_created ON blob (created, sha256);
CREATE TABLE variant (
  made_of BLOB NOT NULL REFERENCES blob, key TEXT NOT NULL,
  blob BLOB NOT NULL REFERENCES blob, bytes INTEGER NOT NULL, accessed INTEGER NOT NULL,
  PRIMARY KEY (made_of, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX variant_blob ON variant (blob);
CREATE INDEX variant_accessed ON variant (accessed);
CREATE TABLE remote (
  url TEXT PRIMARY KEY, announced INTEGER,
  sha256 BLOB, sha1 TEXT, md5 TEXT, bytes INTEGER, fetched INTEGER, refused INTEGER,
  alias TEXT, accessed INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX remote_alias ON remote (alias) WHERE alias IS NOT NULL;
CREATE INDEX remote_accessed ON remote (accessed) WHERE alias IS NOT NULL;
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE total (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO total SELECT 'all', coalesce(sum(bytes), 0) FROM blob WHERE state = 1;
INSERT INTO total VALUES ('variants', 0);
CREATE TRIGGER blob_added AFTER INSERT ON blob WHEN new.state = 1
  BEGIN UPDATE total SET bytes = bytes + new.bytes WHERE name = 'all'; END;
CREATE TRIGGER blob_changed AFTER UPDATE OF state ON blob WHEN (old.state = 1) <> (new.state = 1)
  BEGIN UPDATE total SET bytes = bytes + CASE new.state WHEN 1 THEN new.bytes ELSE -new.bytes END
        WHERE name = 'all'; END;
CREATE TRIGGER blob_removed AFTER DELETE ON blob WHEN old.state = 1
  BEGIN UPDATE total SET bytes = bytes - old.bytes WHERE name = 'all'; END;
CREATE TRIGGER variant_added AFTER INSERT ON variant
  BEGIN UPDATE total SET bytes = bytes + new.bytes WHERE name = 'variants'; END;
CREATE TRIGGER variant_removed AFTER DELETE ON variant
  BEGIN UPDATE total SET bytes = bytes - old.bytes WHERE name = 'variants'; END;
)sql",
    // 3: evidence, the audit chain, pictures that were taken off, jobs; who uploaded what.
    R"sql(
CREATE TABLE evidence (
  id TEXT PRIMARY KEY, original BLOB NOT NULL,
  kept INTEGER NOT NULL CHECK (kept IN (0, 1)),         -- held, preserved
  state INTEGER NOT NULL CHECK (state IN (0, 1, 2)),    -- kept, released, destroyed
  rule TEXT NOT NULL, report_due INTEGER NOT NULL, bytes INTEGER NOT NULL,
  since INTEGER NOT NULL, keep_until INTEGER NOT NULL, legal_hold TEXT NOT NULL, ended INTEGER
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX evidence_original ON evidence (original) WHERE state = 0;
CREATE INDEX evidence_until ON evidence (keep_until) WHERE state = 0;
CREATE TABLE attempt (
  number INTEGER PRIMARY KEY, evidence TEXT NOT NULL REFERENCES evidence,
  verdict TEXT NOT NULL, tried INTEGER NOT NULL, origin TEXT NOT NULL,
  uploader TEXT NOT NULL, salt BLOB NOT NULL, context BLOB NOT NULL
) STRICT;
CREATE INDEX attempt_evidence ON attempt (evidence);
CREATE INDEX attempt_uploader ON attempt (uploader) WHERE uploader <> '';
CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY, done INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,
  subject TEXT NOT NULL, details TEXT NOT NULL, personal BLOB, previous BLOB NOT NULL,
  hash BLOB NOT NULL
) STRICT;
CREATE TABLE gone (
  alias TEXT PRIMARY KEY, verdict TEXT NOT NULL, gone INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE job (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL UNIQUE, cursor TEXT NOT NULL,
  done INTEGER NOT NULL, found INTEGER NOT NULL, started INTEGER NOT NULL, updated INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX answer_until ON answer (until);
ALTER TABLE rendition ADD COLUMN sha1 TEXT;
ALTER TABLE rendition ADD COLUMN md5 TEXT;
ALTER TABLE alias ADD COLUMN uploader TEXT;
CREATE INDEX alias_uploader ON alias (uploader) WHERE uploader IS NOT NULL;
INSERT INTO total VALUES ('evidence', 0);
CREATE TRIGGER evidence_added AFTER INSERT ON evidence WHEN new.state = 0
  BEGIN UPDATE total SET bytes = bytes + new.bytes WHERE name = 'evidence'; END;
CREATE TRIGGER evidence_ended AFTER UPDATE OF state ON evidence WHEN old.state = 0 AND new.state <> 0
  BEGIN UPDATE total SET bytes = bytes - old.bytes WHERE name = 'evidence'; END;
)sql",
    // 4: how a list is read and used, this site's bans, and what moderators let pass.
    R"sql(
ALTER TABLE hashlist ADD COLUMN format TEXT NOT NULL DEFAULT 'plain';
ALTER TABLE hashlist ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE hashlist ADD COLUMN credentials TEXT NOT NULL DEFAULT '';
ALTER TABLE hashlist ADD COLUMN tag TEXT NOT NULL DEFAULT '';
ALTER TABLE hashlist ADD COLUMN radius INTEGER NOT NULL DEFAULT 31;
ALTER TABLE hashlist ADD COLUMN min_quality INTEGER NOT NULL DEFAULT 50;
ALTER TABLE hashlist ADD COLUMN observe INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hashlist ADD COLUMN checked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE hashlist ADD COLUMN max_age INTEGER NOT NULL DEFAULT 0;  -- seconds
UPDATE hashlist SET checked = added;
CREATE TABLE ban (
  picture TEXT NOT NULL, kind TEXT NOT NULL, digest TEXT NOT NULL,
  who TEXT NOT NULL, why TEXT NOT NULL, banned INTEGER NOT NULL,
  PRIMARY KEY (picture, kind, digest)
) STRICT, WITHOUT ROWID;
CREATE TABLE allowed (
  sha256 BLOB PRIMARY KEY CHECK (length(sha256) = 32),
  who TEXT NOT NULL, why TEXT NOT NULL, allowed INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql",
    // 5: switches that remember what was before, aliases without a picture.
    R"sql(
ALTER TABLE switch ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE switch ADD COLUMN before TEXT NOT NULL DEFAULT '';
UPDATE switch SET before = 'open' WHERE until IS NOT NULL;
CREATE TABLE stand_in (
  alias TEXT PRIMARY KEY, delete_token TEXT NOT NULL, url TEXT NOT NULL,
  created INTEGER NOT NULL, purged INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
ALTER TABLE remote ADD COLUMN purged INTEGER NOT NULL DEFAULT 0;
CREATE INDEX verdict_decided ON verdict (decided);
)sql",
    // 6: pictures that were screened here and are kept by a pict-rs.
    R"sql(
CREATE TABLE handed_on (
  alias TEXT PRIMARY KEY, delete_token TEXT NOT NULL,
  original BLOB NOT NULL CHECK (length(original) = 32), created INTEGER NOT NULL,
  source TEXT NOT NULL, parent TEXT, url TEXT, uploader TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX handed_on_parent ON handed_on (parent) WHERE parent IS NOT NULL;
CREATE INDEX handed_on_uploader ON handed_on (uploader) WHERE uploader IS NOT NULL;
CREATE INDEX handed_on_original ON handed_on (original);
)sql",
    // 7: which downloaded pictures are the oldest.
    R"sql(
CREATE INDEX alias_remote ON alias (created) WHERE source = 'remote';
)sql",
};

}  // namespace

std::span<const std::string_view> migrations() { return kMigrations; }

Status migrate(Connection& connection) {
  const auto newest = static_cast<std::int64_t>(std::size(kMigrations));
  if (TRY(connection.number("PRAGMA user_version")) == newest &&
      TRY(connection.number("PRAGMA application_id")) == kApplicationId)
    return {};
  TRY(connection.execute("BEGIN IMMEDIATE"));
  const auto upgrade = [&]() -> Status {
    const std::int64_t version = TRY(connection.number("PRAGMA user_version"));
    const std::int64_t application = TRY(connection.number("PRAGMA application_id"));
    const std::int64_t tables = TRY(connection.number("SELECT count(*) FROM sqlite_schema"));
    if (version < 0 || (application != kApplicationId && (tables > 0 || version > 0)))
      return fail(Fault::storage,
                  "{} belongs to another program: correct `data` in the configuration",
                  connection.file());
    if (version > newest)
      return fail(
          Fault::storage,
          "{} was written by a newer Portcullis (schema {}, this program knows {}): upgrade "
          "this program, or restore the backup from before that version ran",
          connection.file(), version, newest);
    for (std::int64_t i = version; i < newest; ++i)
      TRY(connection.execute(std::string(kMigrations[static_cast<std::size_t>(i)])));
    return connection.execute(fmt::format(
        "PRAGMA user_version={}; PRAGMA application_id={}; COMMIT;", newest, kApplicationId));
  };
  Status done = upgrade();
  if (!done) (void)connection.execute("ROLLBACK");
  return done;
}

}  // namespace portcullis::store::sqlite
