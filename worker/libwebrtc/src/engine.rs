//! The engine below the façade: connections on str0m, their sockets, threads and timers.
//!
//! One engine per process, made with the first connection. Types of str0m are named only here and
//! below. Nothing in it knows rooms, agents or the model.

use std::sync::OnceLock;

use crate::ext::Settings;

pub(crate) mod callbacks;
pub(crate) mod capabilities;
pub(crate) mod channels;
pub(crate) mod peer;
pub(crate) mod tap;
pub(crate) mod track;
pub(crate) mod transceivers;

static SETTINGS: OnceLock<Settings> = OnceLock::new();

/// Keeps the settings unless some are in force.
pub(crate) fn configure(settings: Settings) -> Result<(), Settings> {
    SETTINGS.set(settings)
}

/// The settings in force; asking for them fixes them.
pub(crate) fn settings() -> &'static Settings {
    SETTINGS.get_or_init(Settings::default)
}
