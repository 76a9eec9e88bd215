// Drives etcd over gRPC: a channel of its own for every client, one thread, asynchronous calls.
#include <memory>

#include <grpcpp/grpcpp.h>

#include "scripts/bench.d/etcd.grpc.pb.h"
#include "scripts/bench.d/load.h"

namespace bench {
namespace {

using etcdserverpb::KV;

constexpr auto kPatience = std::chrono::seconds(10);

/// One client's call; its address is the tag.
struct Call {
  std::unique_ptr<KV::Stub> stub;
  std::unique_ptr<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<etcdserverpb::PutResponse>> put;
  std::unique_ptr<grpc::ClientAsyncResponseReader<etcdserverpb::RangeResponse>> range;
  etcdserverpb::PutResponse put_response;
  etcdserverpb::RangeResponse range_response;
  grpc::Status status;
  Clock::time_point began;
};

class Generator {
 public:
  explicit Generator(const Settings& s) : settings_(s) {
    const std::string target = "127.0.0.1:" + std::to_string(s.port);
    for (std::size_t i = 0; i < s.clients; ++i) {
      grpc::ChannelArguments arguments;
      arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else all share a connection
      auto channel =
          grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
      if (!channel->WaitForConnected(std::chrono::system_clock::now() + kPatience)) {
        std::fprintf(stderr, "cannot connect to %s\n", target.c_str());
        std::exit(1);
      }
      calls_.push_back(std::make_unique<Call>());
      calls_.back()->stub = KV::NewStub(channel);
      free_.push_back(calls_.back().get());
    }
  }

  void run() {
    Course course(settings_);
    std::size_t in_flight = 0;
    while (true) {
      Clock::time_point began;
      while (!free_.empty() && course.begin(Clock::now(), began)) {
        Call* call = free_.back();
        free_.pop_back();
        start(*call, course.next_key());
        call->began = began;
        ++in_flight;
      }
      if (in_flight == 0 && course.over(Clock::now())) break;
      void* tag = nullptr;
      bool ok = false;
      const auto wait = free_.empty() || settings_.rate == 0
                            ? std::chrono::nanoseconds(kPatience)
                            : std::chrono::nanoseconds(course.next_arrival() - Clock::now());
      const auto status = queue_.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + wait);
      if (status != grpc::CompletionQueue::GOT_EVENT) continue;
      auto* call = static_cast<Call*>(tag);
      const bool shown = settings_.op == "put" || call->range_response.kvs_size() == 1;
      course.done(call->began, Clock::now(), ok && call->status.ok() && shown);
      free_.push_back(call);
      --in_flight;
    }
    course.print();
  }

 private:
  void start(Call& call, std::uint32_t number) {
    call.context = std::make_unique<grpc::ClientContext>();
    call.context->set_deadline(std::chrono::system_clock::now() + kPatience);
    if (settings_.op == "put") {
      etcdserverpb::PutRequest request;
      request.set_key(key(number));
      request.set_value(value(number));
      call.put = call.stub->AsyncPut(call.context.get(), request, &queue_);
      call.put->Finish(&call.put_response, &call.status, &call);
    } else {
      etcdserverpb::RangeRequest request;
      request.set_key(key(number));
      request.set_serializable(settings_.op == "local");
      call.range = call.stub->AsyncRange(call.context.get(), request, &queue_);
      call.range->Finish(&call.range_response, &call.status, &call);
    }
  }

  Settings settings_;
  grpc::CompletionQueue queue_;
  std::vector<std::unique_ptr<Call>> calls_;
  std::vector<Call*> free_;
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::Generator(bench::settings(argc, argv)).run();
}
