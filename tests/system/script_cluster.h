// A cluster started by scripts/cluster, for tests of what people type.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <stdlib.h>

#include "tests/system/cluster.h"

namespace parallax::system_tests {

inline const std::string kScripts = std::string(PARALLAX_SOURCE_DIR) + "/scripts";

/// Removed at the end whatever happened. Not thread-safe.
class ScriptCluster {
 public:
  ScriptCluster() : base_port_(free_ports(110)) { setenv("PARALLAX_BIN", programs().c_str(), 1); }
  ~ScriptCluster() {
    (void)run({kScripts + "/cluster", "wipe", "--dir", directory()}, std::chrono::seconds{60});
  }

  std::string directory() const { return temporary_.path() + "/cluster"; }
  std::uint16_t port(int id) const { return static_cast<std::uint16_t>(base_port_ + id); }
  std::uint16_t base_port() const { return base_port_; }

  Ended call(std::vector<std::string> words) const {
    words.insert(words.begin(), kScripts + "/cluster");
    words.insert(words.end(), {"--dir", directory()});
    return run(words, std::chrono::seconds{120});
  }
  void must(std::vector<std::string> words) const {
    const Ended ended = call(std::move(words));
    INFO(ended.output);
    REQUIRE(ended.code == 0);
  }
  void up() const { must({"up", "--base-port", std::to_string(base_port_)}); }

 private:
  TemporaryDirectory temporary_;
  std::uint16_t base_port_;
};

}  // namespace parallax::system_tests
