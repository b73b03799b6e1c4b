//! Adapter: durations as people write them: `500ms`, `10s`, `1h 30m`.
//!
//! Use on a field: `#[serde(with = "crate::config::duration")]` and
//! `#[schemars(schema_with = "crate::config::duration::schema")]`.

use std::time::Duration;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes the shortest readable form.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&humantime::format_duration(*duration).to_string())
}

/// Reads a number with a unit.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(D::Error::custom)
}

/// The schema of such a field.
pub fn schema(_generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "duration-with-unit" })
}
