#include "node/io/logging.h"

#include <memory>
#include <utility>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

namespace parallax {
namespace {

constexpr int kLinesPerWindow = 5;
constexpr std::chrono::seconds kWindow{10};

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
      return spdlog::level::trace;
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

}  // namespace

Result<void> start_logging(const NodeConfig& config) {
  spdlog::sink_ptr sink;
  if (config.log_file.empty()) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    try {
      sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(config.log_file);
    } catch (const spdlog::spdlog_ex& error) {
      return definite(ErrorCode::refused,
                      fmt::format("--log-file: {} cannot be opened for appending: {}",
                                  config.log_file, error.what()));
    }
  }
  auto logger = std::make_shared<spdlog::logger>("parallaxd", std::move(sink));
  logger->set_pattern(fmt::format("%Y-%m-%dT%H:%M:%S.%eZ %l node={} %v", config.node_id),
                      spdlog::pattern_time_type::utc);
  logger->set_level(to_spdlog(config.log_level));
  logger->flush_on(spdlog::level::info);
  spdlog::set_default_logger(std::move(logger));
  return {};
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    if (control) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

bool LogLimiter::allow(std::uint64_t& suppressed) {
  const auto now = std::chrono::steady_clock::now();
  if (now - window_ >= kWindow) {
    window_ = now;
    used_ = 0;
  }
  if (used_ >= kLinesPerWindow) {
    ++suppressed_;
    return false;
  }
  ++used_;
  suppressed = std::exchange(suppressed_, 0);
  return true;
}

}  // namespace parallax
