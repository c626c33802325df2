// testing/postgres.h: a real PostgreSQL of Debian in a temporary folder, for tests of what reads
// Lemmy's database. It listens on a socket in that folder alone and goes with the test program.
#pragma once

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "testing/temporary_folder.h"

namespace portcullis::testing {

class Postgres {
 public:
  static constexpr const char* kPassword = "s3cret-of-postgres";

  // One for all tests of a program, started when the first asks for it.
  static Postgres& shared() {
    static Postgres server;
    return server;
  }

  // The user is a superuser unless another is named.
  std::string url(const std::string& database, const std::string& user = "postgres",
                  const std::string& password = kPassword) const {
    return "postgres://" + user + ":" + password + "@/" + database +
           "?host=" + folder_.path().string();
  }

  // A database with the tables of testing/lemmy/NAME.sql, then `more`; what was in it goes.
  void make_lemmy(const std::string& database, const std::filesystem::path& tables,
                  const std::string& more = "") {
    if (made_.insert(database).second) execute("postgres", "CREATE DATABASE " + database);
    std::ifstream file(tables);
    PORTCULLIS_CHECK(file.good());
    execute(database,
            "BEGIN; DROP SCHEMA public CASCADE; CREATE SCHEMA "
            "public; GRANT USAGE ON SCHEMA public TO public; GRANT TEMPORARY ON DATABASE " +
                database + " TO public;\n" + std::string(std::istreambuf_iterator<char>(file), {}) +
                more + "COMMIT");
  }

  // Statements, as the superuser. A mistake in them ends the test program.
  void execute(const std::string& database, const std::string& sql) const {
    (void)query(database, sql);
  }
  // The lines that psql prints: columns with '|' between them.
  std::vector<std::string> query(const std::string& database, const std::string& sql) const {
    const auto file = folder_.write("statements.sql",
                                    std::string_view("SET client_min_messages = error;\n" + sql));
    std::FILE* const pipe = ::popen(
        ("psql -XAtq -v ON_ERROR_STOP=1 -f " + file.string() + " '" + url(database) + "'").c_str(),
        "r");
    PORTCULLIS_CHECK(pipe != nullptr);
    std::string text;
    char buffer[4096];
    for (std::size_t got; (got = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
      text.append(buffer, got);
    PORTCULLIS_CHECK(::pclose(pipe) == 0);
    std::vector<std::string> lines;
    for (std::size_t at = 0, end; (end = text.find('\n', at)) != std::string::npos; at = end + 1)
      lines.push_back(text.substr(at, end - at));
    return lines;
  }

  ~Postgres() {
    ::kill(server_, SIGQUIT);  // at once: its folder goes anyhow
    ::waitpid(server_, nullptr, 0);
  }
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;

 private:
  Postgres() {
    // It refuses to run as root.
    if (::geteuid() == 0) {
      owner_ = ::getpwnam("postgres");
      if (!owner_) owner_ = ::getpwnam("nobody");
      PORTCULLIS_CHECK(owner_ && ::chown(folder_.path().c_str(), owner_->pw_uid, 0) == 0 &&
                       ::chmod(folder_.path().c_str(), 0755) == 0);
    }
    const std::string data = (folder_.path() / "data").string();
    const std::string password = folder_.write("password", std::string_view(kPassword)).string();
    const pid_t made =
        start({"initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", "--pwfile", password,
               "--no-sync", "--no-instructions", "-E", "UTF8", "--locale", "C.UTF-8"});
    int status = 0;
    PORTCULLIS_CHECK(::waitpid(made, &status, 0) == made && status == 0);
    server_ = start({"postgres", "-D", data, "-c", "listen_addresses=", "-c",
                     "unix_socket_directories=" + folder_.path().string(), "-c", "fsync=off", "-c",
                     "shared_buffers=32MB", "-c", "jit=off"});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    const std::string ready = "pg_isready -q -h " + folder_.path().string();
    while (std::system(ready.c_str()) != 0) {
      PORTCULLIS_CHECK(std::chrono::steady_clock::now() < deadline);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

  // A program of the server's, as its user, in the end with this one; its words go to log.txt.
  pid_t start(std::initializer_list<std::string> command) const {
    std::vector<std::string> words(command);
    words.front() = program_folder() + words.front();
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const std::string log = (folder_.path() / "log.txt").string();
    const pid_t child = ::fork();
    PORTCULLIS_CHECK(child >= 0);
    if (child > 0) return child;
    if (owner_ && (::setgroups(0, nullptr) != 0 || ::setgid(owner_->pw_gid) != 0 ||
                   ::setuid(owner_->pw_uid) != 0))
      ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    const int words_to = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (::dup2(words_to, 1) < 0 || ::dup2(words_to, 2) < 0) ::_exit(126);
    if (::chdir("/") == 0) ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }

  // Debian keeps every version in a folder of its own; the newest.
  static std::string program_folder() {
    std::string newest;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", error))
      newest = std::max(newest, entry.path().string());
    return newest + "/bin/";
  }

  TemporaryFolder folder_;
  std::set<std::string> made_;  // databases
  const passwd* owner_ = nullptr;
  pid_t server_ = -1;
};

}  // namespace portcullis::testing
