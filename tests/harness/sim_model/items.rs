//! Core: the items of a conversation, in order.

use std::time::Duration;

use serde_json::{Value, json};

use super::rules::Refusal;
use crate::clips::{duration_of, samples_in};

/// One item with what the wire does not show.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// As it stands on the wire, without audio.
    pub(super) json: Value,
    /// Samples: of a user turn as heard, of an agent item as produced so far.
    pub(super) pcm: Vec<i16>,
    /// The words of a user turn, when its clip is known, else a description.
    pub(super) words: String,
}

impl Item {
    /// A new item; `json` must have an id.
    pub(super) fn new(json: Value) -> Self {
        Self {
            json,
            pcm: Vec::new(),
            words: String::new(),
        }
    }

    /// Its id.
    pub(super) fn id(&self) -> &str {
        self.json["id"].as_str().unwrap_or_default()
    }

    /// `message`, `function_call`, `function_call_output`, `mcp_call` and so on.
    pub(super) fn kind(&self) -> &str {
        self.json["type"].as_str().unwrap_or_default()
    }

    /// Who speaks: `user`, `assistant`, `system` or empty.
    pub(super) fn role(&self) -> &str {
        self.json["role"].as_str().unwrap_or_default()
    }

    /// All text parts together.
    pub(super) fn text(&self) -> String {
        let parts = self.json["content"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn is_agent_audio(&self) -> bool {
        self.role() == "assistant" && self.json["content"][0]["type"] == "output_audio"
    }
}

/// The conversation.
#[derive(Debug, Default)]
pub(super) struct Items {
    items: Vec<Item>,
}

impl Items {
    /// In order, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Item> {
        self.items.iter()
    }

    /// The item of that id.
    pub(super) fn find(&self, id: &str) -> Option<&Item> {
        self.items.iter().find(|item| item.id() == id)
    }

    /// The same, to change it.
    pub(super) fn find_mut(&mut self, id: &str) -> Option<&mut Item> {
        self.items.iter_mut().find(|item| item.id() == id)
    }

    /// Adds at the end; the id of the item before it comes back.
    pub(super) fn push(&mut self, item: Item) -> Value {
        let previous = self
            .items
            .last()
            .map_or(Value::Null, |last| last.json["id"].clone());
        self.items.push(item);
        previous
    }

    /// Adds where the client wants it: absent = at the end, `root` = first, else after that id.
    pub(super) fn insert(&mut self, item: Item, after: Option<&str>) -> Result<Value, Refusal> {
        if self.find(item.id()).is_some() {
            let message = format!("Error adding item: an item '{}' already exists.", item.id());
            return Err(Refusal::new(
                "item_create_duplicate_item_id",
                &message,
                Some("item.id"),
            ));
        }
        let at = match after {
            None => return Ok(self.push(item)),
            Some("root") => 0,
            Some(id) => self.position(id, "item_create_invalid_previous_item_id")? + 1,
        };
        self.items.insert(at, item);
        Ok(at
            .checked_sub(1)
            .map_or(Value::Null, |before| self.items[before].json["id"].clone()))
    }

    /// Takes an item out.
    pub(super) fn delete(&mut self, id: &str) -> Result<(), Refusal> {
        let at = self.position(id, "item_delete_invalid_item_id")?;
        self.items.remove(at);
        Ok(())
    }

    /// The item with its audio.
    pub(super) fn retrieve(&self, id: &str) -> Result<&Item, Refusal> {
        let at = self.position(id, "item_retrieve_invalid_item_id")?;
        Ok(&self.items[at])
    }

    /// Cuts agent audio; the transcript is gone then, because nobody knows where it stood.
    pub(super) fn truncate(&mut self, id: &str, part: u64, end: Duration) -> Result<(), Refusal> {
        let at = self.position(id, "item_truncate_invalid_item_id")?;
        let item = &mut self.items[at];
        if !item.is_agent_audio() || item.pcm.is_empty() {
            let message = "Only model output audio messages can be truncated.";
            return Err(Refusal::new("unsupported_content_type", message, None));
        }
        if part != 0 {
            return Err(Refusal::invalid(
                "content_index",
                "There is no audio at that index.",
            ));
        }
        let produced = duration_of(item.pcm.len());
        if end > produced {
            let message = format!(
                "Audio content of {}ms is already shorter than {}ms.",
                produced.as_millis(),
                end.as_millis()
            );
            return Err(Refusal::new(
                "invalid_value",
                &message,
                Some("audio_end_ms"),
            ));
        }
        item.pcm.truncate(samples_in(end));
        item.json["content"] = json!([{"type": "output_audio"}]);
        Ok(())
    }

    fn position(&self, id: &str, code: &'static str) -> Result<usize, Refusal> {
        self.items
            .iter()
            .position(|item| item.id() == id)
            .ok_or_else(|| {
                Refusal::new(
                    code,
                    &format!("Item with item_id '{id}' not found."),
                    Some("item_id"),
                )
            })
    }
}

/// Checks an item a client wants to add, and completes it. `id` is used when it has none.
pub(super) fn from_client(item: &Value, id: String) -> Result<Item, Refusal> {
    let Some(object) = item.as_object() else {
        return Err(Refusal::missing("item"));
    };
    let mut json = Value::Object(object.clone());
    if json.get("id").is_none_or(Value::is_null) {
        json["id"] = Value::String(id);
    } else if json["id"]
        .as_str()
        .is_none_or(|id| id.is_empty() || id.len() > 32)
    {
        return Err(Refusal::invalid(
            "item.id",
            "An item id is a string of 1 to 32 characters.",
        ));
    }
    match item["type"].as_str() {
        Some("message") => check_message(item)?,
        Some("function_call") => strings(item, &["name", "call_id", "arguments"])?,
        Some("mcp_approval_response") if item["approve"].is_boolean() => {
            strings(item, &["approval_request_id"])?;
        }
        Some("mcp_approval_response") => return Err(Refusal::missing("item.approve")),
        Some("function_call_output") => strings(item, &["call_id", "output"])?,
        Some(_) => return Err(Refusal::invalid("item.type", "Unknown type of item.")),
        None => return Err(Refusal::missing("item.type")),
    }
    json["status"] = json!("completed");
    json["object"] = json!("realtime.item");
    Ok(Item::new(json))
}

fn strings(item: &Value, keys: &[&str]) -> Result<(), Refusal> {
    match keys.iter().find(|key| !item[**key].is_string()) {
        None => Ok(()),
        Some(key) => Err(Refusal::missing(&format!("item.{key}"))),
    }
}

fn is_picture(url: &Value) -> bool {
    let url = url.as_str().unwrap_or_default();
    ["png", "jpeg"]
        .iter()
        .any(|kind| url.starts_with(&format!("data:image/{kind};base64,")))
}

fn check_message(item: &Value) -> Result<(), Refusal> {
    let allowed: &[&str] = match item["role"].as_str() {
        Some("user") => &["input_text", "input_audio", "input_image"],
        Some("system") => &["input_text"],
        Some("assistant") => &["output_text"],
        Some(_) => return Err(Refusal::invalid("item.role", "Unknown role.")),
        None => return Err(Refusal::missing("item.role")),
    };
    let Some(parts) = item["content"].as_array() else {
        return Err(Refusal::missing("item.content"));
    };
    for (index, part) in parts.iter().enumerate() {
        let path = format!("item.content[{index}].type");
        let Some(kind) = part["type"].as_str() else {
            return Err(Refusal::missing(&path));
        };
        if !allowed.contains(&kind) {
            let message = format!("Invalid value: '{kind}'. Supported values are: {allowed:?}.");
            return Err(Refusal::invalid(&path, &message));
        }
        if kind == "input_image" && !is_picture(&part["image_url"]) {
            let path = format!("item.content[{index}].image_url");
            let message = "Invalid image: expected a data URL of a PNG or JPEG.";
            return Err(Refusal::invalid(&path, message));
        }
        if kind.ends_with("_text") && !part["text"].is_string() {
            return Err(Refusal::missing(&format!("item.content[{index}].text")));
        }
    }
    Ok(())
}
