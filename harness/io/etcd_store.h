// Steps carried out on etcd through its gateway: JSON over HTTP, one attempt for each.
//
// Versions are etcd's revisions, which have one order over all keys; they are recorded as stamps of
// node 1. What etcd may have done although it did not say so is unknown: of errors only those that
// are found before a proposal is made are definite.
//
// Source: etcd.io/docs/v3.4, "gRPC gateway" and the API reference.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include "client/io/http_connection.h"
#include "harness/io/store.h"
#include "harness/io/value_session.h"

namespace parallax::harness {

/// What became of one request.
struct EtcdAnswer {
  std::optional<boost::json::object> body;  ///< of 200; absent: it failed
  bool certain = false;                     ///< of a failure: it did not happen and will not
};

/// A number, which JSON for gRPC has as a text: one that is left out is "0".
std::string etcd_number(const boost::json::object& object, std::string_view name);
/// Of the header that every answer has: which node, which revision.
std::string etcd_header_number(const boost::json::object& answer, std::string_view name);

/// One connection to one etcd node. One thread at a time.
class EtcdConnection {
 public:
  explicit EtcdConnection(Endpoint endpoint) : endpoint_(std::move(endpoint)) {}
  ~EtcdConnection();
  EtcdConnection(const EtcdConnection&) = delete;
  EtcdConnection& operator=(const EtcdConnection&) = delete;

  /// POST /v3/`method`. Within `limit`.
  EtcdAnswer call(std::string_view method, const boost::json::object& body,
                  std::chrono::milliseconds limit);

 private:
  Endpoint endpoint_;
  boost::asio::io_context context_;
  std::shared_ptr<ClientConnection> connection_;
};

class EtcdStore final : public Store {
 public:
  /// Errors: bad_parameter.
  static Result<std::unique_ptr<EtcdStore>> open(const std::vector<std::string>& endpoints);

  std::unique_ptr<StoreSession> session(const RunOptions& options) override;
  Result<std::string> digest(std::uint32_t node, const std::string& prefix) override;

 private:
  std::vector<Endpoint> endpoints_;  ///< by node - 1
};

}  // namespace parallax::harness
