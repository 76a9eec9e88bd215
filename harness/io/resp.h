// Redis' protocol: commands and replies on one connection.
//
// Source: redis.io, "RESP protocol specification" (version 2).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/io/plain_http.h"

namespace parallax::harness {

struct RespReply {
  enum class Kind : std::uint8_t { nothing, text, number, list, error };
  Kind kind = Kind::nothing;
  std::string text = {};  ///< of error: what it says
  std::int64_t number = 0;
  std::vector<RespReply> list = {};

  bool is_error(std::string_view code) const {
    return kind == Kind::error && text.starts_with(code);
  }
};

/// The bytes of a command.
std::string resp_command(const std::vector<std::string>& words);
/// The reply that `bytes` begin with, which are removed; nothing while it is not whole. `broken` is
/// set when they begin with no reply.
std::optional<RespReply> parse_resp(std::string& bytes, bool& broken);

/// One connection to one Redis node, made when it is needed. One thread at a time.
class RespConnection {
 public:
  explicit RespConnection(std::string endpoint) : endpoint_(std::move(endpoint)) {}

  struct Outcome {
    /// As many as there were commands; fewer: the others were not answered.
    std::vector<RespReply> replies = {};
    bool sent = false;  ///< some of the commands may have been carried out
  };
  /// All at once, within `limit`. After a failure the connection is a new one.
  Outcome call(const std::vector<std::vector<std::string>>& commands,
               std::chrono::milliseconds limit);

 private:
  std::string endpoint_;
  std::unique_ptr<Connection> connection_;
  std::string received_;
};

}  // namespace parallax::harness
