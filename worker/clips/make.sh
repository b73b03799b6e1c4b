#!/bin/sh
# Makes the shipped clips anew. Needs espeak-ng 1.51 and sox 14.4 (Debian packages).
set -eu
cd "$(dirname "$0")"
say() {
    espeak-ng -v en-us+f3 -s 160 -p 45 --stdout "$2" |
        sox --no-dither -t wav - -b 16 -c 1 -r 24000 "$1.wav" \
            silence 1 0.01 0.5% fade t 0.005 reverse silence 1 0.01 0.5% fade t 0.005 reverse \
            norm -4
}
say en/one-moment "One moment, please."
say en/failure "I am sorry, I cannot go on right now. Please try again later."
