// Runs the scripts of tests/data/raft: commands, a line "----", and what they print. With
// PARALLAX_REWRITE=1 in the environment the expected outputs are written anew; read the diff.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <catch2/catch.hpp>

#include "raft_world.h"

namespace parallax::testing {
namespace {

/// One script: a world and the words that move it.
class RaftScript {
 public:
  std::string run(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    out_.clear();
    if (verb == "nodes") {
      RaftWorld::Options options;
      words >> options.nodes;
      world_.emplace(options);
      world_->on_deliver = [this](const RaftWorld::Packet& packet) {
        say("{}->{} {}", packet.from, packet.to, describe(packet.message));
      };
    } else {
      const auto before = states();
      act(verb, words);
      const auto after = states();
      for (std::size_t i = 0; i < after.size(); ++i) {
        if (i >= before.size() || before[i] != after[i]) say("{}", after[i]);
      }
    }
    return out_.empty() ? "ok\n" : out_;
  }

 private:
  template <class... T>
  void say(fmt::format_string<T...> format, T&&... arguments) {
    out_ += fmt::format(format, std::forward<T>(arguments)...) + "\n";
  }

  std::vector<std::string> states() {
    std::vector<std::string> result;
    for (std::uint32_t i = 1; i <= world_->size(); ++i) {
      if (!world_->up(i)) {
        result.push_back(fmt::format("{}: down", i));
        continue;
      }
      const Raft& raft = world_->raft(i);
      result.push_back(fmt::format("{}: {}{} term {} leader {} log ({}, {}] commit {} applied {}",
                                   i, role_name(raft.role()),
                                   raft.recovering() ? " recovering" : "", raft.term(),
                                   raft.leader(), raft.log().start().index, raft.log().last_index(),
                                   raft.commit_index(), raft.applied_index()));
    }
    return result;
  }

  void act(const std::string& verb, std::istringstream& words) {
    std::uint32_t a = 0;
    std::uint32_t b = 0;
    std::string text;
    if (verb == "campaign") {
      words >> a;
      world_->raft(a).campaign();
      world_->collect();
    } else if (verb == "propose") {
      words >> a >> text;
      const auto index = world_->raft(a).propose(Bytes{text});
      say("{}", index ? fmt::format("proposed {}", *index) : "refused");
      world_->collect();
    } else if (verb == "read") {
      words >> a;
      const auto round = world_->raft(a).request_read_round();
      say("{}", round ? fmt::format("round {}", *round) : "refused");
      world_->collect();
    } else if (verb == "confirmed") {
      words >> a;
      for (const ConfirmedRound& round : world_->node(a).confirmed) {
        say("round {} at {} by {} nodes", round.round, round.index, round.replicas.size());
      }
      world_->node(a).confirmed.clear();
    } else if (verb == "tick") {
      words >> a;
      world_->advance(std::chrono::milliseconds(a));
    } else if (verb == "stabilize") {
      world_->stabilize();
    } else if (verb == "deliver") {
      world_->deliver_round();
    } else if (verb == "lose") {
      world_->packets().clear();
    } else if (verb == "cut") {
      words >> a >> b;
      world_->cut(a, b);
    } else if (verb == "isolate") {
      words >> a;
      world_->isolate(a);
    } else if (verb == "heal") {
      world_->heal();
    } else if (verb == "crash") {
      words >> a;
      world_->crash(a);
    } else if (verb == "restart") {
      words >> a;
      world_->restart(a);
    } else if (verb == "wipe") {
      words >> a;
      world_->wipe(a);
    } else if (verb == "hold") {
      words >> a;
      world_->node(a).hold_disk = true;
    } else if (verb == "release") {
      words >> a;
      world_->node(a).hold_disk = false;
      while (!world_->node(a).batches.empty()) world_->persist_one(world_->node(a));
      world_->collect();
    } else if (verb == "transfer") {
      words >> a >> b;
      say("{}", world_->raft(a).transfer_leadership(NodeId{b}) ? "begun" : "refused");
      world_->collect();
    } else if (verb == "compact") {
      words >> a >> b;
      world_->raft(a).compact(LogIndex{b});
      world_->collect();
    } else if (verb == "state") {
      words >> a;
      for (const auto& [index, value] : world_->node(a).state) say("{} {}", index, value);
    } else if (verb == "progress") {
      words >> a;
      for (const auto& [peer, p] : world_->raft(a).progress()) {
        say("{}: {} match {} next {} inflight {}{}{}", peer, progress_name(p.state), p.match,
            p.next, p.inflight.size(), p.paused ? " paused" : "",
            p.recovering ? " recovering" : "");
      }
    } else {
      FAIL("unknown command '" << verb << "'");
    }
  }

  std::optional<RaftWorld> world_;
  std::string out_;
};

/// A block: its commands and what they printed.
std::string rerun(const std::string& script) {
  RaftScript runner;
  std::istringstream in(script);
  std::string result;
  std::string line;
  std::string block_output;
  bool in_output = false;
  while (std::getline(in, line)) {
    if (in_output) {
      if (!line.empty()) continue;  // the old output
      in_output = false;
      result += "\n";
      continue;
    }
    result += line + "\n";
    if (line == "----") {
      result += block_output;
      block_output.clear();
      in_output = true;
    } else if (!line.empty() && line[0] != '#') {
      block_output += runner.run(line);
    }
  }
  return result;
}

TEST_CASE("raft scripts print what they should", "[raft]") {
  const std::filesystem::path folder = std::string(PARALLAX_SOURCE_DIR) + "/tests/data/raft";
  std::vector<std::filesystem::path> scripts;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".txt") scripts.push_back(entry.path());
  }
  std::sort(scripts.begin(), scripts.end());
  REQUIRE(scripts.size() >= 7);
  for (const auto& path : scripts) {
    DYNAMIC_SECTION(path.stem().string()) {
      std::ifstream file(path);
      const std::string expected{std::istreambuf_iterator<char>(file), {}};
      REQUIRE(expected.find("----") != std::string::npos);
      const std::string actual = rerun(expected);
      if (std::getenv("PARALLAX_REWRITE") != nullptr) {
        std::ofstream(path) << actual;
      } else {
        CHECK(actual == expected);
      }
    }
  }
}

}  // namespace
}  // namespace parallax::testing
