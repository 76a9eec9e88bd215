#include "node/http_bodies.h"

#include <algorithm>

#include "base/assert.h"
#include "base/base64.h"
#include "client/http_protocol.h"
#include "consistency/key_context.h"
#include "node/http_render.h"
#include "node/json_text.h"
#include "node/page_token.h"

namespace parallax {
namespace {

void append_etag(const Stamp& stamp, std::string& out) {
  out.append("\"etag\":\"\\\"");
  stamp.append_to(out);
  out.append("\\\"\"");
}

void append_content_type(std::string_view type, std::string& out) {
  out.append(",\"content_type\":");
  append_json_string(safe_content_type(type), out);
}

/// `items` separated by commas.
template <class List, class Append>
void append_list(const List& list, std::string& out, Append append) {
  out += '[';
  bool first = true;
  for (const auto& item : list) {
    if (!first) out += ',';
    first = false;
    append(item);
  }
  out += ']';
}

void append_siblings(const Answer& answer, std::string& out) {
  out.append("\"siblings\":");
  append_list(answer.items, out, [&](const Item& item) {
    out += '{';
    append_etag(item.stamp, out);
    out += ',';
    append_base64_member("value_base64", item.value.view(), out);
    append_content_type(item.content_type, out);
    out += '}';
  });
}

void append_items(const KvForm& form, const Answer& answer, std::string& out) {
  std::size_t bytes = 0;
  for (const Item& item : answer.items) bytes += item.key.size() + item.value.size() * 4 / 3 + 100;
  out.reserve(out.size() + bytes + 200);
  const bool keys_only = form.range && form.range->keys_only;
  out.append("{\"items\":");
  append_list(answer.items, out, [&](const Item& item) {
    out += '{';
    append_text_or_base64("key", item.key, out);
    if (!keys_only) {
      out += ',';
      append_base64_member("value_base64", item.value.view(), out);
      append_content_type(item.content_type, out);
    }
    out += ',';
    append_etag(item.stamp, out);
    out += '}';
  });
  out.append(",\"next\":");
  if (form.range && answer.next) {
    append_json_string(encode_page_token({*form.range, *answer.next}), out);
  } else {
    out.append("null");
  }
}

void append_missing(const Answer& answer, std::string& out) {
  std::vector<std::string_view> texts;
  std::vector<std::string_view> bytes;
  for (const std::string& key : answer.missing) (is_utf8(key) ? texts : bytes).push_back(key);
  out.append(",\"missing\":");
  append_list(texts, out, [&](std::string_view key) { append_json_string(key, out); });
  if (bytes.empty()) return;
  out.append(",\"missing_base64\":");
  append_list(bytes, out,
              [&](std::string_view key) { out.append("\"").append(base64(key)).append("\""); });
}

void append_versions(const Answer& answer, std::string& out) {
  out.append("{\"versions\":");
  append_list(answer.versions, out, [&](const PastValue& version) {
    out += '{';
    append_etag(version.stamp, out);
    out.append(",\"at_ms\":");
    append_decimal(version.stamp.hlc.millis().value, out);
    out.append(version.tombstone ? ",\"kind\":\"tombstone\"" : ",\"kind\":\"value\",");
    if (!version.tombstone) {
      append_base64_member("value_base64", version.value.view(), out);
      append_content_type(version.content_type, out);
    }
    out.append(",\"origin\":");
    append_decimal(std::uint64_t{version.stamp.node.value}, out);
    out += '}';
  });
  out.append(",\"complete_from_ms\":");
  append_decimal(answer.history_floor.value, out);
}

void append_policy(const Policy& policy, std::string& out) {
  out.append("\"default_consistency\":");
  if (policy.default_consistency) {
    append_json_string(policy.default_consistency->to_string(), out);
  } else {
    out.append("null");
  }
  out.append(",\"mixing\":\"").append(mixing_name(policy.mixing));
  out.append("\",\"conflict\":\"").append(conflict_name(policy.conflict)).append("\"");
}

/// What a key request's headers say, as members.
void append_claim(const KvForm& form, const Answer& answer, std::string& out) {
  if (answer.stamp) {
    out += ',';
    append_etag(*answer.stamp, out);
  }
  out.append(",\"consistency\":\"");
  answer.consistency.append_to(out);
  out.append("\",\"context\":\"");
  append_key_context(form.key, answer.context, out);
  out.append("\",\"evidence\":\"");
  answer.evidence.append_to(out);
  out += '"';
  if (answer.staleness_ms) out.append(fmt::format(",\"staleness_ms\":{}", *answer.staleness_ms));
  if (answer.replayed) out.append(",\"replayed\":true");
}

std::string without_line_end(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

void append_batch_result(const BatchRun::Entry& entry, const AddressOf& leader_address,
                         std::string& out) {
  const Reply& reply = *entry.reply;
  const int status = kv_status(entry.form, reply);
  out.append("{\"status\":");
  append_decimal(std::int64_t{status}, out);
  if (!reply) {
    const HttpReply problem = problem_reply(
        Problem{.leader_address = leader_address(reply.error()), .error = reply.error()});
    out.append(",\"problem\":").append(without_line_end(problem.body)).append("}");
    return;
  }
  append_claim(entry.form, *reply, out);
  if (reply->refusal) {
    out.append(",\"problem\":").append(without_line_end(refusal_body(*reply)));
  } else if (status == 404) {
    out.append(",\"problem\":").append(without_line_end(absent_body(entry.form)));
  } else if (status == 300) {
    out += ',';
    append_siblings(*reply, out);
  } else if (entry.form.op == KvOp::increment) {
    out.append(",\"value\":");
    append_decimal(reply->number.value_or(0), out);
  } else if (entry.form.op == KvOp::get && status == 200) {
    out += ',';
    append_base64_member("value_base64", reply->value.view(), out);
    append_content_type(reply->content_type, out);
  }
  out += '}';
}

}  // namespace

std::string_view safe_content_type(std::string_view text) {
  const bool safe = std::all_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) || c == '\t';
  });
  return text.empty() || !safe || !is_utf8(text) ? kDefaultContentType : text;
}

std::string answer_body(const KvForm& form, const Answer& answer) {
  std::string out;
  switch (form.op) {
    case KvOp::get:
    case KvOp::head:
      out += '{';
      append_siblings(answer, out);
      break;
    case KvOp::increment:
      out.append("{\"value\":");
      append_decimal(answer.number.value_or(0), out);
      break;
    case KvOp::get_crdt:
    case KvOp::update_crdt:
      PARALLAX_ASSERT(answer.crdt, "no convergent value to show");
      return crdt_document(*answer.crdt) + '\n';
    case KvOp::scan:
      append_items(form, answer, out);
      break;
    case KvOp::get_many:
      append_items(form, answer, out);
      append_missing(answer, out);
      break;
    case KvOp::history:
      append_versions(answer, out);
      break;
    case KvOp::get_policy:
      PARALLAX_ASSERT(!answer.policies.empty(), "no policy to show");
      out += '{';
      append_policy(answer.policies.front().second, out);
      break;
    case KvOp::list_policies:
      out.append("{\"policies\":");
      append_list(answer.policies, out, [&](const auto& policy) {
        out += '{';
        append_text_or_base64("prefix", policy.first, out);
        out += ',';
        append_policy(policy.second, out);
        out += '}';
      });
      break;
    case KvOp::wait:
      out.append("{\"replicas\":");
      append_decimal(std::uint64_t{answer.replicas}, out);
      break;
    case KvOp::put:
    case KvOp::remove:
    case KvOp::put_policy:
    case KvOp::delete_policy:
      PARALLAX_UNREACHABLE("{} has no body", kv_op_name(form.op));
  }
  out.append("}\n");
  return out;
}

std::string refusal_body(const Answer& answer) {
  PARALLAX_ASSERT(answer.refusal.has_value(), "no refusal to show");
  Problem problem{.error = *answer.refusal};
  if (problem.error.code == ErrorCode::precondition_failed) problem.etag = answer.stamp;
  return render_problem(problem);
}

std::string batch_body(const BatchRun& run, const AddressOf& leader_address) {
  std::string out = "{\"results\":";
  append_list(run.entries(), out, [&](const BatchRun::Entry& entry) {
    append_batch_result(entry, leader_address, out);
  });
  out.append("}\n");
  return out;
}

SessionToken batch_session(const BatchRun& run) {
  SessionToken session;
  for (const BatchRun::Entry& entry : run.entries()) {
    if (entry.reply && *entry.reply) session.join((*entry.reply)->session);
  }
  return session;
}

}  // namespace parallax
