#!/usr/bin/env bash
# What README tells under "A service as a tool", done as it is told: a tool is added to an agent, three
# mistakes are found, the agent uses it in a call, and the journal tells what happened. Fails at the first
# step that does not come out as README says.
#
#   tests/examples/newcomer.sh        # about a minute, once everything is built
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
mine=$(mktemp -d)
service=
finish() {
  [ -z "$service" ] || kill "$service" 2>/dev/null || true
  rm -rf "$mine"
}
trap finish EXIT

step() { printf '  … %s\n' "$1" >&2; }
fail() {
  printf 'newcomer: %s\n' "$1" >&2
  exit 1
}

step 'the files are those of README'
for file in tools/hours.toml agents/front-desk.toml; do
  while IFS= read -r line; do
    grep -qxF -- "$line" README.md || fail "README lacks a line of $file: $line"
  done < "tests/examples/newcomer/$file"
done
mkdir "$mine/journal"
cp -r tests/examples/newcomer/tools tests/examples/newcomer/agents "$mine"

step 'the service answers'
node tests/examples/newcomer/service.mjs 0 > "$mine/service.log" &
service=$!
port=
for _ in $(seq 100); do
  port=$(sed -n 's/^listening on //p' "$mine/service.log")
  [ -n "$port" ] && break
  sleep 0.1
done
[ -n "$port" ] || fail 'the service did not start'
sed -i "s/127.0.0.1:8090/127.0.0.1:$port/" "$mine/tools/hours.toml"

export ROOM_AGENT__TOOLS__DIR=$mine/tools ROOM_AGENT__TOOLS__NETWORKS=127.0.0.0/8
export ROOM_AGENT__AGENTS__DIR=$mine/agents ROOM_AGENT__AGENTS__DEFAULT=front-desk
export ROOM_AGENT__AUDIT__DIR=$mine/journal
# README's `cargo run`, or the program that is already built.
room_agent() {
  if [ -n "${ROOM_AGENT_BIN:-}" ]; then
    "$ROOM_AGENT_BIN" "$@"
  else
    cargo run --quiet --locked --package room-agent -- "$@"
  fi
}
check_config() {
  LIVEKIT_URL=ws://127.0.0.1:7880 LIVEKIT_API_KEY=devkey LIVEKIT_API_SECRET=development-only-secret-of-the-demo \
    OPENAI_API_KEY=simulated room_agent check-config
}

step 'check-config finds nothing'
check_config > "$mine/config.log" 2>&1 || fail "check-config: $(cat "$mine/config.log")"

# mistake FILE SED-EXPRESSION WHAT-IS-SAID
mistake() {
  cp "$mine/$1" "$mine/whole"
  sed -i "$2" "$mine/$1"
  cmp -s "$mine/$1" "$mine/whole" && fail "the mistake was not made: $2"
  local code=0
  check_config > "$mine/config.log" 2>&1 || code=$?
  [ "$code" -eq 78 ] || fail "check-config ended with $code, not 78, after $2"
  grep -qF -- "$3" "$mine/config.log" || fail "check-config does not say \`$3\`: $(cat "$mine/config.log")"
  mv "$mine/whole" "$mine/$1"
}
step 'three mistakes are found, each with its path'
mistake tools/hours.toml 's/{{args.day}}/{{args.date}}/' 'hours.toml.http[0].url'
mistake tools/hours.toml "s/args.day != 'sunday'/args.day !=/" 'hours.toml.http[0].rules[0].require'
mistake agents/front-desk.toml 's/"opening_hours"/"opening_hour"/' 'front-desk.tools[0]'

step 'the agent uses it in a call'
cargo xtask demo --check > "$mine/check.json" || fail "demo --check: $(cat "$mine/check.json")"
grep -q '9:00 to 17:00' "$mine/check.json" || fail "the agent did not tell the hours: $(cat "$mine/check.json")"

step 'the journal tells what happened, and holds'
room_agent audit show "$mine/journal" > "$mine/shown"
grep -q 'tool.outcome  opening_hours  completed' "$mine/shown" || fail "audit show: $(cat "$mine/shown")"
room_agent audit verify "$mine/journal" >&2
grep 'opening_hours' "$mine/shown" >&2
