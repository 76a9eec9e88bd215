#include "client/protocol.h"

#include <catch2/catch.hpp>

namespace parallax::test {

TEST_CASE("operation: its key and whether it reads") {
  const Operation put = Put{.key = "a", .value = "v", .content_type = ""};
  const Operation get = Get{"b"};
  const Operation gone = Delete{"c"};
  CHECK(operation_key(put) == "a");
  CHECK(operation_key(get) == "b");
  CHECK(operation_key(gone) == "c");
  CHECK(&operation_key(get) == &std::get<Get>(get).key);
  CHECK_FALSE(is_read(put));
  CHECK(is_read(get));
  CHECK_FALSE(is_read(gone));
}

TEST_CASE("path: every name finds its path") {
  CHECK(path_name(Path::read_index) == "read-index");
  CHECK(path_name(Path::log) == "log");
  CHECK(path_name(Path::local) == "local");
  for (const Path path : {Path::read_index, Path::log, Path::local}) {
    CHECK(find_path(path_name(path)) == path);
  }
  CHECK_FALSE(find_path("").has_value());
  CHECK_FALSE(find_path("Log").has_value());
}

}  // namespace parallax::test
