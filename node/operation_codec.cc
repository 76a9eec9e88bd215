#include "node/operation_codec.h"

#include "base/assert.h"
#include "base/limits.h"
#include "node/operation.pb.h"

namespace parallax {
namespace {

template <class... Operands>
Error corrupt(fmt::format_string<Operands...> format, Operands&&... operands) {
  return definite(
      ErrorCode::corrupt,
      fmt::format("a forwarded {}", fmt::format(format, std::forward<Operands>(operands)...)));
}

bool parse(google::protobuf::MessageLite& message, const Bytes& payload) {
  return payload.size() <= limits::kMaxFrameBytes &&
         message.ParseFromArray(payload.view().data(), static_cast<int>(payload.size()));
}

// --- Requests -----------------------------------------------------------------------------------

struct Fill {
  forwarded::Request& out;

  void operator()(const Put& put) const {
    forwarded::Request::Put& to = *out.mutable_put();
    to.set_key(put.key);
    to.set_value(put.value.view().data(), put.value.size());
    to.set_content_type(put.content_type);
  }
  void operator()(const Get& get) const { out.mutable_get()->set_key(get.key); }
  void operator()(const Delete& gone) const { out.mutable_delete_()->set_key(gone.key); }
};

Result<Operation> read_operation(forwarded::Request& in) {
  switch (in.operation_case()) {
    case forwarded::Request::kPut: {
      forwarded::Request::Put& put = *in.mutable_put();
      if (put.content_type().size() > limits::kMaxContentTypeBytes) {
        return corrupt("request is corrupt: put.content_type: {} bytes, at most {} expected",
                       put.content_type().size(), limits::kMaxContentTypeBytes);
      }
      return Operation{Put{.key = std::move(*put.mutable_key()),
                           .value = Bytes{std::move(*put.mutable_value())},
                           .content_type = std::move(*put.mutable_content_type())}};
    }
    case forwarded::Request::kGet:
      return Operation{Get{std::move(*in.mutable_get()->mutable_key())}};
    case forwarded::Request::kDelete:
      return Operation{Delete{std::move(*in.mutable_delete_()->mutable_key())}};
    case forwarded::Request::OPERATION_NOT_SET:
      return corrupt("request is corrupt: operation: of no kind that is known here");
  }
  PARALLAX_UNREACHABLE("operation case {}", static_cast<int>(in.operation_case()));
}

Result<Consistency> read(const forwarded::Consistency& in) {
  auto level = parse_level(in.level());
  if (!level) return corrupt("consistency is corrupt: level: {}", level.error().message);
  return Consistency{*level};
}

// --- Replies ------------------------------------------------------------------------------------

void fill(forwarded::Answer& out, const Answer& answer) {
  out.mutable_consistency()->set_level(std::string(level_info(answer.consistency.level).name));
  if (answer.stamp) {
    out.mutable_stamp()->set_hlc(answer.stamp->hlc.value);
    out.mutable_stamp()->set_node(answer.stamp->node.value);
  }
  out.set_found(answer.found);
  out.set_value(answer.value.view().data(), answer.value.size());
  out.set_content_type(answer.content_type);
  forwarded::Evidence& evidence = *out.mutable_evidence();
  evidence.set_node(answer.evidence.node.value);
  evidence.set_term(answer.evidence.term.value);
  evidence.set_index(answer.evidence.index.value);
  evidence.set_path(std::string(path_name(answer.evidence.path)));
  for (const NodeId replica : answer.evidence.replicas) evidence.add_replicas(replica.value);
  evidence.set_sequenced(answer.evidence.sequenced);
  evidence.set_degraded(answer.evidence.degraded);
}

void fill(forwarded::Error& out, const Error& error) {
  out.set_code(std::string(error_info(error.code).name));
  out.set_definite(error.definite());
  out.set_message(error.message);
  out.set_leader(error.leader.value);
}

Result<Evidence> read(const forwarded::Evidence& in) {
  const std::optional<Path> path = find_path(in.path());
  if (!path) return corrupt("answer is corrupt: evidence.path: of no kind that is known here");
  Evidence evidence{.node = NodeId{in.node()},
                    .term = Term{in.term()},
                    .index = LogIndex{in.index()},
                    .path = *path,
                    .replicas = {},
                    .sequenced = in.sequenced(),
                    .degraded = in.degraded()};
  for (const std::uint32_t replica : in.replicas()) {
    // Zero is below every node, so the first of them is caught as well.
    const NodeId last = evidence.replicas.empty() ? kNoNode : evidence.replicas.back();
    if (NodeId{replica} <= last) {
      return corrupt("answer is corrupt: evidence.replicas: {} behind {}", replica, last);
    }
    evidence.replicas.push_back(NodeId{replica});
  }
  return evidence;
}

Result<Answer> read(forwarded::Answer& in) {
  Answer answer;
  PARALLAX_ASSIGN(answer.consistency, read(in.consistency()));
  PARALLAX_ASSIGN(answer.evidence, read(in.evidence()));
  if (in.has_stamp()) {
    answer.stamp = Stamp{Hlc{in.stamp().hlc()}, NodeId{in.stamp().node()}};
    if (answer.stamp->empty() || answer.stamp->node == kNoNode) {
      return corrupt("answer is corrupt: stamp: {}", *answer.stamp);
    }
  }
  answer.found = in.found();
  if (answer.found && !answer.stamp) return corrupt("answer is corrupt: found: without a stamp");
  if (!answer.found && !in.value().empty()) {
    return corrupt("answer is corrupt: value: {} bytes of what was not found", in.value().size());
  }
  answer.value = Bytes{std::move(*in.mutable_value())};
  answer.content_type = std::move(*in.mutable_content_type());
  return answer;
}

Result<void> read(forwarded::Error& in, Error& error) {
  const ErrorInfo* const info = find_error(in.code());
  if (info == nullptr) return corrupt("error is corrupt: code: of no kind that is known here");
  error = Error{.code = info->code,
                .certainty = in.definite() ? Certainty::definite : Certainty::indefinite,
                .message = std::move(*in.mutable_message()),
                .leader = NodeId{in.leader()}};
  return {};
}

// An Error alone could be either the outer Result's or the inner one's: these say which.
Result<Reply> a_reply(Reply reply) {
  return Result<Reply>(boost::system::in_place_value, std::move(reply));
}
Result<Reply> no_reply(Error error) {
  return Result<Reply>(boost::system::in_place_error, std::move(error));
}

}  // namespace

Bytes encode_request(const Request& request) {
  forwarded::Request out;
  std::visit(Fill{out}, request.operation);
  out.mutable_consistency()->set_level(std::string(level_info(request.consistency.level).name));
  out.set_timeout_ms(request.timeout.count());
  out.set_forward(request.forward);
  return Bytes{out.SerializeAsString()};
}

Result<Request> decode_request(const Bytes& payload) {
  forwarded::Request in;
  if (!parse(in, payload)) return corrupt("request is corrupt: it does not follow its schema");
  Request request;
  PARALLAX_ASSIGN(request.operation, read_operation(in));
  const std::size_t key_size = operation_key(request.operation).size();
  if (key_size == 0 || key_size > limits::kMaxKeyBytes) {
    return corrupt("request is corrupt: key: {} bytes, 1 to {} expected", key_size,
                   limits::kMaxKeyBytes);
  }
  PARALLAX_ASSIGN(request.consistency, read(in.consistency()));
  request.timeout = std::chrono::milliseconds{in.timeout_ms()};
  if (in.timeout_ms() < 0 || request.timeout > limits::kMaxRequestTimeout) {
    return corrupt("request is corrupt: timeout_ms: {}, 0 to {} expected", in.timeout_ms(),
                   std::chrono::milliseconds{limits::kMaxRequestTimeout}.count());
  }
  request.forward = in.forward();
  return request;
}

Bytes encode_reply(const Reply& reply) {
  forwarded::Reply out;
  if (reply) {
    fill(*out.mutable_answer(), *reply);
  } else {
    fill(*out.mutable_error(), reply.error());
  }
  return Bytes{out.SerializeAsString()};
}

Result<Reply> decode_reply(const Bytes& payload) {
  forwarded::Reply in;
  if (!parse(in, payload)) {
    return no_reply(corrupt("reply is corrupt: it does not follow its schema"));
  }
  switch (in.reply_case()) {
    case forwarded::Reply::kAnswer: {
      Result<Answer> answer = read(*in.mutable_answer());
      return answer ? a_reply(*std::move(answer)) : no_reply(answer.error());
    }
    case forwarded::Reply::kError: {
      Error error;
      const Result<void> sound = read(*in.mutable_error(), error);
      return sound ? a_reply(std::move(error)) : no_reply(sound.error());
    }
    case forwarded::Reply::REPLY_NOT_SET:
      return no_reply(corrupt("reply is corrupt: of no kind that is known here"));
  }
  PARALLAX_UNREACHABLE("reply case {}", static_cast<int>(in.reply_case()));
}

}  // namespace parallax
