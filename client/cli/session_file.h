// A session (client/session.h) that outlives the process: its token in a file, which the next run
// goes on from.
//
// The file holds the token and a newline, nothing else; an empty one is a session that has seen
// nothing. It is replaced whole, so that a reader finds the old token or the new one. Two processes
// that share a file lose nothing of each other: what is saved is joined with what is there.
#pragma once

#include <filesystem>

#include "base/error.h"
#include "client/session.h"

namespace parallax::cli {

/// Not thread-safe; its session is.
class SessionFile {
 public:
  /// Reads `path`, and makes it where there is none, so that a place that cannot be written is
  /// found out before anything is done. Errors: io; bad_session - it holds something else.
  static Result<SessionFile> open(const std::filesystem::path& path);

  /// Handles are the same session: what operations join into it, save() keeps.
  const Session& session() const { return session_; }
  /// Errors: io; bad_session - another process has put a session of another cluster there.
  Result<void> save();

 private:
  SessionFile(std::filesystem::path path, Session session)
      : path_(std::move(path)), session_(std::move(session)) {}

  std::filesystem::path path_;
  Session session_;
};

}  // namespace parallax::cli
