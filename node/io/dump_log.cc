#include "node/io/dump_log.h"

#include <cstdio>
#include <filesystem>

#include <fmt/format.h>

#include "node/io/store_directory.h"
#include "node/log_dump.h"

namespace parallax {

Result<void> print_log(const std::string& directory) {
  std::error_code failed;
  if (!std::filesystem::is_directory(std::filesystem::path(directory) / "store", failed)) {
    return definite(ErrorCode::refused,
                    fmt::format("--dump-log {}: there is no node's store in it", directory));
  }
  const auto named = [&](Error error) {
    error.message = fmt::format("--dump-log {}: {}", directory, error.message);
    return error;
  };
  const auto locked = StoreDirectory::lock(directory);
  if (!locked) return named(locked.error());
  const auto store = locked->open_store({});
  if (!store) return named(store.error());
  bool written = true;
  const Result<void> dumped = dump_log(**store, [&written](std::string_view line) {
    written = std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && written;
  });
  if (!dumped) return named(dumped.error());
  if (std::fflush(stdout) != 0 || !written) {
    return definite(ErrorCode::io, "--dump-log: stdout cannot be written");
  }
  return {};
}

}  // namespace parallax
