// Operations and origins for the tests of the causal protocol.
#pragma once

#include <string>

#include "storage/records.h"

namespace parallax::test {

inline Origin origin(std::uint32_t node, std::uint64_t incarnation = 1) {
  return {NodeId{node}, Incarnation{incarnation}};
}

inline Version causal_version(const Origin& by, std::uint64_t hlc, std::string value = "v") {
  Version version;
  version.stamp = {Hlc{hlc}, by.node};
  version.actor = {ActorPath::causal, by.node, by.incarnation};
  version.value = Bytes{std::move(value)};
  return version;
}

/// Number `number` of `by`, with the stamp 100 * number, of key "k".
inline CausalOperation operation(const Origin& by, std::uint64_t number,
                                 OriginVector dependencies = {}, std::string value = "v") {
  return {number, "k", causal_version(by, 100 * number, std::move(value)), std::move(dependencies)};
}

}  // namespace parallax::test
