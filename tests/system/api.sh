#!/usr/bin/env bash
# What the HTTP API promises on the leader path, checked with curl alone.
# api.sh BASE_PORT CLUSTER_DIR SCRATCH_DIR: against a cluster of three nodes of scripts/cluster.
set -uo pipefail
base=$1 cluster_dir=$2 scratch=$3
cluster=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../../scripts/cluster")
cd "$scratch"
failures=0

# ask NODE TARGET [curl options...]: status in $status, headers in ./headers, body in ./body.
ask() {
  local node=$1 target=$2
  shift 2
  : >body
  status=$(curl -sS --max-time 30 -D headers -o body -w '%{http_code}' "$@" \
    "http://127.0.0.1:$((base + node))$target")
}
header() { sed -n "s/\r\$//; s/^$1: //Ip" headers; }
body() { tr -d '\0' <body; }
fail() {
  failures=$((failures + 1))
  echo "FAILED (line ${BASH_LINENO[1]}): $*"  # of the caller of expect, same, has
}
# expect STATUS: of the last request.
expect() { [ "$status" = "$1" ] || fail "status $status instead of $1: $(head -c 500 body)"; }
same() { [ "$1" = "$2" ] || fail "'$1' instead of '$2'"; }
has() { case $1 in *"$2"*) ;; *) fail "'${1:0:400}' has no '$2'" ;; esac }
leader() {
  ask "$1" /v1/cluster
  sed 's/.*"leader":\([0-9]*\).*/\1/' body
}

echo '--- values'
head -c 1048576 /dev/urandom >large
ask 1 /v1/kv/bytes -X PUT --data-binary @large -H 'Content-Type: image/png'
expect 204
etag=$(header ETag)
for name in ETag Parallax-Consistency Parallax-Session Parallax-Context Parallax-Evidence; do
  [ -n "$(header $name)" ] || fail "no $name"
done
for node in 1 2 3; do
  ask $node /v1/kv/bytes
  expect 200
  cmp -s body large || fail "other bytes at node $node"
  same "$(header Content-Type)" image/png
  same "$(header ETag)" "$etag"
  same "$(header Parallax-Consistency)" linearizable
  ask $node /v1/kv/bytes -I
  expect 200
  same "$(header Content-Length)" 1048576
  ask $node /v1/kv/bytes -H "If-None-Match: $etag"
  expect 304
done
echo x >>large
ask 1 /v1/kv/bytes -X PUT --data-binary @large
expect 413
ask 1 "/v1/kv/$(printf 'k%.0s' {1..1025})"
expect 414
ask 2 /v1/kv/bytes -X DELETE
expect 204
tombstone=$(header ETag)
ask 3 /v1/kv/bytes
expect 404
same "$(header ETag)" "$tombstone"
has "$(body)" '"code":"not-found"'
ask 3 /v1/kv/%00%ff%2F -X PUT --data-binary odd
expect 204
ask 1 '/v1/kv?prefix=%00'
has "$(body)" '"key_base64":"AP8v"'

echo '--- conditions serialize'
for i in $(seq 1 24); do
  curl -sS -o /dev/null -w '%{http_code}\n' -X PUT --data-binary "$i" -H 'If-None-Match: *' \
    "http://127.0.0.1:$((base + 1 + i % 3))/v1/kv/once" >"won.$i" &
done
wait
same "$(cat won.* | sort | uniq -c | tr -s ' ' | tr '\n' ';')" ' 1 204; 23 412;'
ask 1 /v1/kv/once
winner=$(body)
same "$(cat "won.$winner")" 204
etag=$(header ETag)
for i in $(seq 1 12); do
  curl -sS -o /dev/null -w '%{http_code}\n' -X PUT --data-binary "x$i" -H "If-Match: $etag" \
    "http://127.0.0.1:$((base + 1 + i % 3))/v1/kv/once" >"swapped.$i" &
done
wait
same "$(cat swapped.* | grep -c 204)" 1
ask 1 /v1/kv/once -X PUT --data-binary y -H "If-Match: $etag"
expect 412
has "$(body)" '"etag":"\"'
now=$(header ETag)
ask 2 /v1/kv/once
same "$(header ETag)" "$now"
ask 2 /v1/kv/once -X DELETE -H "If-Match: \"1-1\", $now"
expect 204
ask 2 /v1/kv/once -X DELETE -H 'If-Match: *'
expect 412
ask 2 /v1/kv/once -X PUT -d x -H 'If-Match: "nonsense"'
expect 400

echo '--- increments add up'
for worker in 1 2 3; do
  mkdir "worker.$worker"
  (
    cd "worker.$worker" || exit
    for _ in $(seq 1 30); do
      ask "$worker" /v1/kv/sum/increment -X POST -d '{"by": 3}'
      expect 200
    done
  ) &
done
wait
ask 2 /v1/kv/sum
same "$(body)" 270
ask 2 /v1/kv/sum/increment -X POST
same "$(body)" '{"value":271}'
ask 2 /v1/kv/text -X PUT --data-binary 'no number'
ask 2 /v1/kv/text/increment -X POST
expect 409
has "$(body)" '"code":"not-a-number"'

echo '--- expiry'
ask 1 '/v1/kv/brief?ttl_ms=700' -X PUT --data-binary x
expect 204
ask 2 /v1/kv/brief
expect 200
sleep 1.5
for level in linearizable prefix; do
  ask 3 "/v1/kv/brief?consistency=$level"
  expect 404
done
ask 1 /v1/kv/brief -X PUT --data-binary y -H 'If-None-Match: *'
expect 204

echo '--- idempotency, also across a change of leaders'
ask 1 /v1/kv/retry/increment -X POST -d '{"by": 1}' -H 'Idempotency-Key: one'
expect 200
first=$(header ETag)
same "$(header Idempotency-Replayed)" ''
ask 2 /v1/kv/retry/increment -X POST -d '{"by": 1}' -H 'Idempotency-Key: one'
expect 200
same "$(header ETag)" "$first"
same "$(header Idempotency-Replayed)" true
old=$(leader 1)
"$cluster" kill "$old" --dir "$cluster_dir" >/dev/null || fail 'no kill'
other=$((old % 3 + 1))
for _ in 1 2 3 4 5; do  # its outcome may be unknown, which is what the key is for
  ask "$other" '/v1/kv/retry/increment?timeout_ms=4000' -X POST -d '{"by": 1}' -H 'Idempotency-Key: one'
  [ "$status" = 200 ] && break
  has "$(body)" '"retryable":true'
done
expect 200
same "$(header ETag)" "$first"
same "$(body)" '{"value":1}'
ask "$other" /v1/kv/retry/increment -X POST -d '{"by": 2}' -H 'Idempotency-Key: one'
expect 422
ask "$other" /v1/kv/retry
same "$(body)" 1
ask "$other" /v1/kv/refused -X PUT -d x -H 'If-Match: *' -H 'Idempotency-Key: two'
expect 412
ask "$other" /v1/kv/refused -X PUT -d y
expect 204
ask "$other" /v1/kv/refused -X PUT -d x -H 'If-Match: *' -H 'Idempotency-Key: two'
expect 412
"$cluster" start "$old" --dir "$cluster_dir" >/dev/null || fail 'no start'
for _ in $(seq 1 100); do
  ask "$old" /readyz
  [ "$status" = 200 ] && break
  sleep 0.1
done

echo '--- ranges stay right while keys come and go'
for i in $(seq 100 130); do ask 1 "/v1/kv/page/$i" -X PUT --data-binary "$i"; done
for reverse in false true; do
  next='' seen=''
  for round in $(seq 1 30); do
    ask $((round % 3 + 1)) "/v1/kv?prefix=page/&limit=4&keys_only=true&reverse=$reverse&next=$next"
    expect 200
    seen="$seen $(grep -o '"key":"page/[0-9]*"' body | tr -dc '0-9\n' | tr '\n' ' ')"
    next=$(sed -n 's/.*"next":"\([^"]*\)".*/\1/p' body)
    [ -n "$next" ] || break
    ask 1 "/v1/kv/page/${round}05" -X PUT --data-binary new   # 105 is there, others come
    ask 1 "/v1/kv/page/1$((round + 30))" -X DELETE            # behind the range
  done
  for i in $(seq 100 130); do
    same "$(echo "$seen" | tr -s ' ' '\n' | grep -cx "$i")" 1
  done
done
ask 2 '/v1/kv?key=page/100&key=page/none&key=page/101'
has "$(body)" '"missing":["page/none"]'
ask 2 "/v1/kv?prefix=other&next=AQAAAAAAAA"
expect 400

echo '--- batch'
ask 3 /v1/batch -X POST -d '{"operations": [
  {"op": "put", "key": "batch/1", "value": "one"},
  {"op": "increment", "key": "batch/2", "by": 2},
  {"op": "get", "key": "sum"},
  {"op": "delete", "key": "batch/3"},
  {"op": "put", "key": "text", "value": "", "if_none_match": "*"},
  {"op": "get", "key": "sum", "consistency": "gold"},
  {"op": "get", "key": "sum", "consistency": "prefix"}]}'
expect 200
same "$(grep -o '{"status":[0-9]*' body | tr -dc '0-9\n' | tr '\n' ' ')" '204 200 200 204 412 400 200 '
has "$(body)" '"value_base64":"Mjcx"'
has "$(body)" '"value":2'

echo '--- history'
for i in 1 2 3; do ask $i /v1/kv/past -X PUT --data-binary "v$i"; done
ask 1 /v1/kv/past -X DELETE
newest=$(header ETag)
ask 2 /v1/history/past
expect 200
has "$(body)" "{\"versions\":[{\"etag\":\"\\${newest%\"}\\\"\",\"at_ms\":"
same "$(grep -o '"kind":"[a-z]*"' body | cut -d '"' -f 4 | tr '\n' ' ')" 'tombstone value value value '
same "$(grep -o '"value_base64":"[^"]*"' body | cut -d '"' -f 4 | tr '\n' ' ')" 'djM= djI= djE= '
ask 2 '/v1/history/past?to=1'
has "$(body)" '"versions":[]'

echo '--- policies'
ask 1 /v1/policies/cached/ -X PUT -d '{"default_consistency": "prefix", "mixing": "deny"}'
expect 204
ask 2 /v1/policies/cached/
expect 200
same "$(body)" '{"default_consistency":"prefix","mixing":"deny","conflict":"last-writer"}'
ask 1 /v1/kv/cached/x -X PUT --data-binary x
expect 204
for node in 1 2 3; do
  for _ in $(seq 1 50); do
    ask $node /v1/kv/cached/x
    [ "$(header Parallax-Consistency)" = prefix ] && [ "$status" = 200 ] && break
    sleep 0.1
  done
  expect 200
  same "$(header Parallax-Consistency)" prefix
  ask $node '/v1/kv/cached/x?consistency=linearizable'
  same "$(header Parallax-Consistency)" linearizable
done
ask 3 /v1/policies
has "$(body)" '{"prefix":"cached/","default_consistency":"prefix"'
ask 3 /v1/policies/cached/ -X DELETE
expect 204
ask 3 /v1/policies/cached/
expect 404

echo '--- sessions, forwarding, cluster'
ask 1 /v1/kv/s -X PUT --data-binary x
session=$(header Parallax-Session)
for node in 1 2 3; do
  ask $node /v1/kv/s -H "Parallax-Session: $session"
  expect 200
done
ask 1 /v1/kv/s -H "Parallax-Session: ${session%?}"
expect 400
has "$(body)" '"code":"bad-session"'
now=$(leader 1)
follower=$((now % 3 + 1))
ask $follower '/v1/kv/s?forward=false'
expect 421
has "$(body)" "\"leader_address\":\"127.0.0.1:$((base + now))\""
sleep 0.5
ask "$now" /v1/cluster
same "$(grep -o '"match_index":[0-9]*' body | wc -l)" 3
same "$(grep -o '"applied_index":[0-9]*' body | wc -l)" 3
ask "$follower" /metrics
has "$(body)" 'parallax_requests_total{level="prefix",op="get",status="200",outcome="done"}'

[ "$failures" = 0 ] || exit 1
echo 'all checks passed'
