#include "client/cli/session_file.h"

#include <fmt/format.h>

#include "client/cli/file_io.h"

namespace parallax::cli {
namespace {

/// The session in a file that is there.
Result<Session> load(const std::filesystem::path& path) {
  PARALLAX_ASSIGN(std::string text, read_input(path.string()));
  if (text.ends_with('\n')) text.pop_back();
  if (text.empty()) return Session();
  auto session = Session::from_token(text);
  if (session) return session;
  Error error = session.error();
  error.message = fmt::format("the session file {}: {}; remove it to begin a new session",
                              path.string(), error.message);
  return error;
}

}  // namespace

Result<SessionFile> SessionFile::open(const std::filesystem::path& path) {
  PARALLAX_ASSIGN(const FileLock lock, FileLock::open(path));
  PARALLAX_ASSIGN(Session session, load(path));
  return SessionFile(path, std::move(session));
}

Result<void> SessionFile::save() {
  if (session_.token().empty()) return {};
  PARALLAX_ASSIGN(const FileLock lock, FileLock::open(path_));
  PARALLAX_ASSIGN(const Session there, load(path_));
  PARALLAX_TRY(session_.join(there));
  PARALLAX_ASSIGN(Replacement file, Replacement::begin(path_));
  PARALLAX_TRY(file.write(session_.token() + '\n'));
  return file.commit();
}

}  // namespace parallax::cli
