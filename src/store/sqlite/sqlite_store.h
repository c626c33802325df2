// store/sqlite/sqlite_store.h: Store on SQLite. Private to the room.
//
// One writer with group commit, a few readers, one connection that only watches for changes.
// Digests that the sweeper was given stand in the database, because commands claim beside a running
// server; only one server runs on a database, and after a restart nothing is being swept.
#pragma once

#include <condition_variable>
#include <mutex>
#include <span>

#include "store/sqlite/readers.h"
#include "store/sqlite/writer.h"
#include "store/store.h"

namespace portcullis::store::sqlite {

enum class BlobState : std::int64_t { pending = 0, stored = 1, deleting = 2 };

class SqliteStore final : public Store {
 public:
  static Result<std::unique_ptr<Store>> open(const SqliteOptions& options, const Clock& clock);
  SqliteStore(const Clock& clock, std::chrono::milliseconds sweeper_timeout,
              std::unique_ptr<Connection> writer, std::unique_ptr<Connection> watcher)
      : clock_(clock),
        sweeper_timeout_(sweeper_timeout),
        watcher_(std::move(watcher)),
        writer_(std::move(writer)) {}

  Result<Claim> claim(const Sha256& blob, const Details& details, WallTime now) override;
  Status publish(const Publication& publication) override;
  Status publish_variant(std::int64_t claim, const Variant& variant, WallTime now) override;
  Status abandon(std::int64_t claim) override;
  Result<std::vector<std::string>> unpublish(const Sha256& blob, const std::string& verdict,
                                             const std::string& who, WallTime now) override;
  Result<bool> is_gone(const std::string& alias) override;
  Result<bool> was_deleted(const std::string& alias) override;
  Status remember_gone(const std::vector<std::string>& aliases, const std::string& verdict,
                       WallTime now) override;

  Result<std::optional<AliasAndDetails>> find(const std::string& alias) override;
  Result<std::optional<RenditionRecord>> rendition(const Sha256& original,
                                                   const std::string& operations) override;
  Result<std::optional<Details>> details(const Sha256& blob) override;
  Result<std::string> facts_of(const Sha256& blob) override;
  Result<Provenance> provenance(const Sha256& blob) override;

  Result<std::optional<VariantAndDetails>> variant(const Sha256& of,
                                                   const std::string& key) override;
  Result<std::vector<std::string>> aliases_with(const std::string& alias) override;
  Result<BlobPage> blobs(std::size_t most, std::optional<Sha256> from,
                         std::optional<WallTime> before) override;

  Result<std::optional<Remote>> remote(const std::string& url) override;
  Status announce(const std::string& url, WallTime now) override;
  Status announce_all(const std::vector<std::string>& urls, WallTime now) override;
  Status remember_fetch(const std::string& url, const Fetch& fetch) override;
  Result<std::optional<StandIn>> stand_in(const std::string& alias) override;
  Status put_stand_in(const StandIn& value) override;

  Result<std::vector<RemoteAlias>> remote_aliases_after(const std::string& after,
                                                        std::size_t most) override;
  Result<RemoteCounts> count_remote() override;
  Result<Gone> purge_remote(const std::vector<Alias>& aliases, const Job& job,
                            WallTime now) override;
  Result<std::vector<Sha256>> blobs_of(const Sha256& digest) override;
  Result<std::vector<Alias>> selected_after(const Selection& selection, const std::string& after,
                                            std::size_t most) override;
  Result<Gone> take_off(const std::vector<std::string>& aliases, const std::string& why,
                        const std::string& who, WallTime now) override;

  Status hand_on(const HandedOn& picture, const VerdictRecord& verdict,
                 const std::string& proxied) override;
  Result<std::optional<HandedOn>> handed_on(const std::string& alias) override;
  Result<std::vector<HandedOn>> let_go(const std::string& alias) override;
  Result<std::vector<HandedOn>> unused_handed_on(WallTime before, std::size_t most) override;

  Status touch(const std::vector<Access>& accesses) override;
  Result<Gone> expire_variants(WallTime before, std::size_t most) override;
  Result<Gone> expire_proxied(WallTime before, std::size_t most) override;
  Result<Gone> evict(std::uint64_t bytes, bool variants_alone, std::size_t most) override;
  Result<Usage> usage() override;

  Result<std::optional<std::string>> setting(const std::string& name) override;
  Status put_setting(const std::string& name, const std::string& value) override;

  Result<Deletion> delete_alias(const std::string& alias,
                                const std::optional<std::string>& token) override;
  Result<std::vector<std::string>> purge(const std::string& alias) override;
  Result<std::vector<std::string>> forget_blob(const Sha256& blob) override;
  Result<std::vector<Sha256>> stored_after(const std::optional<Sha256>& after,
                                           std::size_t most) override;
  Result<std::vector<Sha256>> sweepable(std::size_t most) override;
  Status removed(const Sha256& blob) override;
  Result<bool> knows(const Sha256& blob) override;
  Status begin_run() override;

  Result<std::optional<policy::SignalAnswer>> answer(const AnswerKey& key, WallTime now) override;
  Status remember(const AnswerKey& key, const policy::SignalAnswer& answer,
                  WallTime until) override;
  Result<std::size_t> expire_answers(WallTime now, std::size_t most) override;

  Result<std::optional<Switch>> get_switch(const std::string& name) override;
  Result<std::vector<Switch>> switches() override;
  Status set_switch(const Switch& value) override;
  Result<std::map<std::string, std::uint64_t>> refusals_by_rule(WallTime since) override;
  Result<std::vector<HashListRow>> lists() override;
  Status put_list(const HashListRow& row) override;
  Result<bool> remove_list(const std::string& name) override;

  Result<std::vector<Ban>> bans() override;
  Status change_bans(const std::vector<std::string>& lifted, const std::vector<Ban>& added,
                     const std::optional<HashListRow>& row) override;
  Status allow(const Allowed& entry) override;
  Result<bool> disallow(const Sha256& sha256) override;
  Result<bool> is_allowed(const Sha256& sha256) override;
  Result<std::vector<Allowed>> allowed() override;

  Status record(const VerdictRecord& verdict) override;
  Result<std::vector<VerdictRecord>> recent_verdicts(std::size_t most) override;
  Result<std::optional<VerdictRecord>> verdict(const std::string& id) override;
  Result<VerdictPage> verdicts_after(std::uint64_t after, std::size_t most) override;
  Result<std::optional<Evidence>> evidence_of(const Sha256& original) override;
  Result<std::optional<Evidence>> evidence(const std::string& id) override;
  Result<std::vector<Evidence>> evidence_list(bool kept_only, std::size_t most) override;
  Result<std::vector<Attempt>> attempts(const std::string& evidence) override;
  Result<Keeping> keep(const VerdictRecord& verdict, const Evidence& fresh, const Attempt& attempt,
                       std::size_t most_held) override;
  Status set_legal_hold(const std::string& id, const std::string& why, const std::string& who,
                        WallTime now) override;
  Status preserve(const std::string& id, WallTime keep_until, const std::string& who,
                  const std::string& why, WallTime now) override;
  Status end_evidence(const std::string& id, EvidenceState how, const std::string& who,
                      const std::string& why, WallTime now) override;
  Result<std::vector<Evidence>> evidence_due(WallTime now, std::size_t most) override;
  Result<std::uint64_t> evidence_bytes() override;
  Status audit(const AuditEntry& entry, WallTime now) override;
  Result<std::vector<AuditEntry>> audit_after(std::uint64_t sequence, std::size_t most) override;
  Result<std::optional<Head>> audit_head() override;
  Result<std::optional<Job>> job(const std::string& kind) override;
  Status save_job(const Job& job) override;
  Status finish_job(const std::string& id) override;

  Result<std::uint64_t> generation() override;
  Result<Counts> counts() override;

 private:
  // A write that gives nothing but success.
  Status change(std::function<Status(Connection&)> apply);
  // One statement; gives how many rows it changed.
  Result<std::int64_t> run(std::string_view sql, const auto&... values) {
    return writer_.run<std::int64_t>([&](Connection& connection) -> Result<std::int64_t> {
      return TRY(connection.prepare(sql)).bind(values...).run();
    });
  }

  const Clock& clock_;
  const std::chrono::milliseconds sweeper_timeout_;
  Readers readers_;
  std::mutex watching_;
  std::unique_ptr<Connection> watcher_;

  std::mutex sweeping_mutex_;
  std::condition_variable swept_;

  Writer writer_;  // last: its thread ends first
};

// Rows to structs, shared by the files of this folder.
Result<Details> read_details(const Query& query, int first_column);
// Deletes an alias with those derived from it; their names are added to `gone`.
Status remove_alias(Connection& connection, const std::string& alias, const Sha256& blob,
                    std::vector<std::string>& gone);
// A blob that nothing needs any more becomes `deleting`.
Status release(Connection& connection, const Sha256& blob);
Result<std::optional<Switch>> read_switch(Connection& connection, const std::string& name);
// Of columns `alias, delete_token, blob, created, source, parent, url, uploader`.
Result<Alias> read_alias(const Query& query, int first_column);
// A stored picture that is no user's upload goes, with those derived from it; each leads to `url`
// from then on, unless that is empty or nobody knows the alias.
Status purge_one(Connection& connection, const std::string& alias, const std::string& url,
                 Store::Gone& gone);
Status write_job(Connection& connection, const Job& job);
// All aliases of a blob, those derived from them, and its variants.
Result<std::vector<std::string>> remove_aliases_of(Connection& connection, const Sha256& blob);
// The next entry of the chain, in the writer's transaction; only actor, action, subject, details
// and personal of `entry` count.
Status append_audit(Connection& connection, WallTime now, AuditEntry entry);
// Reads the switch that a picture is subject to again, in the commit that publishes it. Codes
// "uploads-closed" and "remote-closed".
Status may_come_in(Connection& connection, policy::Origin source, WallTime now);
// The alias is from now on served for that URL.
Status serve_for(Connection& connection, const std::string& url, const std::string& alias,
                 WallTime now);
// `facts`: those of the verdict in JSON, made before it is the writer's turn.
Status insert_verdict(Connection& connection, const VerdictRecord& verdict,
                      const std::string& facts);

}  // namespace portcullis::store::sqlite
