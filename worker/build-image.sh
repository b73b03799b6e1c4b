#!/bin/sh
# The steps of worker/Dockerfile, one per argument, so that they can be run and checked without a container engine.
# Run from the root of the repository.
#
#   worker/build-image.sh system        what the Rust build needs besides Rust (Debian, as root)
#   worker/build-image.sh console       the talk page, into worker/console/dist
#   worker/build-image.sh rust OUT      room-agent and sim-model, into the folder OUT
set -eu

system() {
    # libopus is built with cmake, aws-lc with a C compiler.
    apt-get update
    apt-get install --yes --no-install-recommends cmake gcc g++ make
    rm -rf /var/lib/apt/lists/*
}

console() {
    cd worker/console
    npm ci --ignore-scripts --no-audit --no-fund
    npm run build
}

rust() {
    out=$1
    test -f worker/console/dist/index.html || {
        echo "the page is not built: run the step 'console' first" >&2
        exit 1
    }
    cargo build --locked --release --package room-agent --bin room-agent
    cargo build --locked --release --package tests --bin sim-model
    mkdir -p "$out"
    cp "${CARGO_TARGET_DIR:-target}/release/room-agent" "${CARGO_TARGET_DIR:-target}/release/sim-model" "$out"
}

case "${1:-}" in
system) system ;;
console) console ;;
rust) rust "${2:?where to put the programs}" ;;
*)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
