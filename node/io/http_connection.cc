#include "node/io/http_connection.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include <boost/asio/buffer.hpp>

#include "base/assert.h"
#include "node/http_bodies.h"

namespace parallax {
namespace {

/// Enough for most requests; grows to the bound of a head where one needs it.
constexpr std::size_t kFirstInputBytes = 4 << 10;
/// For bodies that pass through the input buffer.
constexpr std::size_t kBodyInputBytes = 64 << 10;
/// A buffer that grew beyond this for one request is given back.
constexpr std::size_t kKeptBytes = 64 << 10;
constexpr Duration kNoDeadline = Duration::max();

Error too_large(std::size_t bytes, std::size_t bound) {
  return definite(ErrorCode::payload_too_large,
                  bytes == 0
                      ? fmt::format("the body has more than the {} bytes allowed", bound)
                      : fmt::format("the body has {} bytes; at most {} are allowed", bytes, bound));
}

Error too_many_bodies() {
  return definite(ErrorCode::overloaded, "too many bodies are arriving at once; try again later");
}

Error too_many_answers() {
  return definite(ErrorCode::overloaded,
                  "too many answers wait for clients to take them; try again later");
}

bool is_read(KvOp op) {
  return op != KvOp::put && op != KvOp::remove && op != KvOp::increment &&
         op != KvOp::update_crdt && op != KvOp::put_policy && op != KvOp::delete_policy;
}

/// Of what an answer carries from the store.
std::size_t answer_size(const Answer& answer) {
  std::size_t bytes = answer.value.size();
  for (const Item& item : answer.items) bytes += item.key.size() + item.value.size();
  for (const PastValue& version : answer.versions) bytes += version.value.size();
  return bytes;
}

RequestMetrics::Answered describe(const KvForm& form, const Reply& reply) {
  RequestMetrics::Answered answered{
      .level = form.level, .op = form.op, .status = kv_status(form, reply)};
  if (reply) {
    answered.level = reply->consistency.level;
    answered.path = reply->evidence.path;
    if (reply->refusal) answered.outcome = RequestOutcome::not_applied;
  } else {
    answered.outcome =
        reply.error().definite() ? RequestOutcome::not_applied : RequestOutcome::unknown;
  }
  return answered;
}

}  // namespace

Duration http_clock_now() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

HttpConnection::HttpConnection(Socket socket, HttpShared& shared, std::uint32_t slot)
    : socket_(std::move(socket)),
      shared_(shared),
      slot_(slot),
      deadline_(shared.now + shared.options.idle_timeout),
      in_(std::make_unique<char[]>(kFirstInputBytes)),
      capacity_(kFirstInputBytes) {}

HttpConnection::~HttpConnection() = default;

void HttpConnection::start() {
  advance();
}

void HttpConnection::start_refused(Error error) {
  refuse(error);
  advance();
}

void HttpConnection::read_next() {
  if (state_ == State::header && read_input()) advance();
}

void HttpConnection::close() {
  if (state_ == State::closed) return;
  state_ = State::closed;
  boost::system::error_code ignored;
  socket_.close(ignored);
  release_body_bytes();
  release_answer_bytes();
  shared_.closed(slot_);
}

void HttpConnection::check_deadline() {
  if (shared_.now < deadline_) return;
  const bool arriving = (state_ == State::header && begun_) || state_ == State::body ||
                        state_ == State::chunks || state_ == State::discarding;
  if (!arriving || too_slow_) return close();
  // The answer has to wait for the end of the read that is under way.
  too_slow_ = true;
  deadline_ = shared_.now + shared_.options.linger_timeout;
  boost::system::error_code failed;
  socket_.cancel(failed);
  if (failed) close();
}

void HttpConnection::stop() {
  if (state_ == State::header && !begun_) close();
}

void HttpConnection::advance() {
  if (advancing_) return;  // an answer from inside submit(): the loop below goes on with it
  advancing_ = true;
  while (step()) {
  }
  advancing_ = false;
}

bool HttpConnection::step() {
  switch (state_) {
    case State::header:
      return take_header();
    case State::body:
      return take_body();
    case State::chunks:
      return take_chunks();
    case State::discarding:
      return discard();
    case State::whole:
      carry_out_request();
      return true;
    case State::writing:
      return flush();
    case State::waiting:
    case State::lingering:
    case State::closed:
      return false;
  }
  PARALLAX_UNREACHABLE("state {}", static_cast<int>(state_));
}

// --- Reading -------------------------------------------------------------------------------------

bool HttpConnection::take_header() {
  if (!begun_) {
    // Empty lines before a request are passed over (RFC 9112, 2.2).
    while (begin_ < end_ && (in_[begin_] == '\r' || in_[begin_] == '\n')) ++begin_;
    if (begin_ == end_) {
      if (shared_.stopping) {
        close();
        return false;
      }
      // The client has only now been answered. A read tried at once finds nothing and costs a
      // system call; a little later it may find the next request.
      shared_.read_later(shared_from_this());
      return false;
    }
    begun_ = true;
    scanned_ = 0;
    deadline_ = shared_.now + shared_.options.slow_request_timeout;
  }
  const std::optional<std::size_t> size = find_head_end(input(), scanned_);
  const std::size_t shown = size.value_or(end_ - begin_);
  if (shown > shared_.options.max_header_bytes) {
    refuse(oversized_head(shown));
    return true;
  }
  if (!size) {
    scanned_ = end_ - begin_;
    return read_input();
  }
  const Result<void> parsed = head_.parse(input().substr(0, *size));
  if (!parsed) {
    refuse(parsed.error());
    return true;
  }
  begin_ += *size;
  keep_ = begin_;
  keep_alive_ = head_.keep_alive;
  begin_body();
  return true;
}

Error HttpConnection::oversized_head(std::size_t shown) const {
  const std::string_view line = input().substr(0, input().substr(0, shown).find('\n'));
  if (line.size() > limits::kMaxTargetBytes) {
    return definite(ErrorCode::uri_too_long,
                    fmt::format("the request line has more than {} bytes; a target may have {}",
                                line.size(), limits::kMaxTargetBytes));
  }
  return definite(ErrorCode::headers_too_large,
                  fmt::format("the header has more than the {} bytes allowed",
                              shared_.options.max_header_bytes));
}

void HttpConnection::begin_body() {
  body_.clear();
  body_filled_ = 0;
  discarded_ = 0;
  body_left_ = head_.content_length;
  if (!head_.chunked && body_left_ == 0) {
    state_ = State::whole;
    return;
  }
  body_bound_ = max_body_bytes(head_.method, head_.target, shared_.routes);
  state_ = head_.chunked ? State::chunks : State::body;
  if (body_left_ > body_bound_) {
    const Error error = too_large(body_left_, body_bound_);
    // Whoever asked first has not sent it yet.
    return head_.expects_continue ? refuse(error) : refuse_body(error);
  }
  // Small bodies mostly came with their head; nobody waits for a "continue" then.
  if (head_.expects_continue && !head_.http10 && begin_ == end_) send_continue();
}

void HttpConnection::send_continue() {
  constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  boost::system::error_code failed;
  const std::size_t sent = socket_.write_some(asio::buffer(kContinue), failed);
  // A buffer without room for this line means that the client does not read.
  if (failed || sent != kContinue.size()) close();
}

bool HttpConnection::take_body() {
  if (body_filled_ == 0 && body_left_ > 0) body_.reserve(body_left_);
  const std::size_t here = std::min<std::uint64_t>(end_ - begin_, body_left_);
  if (here > 0) {
    body_.resize(body_filled_);
    body_.append(in_.get() + begin_, here);
    begin_ += here;
    body_filled_ += here;
    body_left_ -= here;
    count_body_bytes(here);
  }
  if (shared_.body_bytes > shared_.options.max_body_bytes_in_flight) {
    refuse_body(too_many_bodies());
    return true;
  }
  if (body_left_ == 0) {
    body_.resize(body_filled_);
    state_ = State::whole;
    return true;
  }
  return read_body();
}

bool HttpConnection::take_chunks() {
  const std::size_t before = body_.size();
  const Result<HttpHead::Chunks> chunks = head_.take_chunks(input(), body_);
  if (!chunks) {
    refuse(chunks.error());
    return true;
  }
  begin_ += chunks->used;
  const std::size_t grown = body_.size() - before;
  if (refusal_) {
    discarded_ += grown;
    body_.clear();
    if (chunks->done || discarded_ > shared_.options.max_discarded_body_bytes) {
      refuse(*std::exchange(refusal_, std::nullopt));
      return true;
    }
  } else {
    count_body_bytes(grown);
    if (body_.size() > body_bound_) {
      refuse_body(too_large(0, body_bound_));
      return true;
    }
    if (shared_.body_bytes > shared_.options.max_body_bytes_in_flight) {
      refuse_body(too_many_bodies());
      return true;
    }
    if (chunks->done) {
      state_ = State::whole;
      return true;
    }
  }
  return read_input();
}

bool HttpConnection::discard() {
  const std::size_t here = std::min<std::uint64_t>(end_ - begin_, body_left_);
  begin_ += here;
  body_left_ -= here;
  discarded_ += here;
  if (body_left_ == 0 || discarded_ >= shared_.options.max_discarded_body_bytes) {
    refuse(*std::exchange(refusal_, std::nullopt));
    return true;
  }
  return read_input();
}

void HttpConnection::refuse_body(Error error) {
  refusal_ = std::move(error);
  keep_alive_ = false;
  // The body may be in the middle of a chunk: the state that parses them goes on.
  discarded_ = body_.size();
  body_ = std::string();
  body_filled_ = 0;
  release_body_bytes();
  if (state_ != State::chunks) state_ = State::discarding;
}

void HttpConnection::count_body_bytes(std::size_t bytes) {
  counted_body_ += bytes;
  shared_.body_bytes += bytes;
}

void HttpConnection::release_body_bytes() {
  shared_.body_bytes -= std::exchange(counted_body_, 0);
}

/// Makes room behind end_. False when the buffer is full and must not grow.
bool HttpConnection::make_room() {
  if (begin_ == end_) {
    begin_ = end_ = keep_;
  } else if (begin_ > keep_) {
    std::memmove(in_.get() + keep_, in_.get() + begin_, end_ - begin_);
    end_ -= begin_ - keep_;
    begin_ = keep_;
  }
  const bool body = state_ == State::chunks || state_ == State::discarding;
  const std::size_t bound =
      body ? keep_ + kBodyInputBytes : std::max(shared_.options.max_header_bytes + 1, capacity_);
  if (body ? capacity_ < bound : end_ == capacity_ && capacity_ < bound) {
    const std::size_t bigger = body ? bound : std::min(capacity_ * 2, bound);
    auto grown = std::make_unique<char[]>(bigger);
    std::memcpy(grown.get(), in_.get(), end_);
    if (body) head_.rebase(in_.get(), grown.get());
    in_ = std::move(grown);
    capacity_ = bigger;
  }
  return end_ < capacity_;
}

bool HttpConnection::read_input() {
  if (!make_room()) {
    // A head is refused before its buffer is full: this is the line before a chunk.
    refuse(definite(ErrorCode::bad_request, "the request is malformed: a chunk without an end"));
    return true;
  }
  socket_.async_read_some(
      asio::buffer(in_.get() + end_, capacity_ - end_),
      [self = shared_from_this()](const boost::system::error_code& failed, std::size_t count) {
        if (self->state_ == State::closed) return;
        self->end_ += count;
        self->on_read(failed, count);
      });
  return false;
}

bool HttpConnection::read_body() {
  const std::size_t whole = body_filled_ + body_left_;
  if (body_.size() == body_filled_) {
    // In steps, so that a length that was only claimed takes no memory.
    body_.resize(std::min(whole, std::max(2 * body_filled_, kBodyInputBytes)));
  }
  socket_.async_read_some(
      asio::buffer(body_.data() + body_filled_, body_.size() - body_filled_),
      [self = shared_from_this()](const boost::system::error_code& failed, std::size_t count) {
        if (self->state_ == State::closed) return;
        self->body_filled_ += count;
        self->body_left_ -= count;
        self->count_body_bytes(count);
        self->on_read(failed, count);
      });
  return false;
}

void HttpConnection::on_read(const boost::system::error_code& failed, std::size_t count) {
  if (std::exchange(too_slow_, false) && (!failed || failed == asio::error::operation_aborted)) {
    refuse(definite(ErrorCode::request_timeout,
                    fmt::format("the request had not arrived whole after {} ms",
                                std::chrono::duration_cast<std::chrono::milliseconds>(
                                    shared_.options.slow_request_timeout)
                                    .count())));
    return advance();
  }
  // An end of the stream leaves nothing to answer: whole requests are answered before more is read.
  if (failed) return close();
  if (state_ == State::lingering) {
    discarded_ += count;
    begin_ = end_ = keep_ = 0;
    if (discarded_ > shared_.options.max_discarded_body_bytes) return close();
    read_input();
    return;
  }
  advance();
}

// --- Answering -----------------------------------------------------------------------------------

HttpFraming HttpConnection::framing() {
  if (shared_.stopping) keep_alive_ = false;
  return {.keep_alive = keep_alive_,
          .http10 = head_.http10,
          .head = head_.method == "HEAD",
          .date = shared_.date};
}

void HttpConnection::answer(const HttpReply& reply) {
  shared_.count([&](RequestMetrics& metrics) { metrics.count_other(reply.status); });
  append_reply(reply, framing(), out_);
  count_answer_bytes();
  state_ = State::writing;
}

void HttpConnection::count_answer_bytes() {
  counted_answer_ = out_.size();
  shared_.answer_bytes += counted_answer_;
}

void HttpConnection::release_answer_bytes() {
  shared_.answer_bytes -= std::exchange(counted_answer_, 0);
}

bool HttpConnection::too_much_to_answer(std::size_t bytes) const {
  return bytes > 0 && shared_.answer_bytes + bytes > shared_.options.max_answer_bytes_in_flight;
}

void HttpConnection::refuse(const Error& error) {
  keep_alive_ = false;
  body_ = std::string();
  release_body_bytes();
  // What a head that cannot be read asked for is not known. A body does no harm then: the
  // connection ends behind it.
  if (state_ == State::header) {
    head_.method = {};
    head_.http10 = false;
  }
  answer(problem_reply(error));
}

void HttpConnection::carry_out_request() {
  const HttpRequestView request{.method = head_.method,
                                .target = head_.target,
                                .headers = head_.headers,
                                .body = body_.empty() ? Bytes() : Bytes(std::move(body_))};
  body_ = std::string();
  Routed routed = route(request, shared_.routes);
  if (const auto* reply = std::get_if<HttpReply>(&routed)) return answer(*reply);
  if (const auto* call = std::get_if<AdminCall>(&routed)) {
    RequestMetrics metrics;
    HttpGauges gauges;
    shared_.add_all_to(metrics, gauges);
    return answer(parallax::carry_out(*call, shared_.node, metrics, gauges));
  }
  state_ = State::waiting;
  deadline_ = kNoDeadline;  // the node answers at the latest soon after the request's timeout
  began_ = http_clock_now();
  if (auto* batch = std::get_if<BatchCall>(&routed)) return begin_batch(std::move(*batch));
  begin_call(std::move(std::get<KvCall>(routed)));
}

void HttpConnection::begin_call(KvCall call) {
  form_ = std::move(call.form);
  if (shared_.full()) return finish_call(shared_.too_many_requests());
  shared_.submit(slot_, 0, std::move(call.request));
}

void HttpConnection::begin_batch(BatchCall call) {
  batch_ = std::make_unique<BatchRun>(std::move(call));
  advance_batch();
}

void HttpConnection::on_reply(std::uint32_t place, Reply&& reply) {
  PARALLAX_ASSERT(state_ == State::waiting, "an answer in state {}", static_cast<int>(state_));
  if (batch_) {
    batch_->on_reply(place, std::move(reply));
    advance_batch();
  } else {
    finish_call(std::move(reply));
  }
  advance();
}

void HttpConnection::advance_batch() {
  if (advancing_batch_) return;  // an answer from inside submit(): the loop below goes on with it
  advancing_batch_ = true;
  while (auto operation = batch_->next()) {
    auto& [place, request] = *operation;
    if (shared_.full()) {
      batch_->on_reply(place, shared_.too_many_requests());
    } else {
      shared_.submit(slot_, place, std::move(request));
    }
  }
  advancing_batch_ = false;
  if (batch_->done()) finish_batch();
}

void HttpConnection::finish_call(Reply&& reply) {
  if (reply && is_read(form_.op) && too_much_to_answer(answer_size(*reply))) {
    reply = too_many_answers();
  }
  const RequestMetrics::Answered answered = describe(form_, reply);
  const Duration latency = http_clock_now() - began_;
  shared_.count([&](RequestMetrics& metrics) { metrics.count(answered, latency); });
  std::string leader_address;
  if (!reply) leader_address = with_leader(reply.error(), shared_.node).leader_address;
  append_kv_reply(form_, reply, framing(), leader_address, out_);
  count_answer_bytes();
  state_ = State::writing;
}

void HttpConnection::finish_batch() {
  const std::unique_ptr<BatchRun> batch = std::move(batch_);
  const Duration latency = http_clock_now() - began_;
  shared_.count([&](RequestMetrics& metrics) {
    for (const BatchRun::Entry& entry : batch->entries()) {
      metrics.count(describe(entry.form, *entry.reply), latency);
    }
  });
  // Asking the node may be a way to another thread: once for each leader that is named.
  std::map<NodeId, std::string> addresses;
  const auto leader_address = [&](const Error& error) {
    if (error.code != ErrorCode::not_leader) return std::string();
    const auto [known, added] = addresses.try_emplace(error.leader);
    if (added) known->second = with_leader(error, shared_.node).leader_address;
    return known->second;
  };
  answer(batch_reply(batch_session(*batch), batch_body(*batch, leader_address)));
}

bool HttpConnection::flush() {
  while (written_ < out_.size()) {
    boost::system::error_code failed;
    const std::size_t count =
        socket_.write_some(asio::buffer(out_.data() + written_, out_.size() - written_), failed);
    if (failed == asio::error::would_block) {
      deadline_ = shared_.now + shared_.options.slow_request_timeout;
      socket_.async_write_some(
          asio::buffer(out_.data() + written_, out_.size() - written_),
          [self = shared_from_this()](const boost::system::error_code& error, std::size_t written) {
            if (self->state_ == State::closed) return;
            if (error) return self->close();
            self->written_ += written;
            self->advance();
          });
      return false;
    }
    if (failed) {
      close();
      return false;
    }
    written_ += count;
  }
  out_.clear();
  if (out_.capacity() > kKeptBytes) out_.shrink_to_fit();
  written_ = 0;
  release_body_bytes();
  release_answer_bytes();
  if (!keep_alive_) {
    linger();
    return false;
  }
  state_ = State::header;
  begun_ = false;
  keep_ = 0;
  if (begin_ == end_ && capacity_ > kFirstInputBytes) {
    in_ = std::make_unique<char[]>(kFirstInputBytes);
    capacity_ = kFirstInputBytes;
    begin_ = end_ = 0;
  }
  deadline_ = shared_.now + shared_.options.idle_timeout;
  return true;
}

/// Closing with unread input would reset the connection, and the client might never see the answer.
void HttpConnection::linger() {
  boost::system::error_code failed;
  socket_.shutdown(Socket::shutdown_send, failed);
  if (failed) return close();
  state_ = State::lingering;
  deadline_ = shared_.now + shared_.options.linger_timeout;
  discarded_ = 0;
  begin_ = end_ = keep_ = 0;
  read_input();
}

}  // namespace parallax
