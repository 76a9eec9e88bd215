#include <algorithm>
#include <future>
#include <memory>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>

#include "client/cli/commands.h"
#include "client/cli/table.h"

namespace parallax::cli {
namespace {

namespace json = boost::json;
using Align = Table::Align;

template <class Number>
Cell number_cell(const std::optional<Number>& number) {
  if (!number) return Cell("-", Tone::faint);
  if constexpr (std::is_floating_point_v<Number>) {
    return Cell(fmt::format("{:.1f}", *number));
  } else {
    return Cell(with_commas(*number));
  }
}

Cell text_cell(const std::string& text) {
  return text.empty() ? Cell("-", Tone::faint) : Cell(text);
}

Cell up_cell(const MemberView& member) {
  if (!member.up) return Cell("-", Tone::faint);
  return *member.up ? Cell("up", Tone::good) : Cell("down", Tone::bad);
}

std::string cluster_text(const ClusterView& view, bool colour) {
  std::string out = fmt::format(
      "cluster {}  term {}  leader {}\n",
      view.cluster_id.empty() ? "not formed yet" : printable(view.cluster_id), view.term,
      view.leader == kNoNode ? paint("unknown", Tone::bad, colour) : fmt::to_string(view.leader));
  Table table({{"NODE", Align::right},
               {"ROLE"},
               {"STATE"},
               {"CLIENT"},
               {"PEER"},
               {"MATCH", Align::right},
               {"APPLIED", Align::right},
               {"LAG MS", Align::right},
               {"CLOCK MS", Align::right}});
  for (const MemberView& member : view.members) {
    const bool leads = member.id == view.leader;
    Cell role = text_cell(member.role);
    if (leads) role.tone = Tone::strong;
    table.add({Cell(fmt::to_string(member.id)), role, up_cell(member), text_cell(member.client),
               text_cell(member.peer), number_cell(member.match_index),
               number_cell(member.applied_index), number_cell(member.lag_ms),
               number_cell(member.clock_offset_ms)});
  }
  return out + table.to_string(colour);
}

struct NodeAnswer {
  std::string endpoint;
  Result<NodeStatus> status;
};

/// Asks all at once.
std::vector<NodeAnswer> ask_all(Client& client, const std::vector<std::string>& endpoints) {
  std::vector<std::future<Result<NodeStatus>>> pending;
  for (const std::string& endpoint : endpoints) {
    auto promise = std::make_shared<std::promise<Result<NodeStatus>>>();
    pending.push_back(promise->get_future());
    client.async_status(endpoint, {}, [promise](Result<NodeStatus> status) {
      promise->set_value(std::move(status));
    });
  }
  std::vector<NodeAnswer> answers;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    answers.push_back(NodeAnswer{endpoints[i], pending[i].get()});
  }
  return answers;
}

/// One column per node, one line per figure: what differs between nodes stands side by side.
/// So that three nodes fit beside each other. --json has all of it.
Cell status_cell(const std::string& text) {
  constexpr std::size_t kMost = 21;  // an endpoint: 127.127.127.127:65535
  return text_cell(text.size() <= kMost ? text : text.substr(0, kMost - 3) + "...");
}

std::string status_text(const std::vector<NodeAnswer>& answers, bool colour) {
  std::vector<Table::Column> columns{{"", Align::left}};
  std::vector<std::string> names;
  for (const NodeAnswer& answer : answers) {
    columns.push_back({answer.endpoint, Align::right});
    if (!answer.status) continue;
    for (const StatusField& field : answer.status->fields) {
      if (std::find(names.begin(), names.end(), field.name) == names.end()) {
        names.push_back(field.name);
      }
    }
  }
  if (names.empty()) return {};
  Table table(columns);
  for (const std::string& name : names) {
    std::vector<Cell> row{Cell(name)};
    for (const NodeAnswer& answer : answers) {
      if (!answer.status) {
        row.emplace_back(name == names.front() ? "unreachable" : "", Tone::bad);
        continue;
      }
      const auto& fields = answer.status->fields;
      const auto found = std::find_if(fields.begin(), fields.end(),
                                      [&](const StatusField& field) { return field.name == name; });
      row.push_back(found == fields.end() ? Cell("-", Tone::faint) : status_cell(found->value));
    }
    table.add(std::move(row));
  }
  return table.to_string(colour);
}

std::string status_json(const std::vector<NodeAnswer>& answers) {
  json::array nodes;
  for (const NodeAnswer& answer : answers) {
    json::object node = answer.status ? json::parse(answer.status->json).as_object()
                                      : json::parse(error_json(answer.status.error())).as_object();
    node["endpoint"] = answer.endpoint;
    nodes.emplace_back(std::move(node));
  }
  return json::serialize(json::object{{"nodes", std::move(nodes)}}) + '\n';
}

ExitCode run_cluster(const GlobalOptions& global) {
  const auto connection = Connection::open(global);
  if (!connection) return report(connection.error(), global.json);
  const auto view = (*connection)->cluster();
  if (!view) return report(view.error(), global.json);
  std::string out = global.json ? view->json : cluster_text(*view, colour_on_stdout());
  if (!out.ends_with('\n')) out += '\n';
  if (const auto written = write_out(out); !written) return report(written.error(), false);
  return kDone;
}

ExitCode run_status(const GlobalOptions& global, const std::vector<std::string>& endpoints) {
  // What a node says now: one that does not answer is an answer too, so nothing is retried.
  const auto connection = Connection::open(global, {.retry = {.max_attempts = 1}});
  if (!connection) return report(connection.error(), global.json);
  const auto answers = ask_all(**connection, endpoints.empty() ? global.endpoints : endpoints);
  ExitCode code = kDone;
  for (const NodeAnswer& answer : answers) {
    if (answer.status) continue;
    code = std::max(code, report(answer.status.error(), false));
  }
  const std::string out =
      global.json ? status_json(answers) : status_text(answers, colour_on_stdout());
  if (const auto written = write_out(out); !written) return report(written.error(), false);
  return code;
}

}  // namespace

void add_cluster_verbs(CLI::App& app, VerbAction& chosen) {
  CLI::App* cluster =
      add_verb(app, "cluster", "Show the members, as the first node that answers sees them",
               {"parallax cluster", "parallax cluster --endpoints 127.0.0.1:7102 --json"});
  cluster->final_callback([&chosen] { chosen = run_cluster; });

  const auto nodes = std::make_shared<std::vector<std::string>>();
  CLI::App* status =
      add_verb(app, "status", "Show each node's own figures, side by side",
               {"parallax status", "parallax status 127.0.0.1:7102", "parallax status --json"});
  status->add_option("ENDPOINT", *nodes, "Nodes to ask (default: all of --endpoints)")
      ->type_name("");
  status->final_callback([&chosen, nodes] {
    chosen = [nodes](const GlobalOptions& global) { return run_status(global, *nodes); };
  });
}

}  // namespace parallax::cli
