// The etcd processes of a run: one cluster, whose nodes speak to each other through links of ours.
//
// What it does not do: carry steps out (etcd_store.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include "harness/io/links.h"
#include "harness/io/system.h"

namespace parallax::harness {

class EtcdCluster final : public System {
 public:
  /// `program`: the path of etcd. Errors: io.
  static Result<std::unique_ptr<System>> open(const RunOptions& options, const std::string& program,
                                              const std::string& directory);

  Result<void> start(std::uint32_t node, bool recover) override;
  bool ready(std::uint32_t node) override;
  std::uint32_t leader() override;
  Result<void> set_faults(std::uint32_t node, const std::vector<ActiveFault>& active) override;
  bool transfer_leadership(std::uint32_t from, std::uint32_t to) override;
  Result<std::unique_ptr<Store>> open_store(const RunOptions& options) override;

 private:
  /// What the node says to a request of maintenance/...; nothing when it does not.
  std::optional<boost::json::object> maintain(std::uint32_t node, std::string_view what,
                                              const boost::json::object& body = {});
  /// What etcd calls the node; "0": it does not say.
  std::string member_of(std::uint32_t node);

  std::string program_;
  std::vector<std::string> members_;  ///< by node - 1; empty: not known yet
  std::unique_ptr<Links> links_;
};

}  // namespace parallax::harness
