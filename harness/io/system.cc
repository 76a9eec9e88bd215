#include "harness/io/system.h"

#include <fmt/format.h>
#include <signal.h>

#include "harness/io/files.h"

namespace parallax::harness {

std::string System::data_dir(std::uint32_t node) const {
  return fmt::format("{}/node-{}", directory_, node);
}

std::string System::last_words(std::uint32_t node) const {
  constexpr std::size_t kEnough = 2'000;
  return end_of(read_text(data_dir(node) + ".log"), kEnough);
}

bool System::running(std::uint32_t node) {
  return !at(node).ours || at(node).process.running();
}

Result<void> System::launch(std::uint32_t node, const std::vector<std::string>& argv) {
  PARALLAX_ASSIGN(at(node).process, ChildProcess::start(argv, data_dir(node) + ".log"));
  at(node).paused = false;
  return {};
}

void System::kill(std::uint32_t node) {
  at(node).process.kill();
  at(node).paused = false;
}

void System::pause(std::uint32_t node) {
  at(node).process.signal(SIGSTOP);
  at(node).paused = true;
}

void System::resume(std::uint32_t node) {
  at(node).process.signal(SIGCONT);
  at(node).paused = false;
}

std::string System::why_not_ready(std::uint32_t node) {
  return at(node).ours ? "its log ends:\n" + last_words(node) : std::string("it does not answer\n");
}

std::vector<std::string> System::endpoints() const {
  std::vector<std::string> all;
  for (const Node& node : nodes_) all.push_back(node.endpoint);
  return all;
}

}  // namespace parallax::harness
