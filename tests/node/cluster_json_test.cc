#include "node/cluster_json.h"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

namespace parallax {

TEST_CASE("cluster json: what is known and what is not") {
  ReplicaStatus status{.id = NodeId{1},
                       .cluster = {0x12, 0x34},
                       .membership = Membership::member,
                       .role = Role::leader,
                       .term = Term{5},
                       .leader = NodeId{1},
                       .applied_index = LogIndex{40}};
  status.members = {{.id = NodeId{1},
                     .role = "leader",
                     .match_index = LogIndex{42},
                     .applied_index = LogIndex{40}},
                    {.id = NodeId{2},
                     .role = "follower",
                     .up = true,
                     .match_index = LogIndex{41},
                     .applied_index = LogIndex{39},
                     .clock_offset_ms = -3,
                     .lag_ms = 0,
                     .hints = 4}};
  ProcessStatus process;
  process.addresses = {{NodeId{1}, "127.0.0.1:7101", "127.0.0.1:7201"},
                       {NodeId{2}, "", "127.0.0.1:7202"},
                       {NodeId{3}, "", "127.0.0.1:7203"}};
  CHECK(render_cluster(status, process) ==
        "{\"cluster_id\":\"00000000000000120000000000000034\",\"term\":5,\"leader\":1,\"members\":["
        "{\"id\":1,\"client\":\"127.0.0.1:7101\",\"peer\":\"127.0.0.1:7201\",\"role\":\"leader\","
        "\"up\":true,\"match_index\":42,\"applied_index\":40,\"lag_ms\":null,"
        "\"clock_offset_ms\":null,\"hints\":0},"
        "{\"id\":2,\"client\":null,\"peer\":\"127.0.0.1:7202\",\"role\":\"follower\",\"up\":true,"
        "\"match_index\":41,\"applied_index\":39,\"lag_ms\":0,\"clock_offset_ms\":-3,\"hints\":4},"
        "{\"id\":3,\"client\":null,\"peer\":\"127.0.0.1:7203\",\"role\":\"unknown\",\"up\":false,"
        "\"match_index\":null,\"applied_index\":null,\"lag_ms\":null,\"clock_offset_ms\":null,"
        "\"hints\":0}]}\n");
  CHECK(client_address(process, NodeId{1}) == "127.0.0.1:7101");
  CHECK(client_address(process, NodeId{2}).empty());
  CHECK(client_address(process, NodeId{9}).empty());
}

TEST_CASE("cluster json: a node that knows nothing yet") {
  const ReplicaStatus status{.id = NodeId{1}};
  const auto cluster = boost::json::parse(render_cluster(status, {})).as_object();
  CHECK(cluster.at("cluster_id").is_null());
  CHECK(cluster.at("leader").is_null());
  const auto own = boost::json::parse(render_status(status, {})).as_object();
  CHECK(own.at("role") == "starting");
  CHECK(own.at("leader").is_null());
  CHECK(own.at("cluster_id").is_null());
  CHECK(own.at("ready") == false);
}

TEST_CASE("cluster json: status") {
  ReplicaStatus status{.id = NodeId{2}, .membership = Membership::member, .term = Term{4}};
  status.leader = NodeId{1};
  status.commit_index = LogIndex{9};
  status.applied_index = LogIndex{8};
  status.durable_index = LogIndex{10};
  ProcessStatus process;
  status.causal.advance({NodeId{2}, Incarnation{7}}, 12);
  process.store_bytes = 1234;
  process.uptime = std::chrono::milliseconds{1500};
  const auto own = boost::json::parse(render_status(status, process)).as_object();
  CHECK(own.at("id") == 2);
  CHECK(own.at("role") == "follower");
  CHECK(own.at("term") == 4);
  CHECK(own.at("leader") == 1);
  CHECK(own.at("commit_index") == 9);
  CHECK(own.at("applied_index") == 8);
  CHECK(own.at("durable_index") == 10);
  CHECK(own.at("store_bytes") == 1234);
  CHECK(own.at("uptime_ms") == 1500);
  CHECK(own.at("version") == PARALLAX_VERSION);
  CHECK(boost::json::serialize(own.at("causal_vector")) ==
        R"([{"node":2,"incarnation":7,"operations":12}])");
  CHECK(own.at("stable_vector").as_array().empty());
}

TEST_CASE("cluster json: roles") {
  ReplicaStatus status{.id = NodeId{1}, .membership = Membership::member};
  status.role = Role::pre_candidate;
  CHECK(status_role(status) == "candidate");
  status.role = Role::candidate;
  CHECK(status_role(status) == "candidate");
  status.membership = Membership::recovering;
  CHECK(status_role(status) == "recovering");
}

}  // namespace parallax
