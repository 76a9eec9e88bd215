-- One line for scripts/bench: answers, microseconds, failures, p50, p99 and p99.9 in microseconds.
function done(summary, latency)
  local e = summary.errors
  print(string.format("result %d %d %d %d %d %d", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
