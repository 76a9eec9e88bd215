#include "simulation/world.h"

namespace parallax::simulation {
namespace {

Request request_of(Operation operation, Level level, Duration timeout) {
  Request request;
  request.operation = std::move(operation);
  request.consistency.level = level;
  request.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(timeout);
  return request;
}

}  // namespace

Request put_request(std::string key, std::string value, Duration timeout) {
  return request_of(Put{std::move(key), Bytes{std::move(value)}, "text/plain"}, Level::linearizable,
                    timeout);
}
Request get_request(std::string key, Level level, Duration timeout) {
  return request_of(Get{std::move(key)}, level, timeout);
}
Request delete_request(std::string key, Duration timeout) {
  return request_of(Delete{std::move(key)}, Level::linearizable, timeout);
}

}  // namespace parallax::simulation
