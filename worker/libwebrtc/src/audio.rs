//! Audio without a network: what happens between samples and Opus packets, in both directions.
//!
//! Owns encoding of local tracks, the buffering of audio sources, and the paced playback of remote
//! tracks. It does not know str0m, sockets or signalling: packets come in and go out as plain
//! values, and every time-dependent core takes `now` as an argument.
//!
//! Out: [`source`] (+ [`capture_queue`]) → [`encode`] (as [`rate`] says) → packets.
//! In: packets → [`paced`] ([`jitter_buffer`] → [`decode`] → [`fanout`]), driven by [`clock`].

pub(crate) mod capture_queue;
pub(crate) mod clock;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod fade;
pub(crate) mod fanout;
pub(crate) mod jitter_buffer;
pub(crate) mod opus;
pub(crate) mod paced;
pub(crate) mod rate;
pub(crate) mod resampler;
pub(crate) mod rtp;
pub(crate) mod source;
pub(crate) mod stale;
