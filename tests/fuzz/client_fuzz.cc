// What servers answer, or something in their place. Input: a response: its status, a line for each
// header ("Name: value"), an empty line, the body.
#include <charconv>

#include "client/cluster_view.h"
#include "client/http_protocol.h"
#include "client/http_reply.h"
#include "tests/fuzz/fuzz.h"

namespace parallax::fuzz {
namespace {

HttpResponse cut_response(Input& input) {
  HttpResponse response;
  const std::string_view status = input.line();
  (void)std::from_chars(status.data(), status.data() + status.size(), response.status);
  while (!input.empty()) {
    const std::string_view line = input.line();
    if (line.empty()) break;
    const std::size_t colon = line.find(": ");
    const std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 2);
    response.headers.emplace_back(line.substr(0, colon), value);
  }
  response.body = input.rest();
  return response;
}

void check_answer(const std::variant<Answer, Refusal>& answer) {
  if (const auto* refusal = std::get_if<Refusal>(&answer)) {
    FUZZ_HOLDS(!refusal->failure.error.message.empty());
  } else {
    const Answer& said = std::get<Answer>(answer);
    FUZZ_HOLDS(!said.stamp || !said.stamp->empty());
    for (const Item& item : said.items) FUZZ_HOLDS(!item.stamp.empty());
  }
}

void check_response(const HttpResponse& response) {
  for (const Operation& operation :
       {Operation{Put{.key = "k", .value = "v"}}, Operation{Get{.key = "k", .siblings = true}},
        Operation{Delete{"k"}}, Operation{Increment{"k"}}, Operation{Scan{}},
        Operation{GetMany{{"k", "m"}}}, Operation{ReadHistory{.key = "k"}},
        Operation{GetPolicy{"p"}}, Operation{ListPolicies{}},
        Operation{SetPolicy{"p", Policy{}}}}) {
    check_answer(read_answer(operation, false, response));
  }
  check_answer(read_answer(Get{"k"}, true, response));
  const std::vector<BatchOperation> batch{{.operation = Get{"k"}}, {.operation = Increment{"k"}}};
  const auto answers = read_batch_answers(batch, response);
  if (const auto* each = std::get_if<BatchAnswers>(&answers)) {
    FUZZ_HOLDS(each->size() == batch.size());
  }
  (void)read_refusal(false, response);
  (void)read_refusal(true, response);
  (void)read_session(response);
}

void check_texts(const HttpResponse& response) {
  if (const auto problem = parse_problem(response.body)) {
    // What we write ourselves comes back; others may say more, or in other words.
    const std::string ours = render_problem(*problem);
    const auto again = parse_problem(ours);
    FUZZ_HOLDS(again.has_value());
    FUZZ_HOLDS(render_problem(*again) == ours);
    FUZZ_HOLDS(again->error.code == problem->error.code);
    FUZZ_HOLDS(again->error.certainty == problem->error.certainty);
  }
  (void)parse_cluster_view(response.body);
  (void)parse_node_status(response.body);
  for (const auto& [name, value] : response.headers) {
    if (const auto evidence = parse_evidence(value)) {
      const auto again = parse_evidence(evidence->to_string());
      FUZZ_HOLDS(again.has_value());
      FUZZ_HOLDS(*again == *evidence);
    }
  }
}

}  // namespace
}  // namespace parallax::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  parallax::fuzz::Input input(data, size);
  const parallax::HttpResponse response = parallax::fuzz::cut_response(input);
  parallax::fuzz::check_response(response);
  parallax::fuzz::check_texts(response);
  return 0;
}
