//! Core: orders → wire events.
//!
//! Every event names itself, so that an error can be matched with the order it answers.

use dialog::model::{NewItem, Order, Said, Tag};

use crate::model::{
    SessionSettings,
    openai_realtime::{
        session_config,
        wire::{
            client_event::{Aside, ClientEvent, Item, Metadata, Part, ResponseParams},
            picture,
        },
    },
};

/// Marks the `event_id` of a create; the tag follows.
const CREATE: &str = "create:";
/// Marks the `event_id` of a question beside the conversation, and its response; the tag follows.
const CONSULT: &str = "consult:";

/// The tag in the `event_id` of an error, when it answers a create or a question.
pub(in crate::model) fn tag_of_event_id(event_id: &str) -> Option<Tag> {
    event_id
        .strip_prefix(CREATE)
        .or_else(|| event_id.strip_prefix(CONSULT))
        .map(Tag::new)
}

/// The tag in the metadata of a response, when it answers a question beside the conversation.
pub(super) fn tag_of_aside(client_event_id: &str) -> Option<Tag> {
    client_event_id.strip_prefix(CONSULT).map(Tag::new)
}

/// The JSON of one order. `number` makes its `event_id` unique; `None` = an order this provider
/// does not know.
pub(in crate::model) fn order_json(
    order: &Order,
    number: u64,
    settings: &SessionSettings,
) -> Option<String> {
    let event_id = &format!("o{number}");
    let event = match order {
        Order::Cancel { response } => ClientEvent::ResponseCancel {
            event_id,
            response_id: response.as_ref().map(|response| response.as_str()),
        },
        Order::ClearInput => ClientEvent::InputClear { event_id },
        Order::Commit => ClientEvent::InputCommit { event_id },
        Order::Consult {
            tag,
            question,
            about,
        } => return Some(consult(tag, question, about)),
        Order::Create { tag, instructions } => {
            return Some(create(tag, instructions.as_deref(), settings));
        }
        Order::Delete { item } => ClientEvent::ItemDelete {
            event_id,
            item_id: item.as_str(),
        },
        // What they are the writer has put into the settings.
        Order::Equip(_) => session_config::equip(&settings.tools),
        Order::Instruct(instructions) => session_config::instruct(instructions),
        Order::Item(item) => ClientEvent::ItemCreate {
            event_id,
            item: new_item(item)?,
        },
        Order::Truncate { item, heard } => ClientEvent::ItemTruncate {
            event_id,
            item_id: item.as_str(),
            content_index: 0,
            audio_end_ms: u64::try_from(heard.as_millis()).unwrap_or(u64::MAX),
        },
        Order::TurnControl { creates_responses } => {
            session_config::turn_control(&settings.turn_detection, *creates_responses)
        }
        _ => return None,
    };
    Some(event.to_json())
}

/// Instructions of a response replace those of the session (API reference, `response.create`), so
/// the session's stand in front of them: the agent stays itself while it greets.
fn create(tag: &Tag, instructions: Option<&str>, settings: &SessionSettings) -> String {
    let instructions = instructions.map(|wanted| {
        if settings.instructions.is_empty() {
            wanted.to_owned()
        } else {
            format!("{}\n\n{wanted}", settings.instructions)
        }
    });
    let event = ClientEvent::ResponseCreate {
        event_id: &format!("{CREATE}{tag}"),
        response: Box::new(ResponseParams {
            instructions,
            metadata: Metadata {
                client_event_id: tag.as_str(),
            },
            aside: None,
        }),
    };
    event.to_json()
}

fn consult(tag: &Tag, question: &str, about: &[Said]) -> String {
    let said = about.iter().filter_map(|said| match said {
        Said::Item(item) => Some(Item::Reference { id: item.as_str() }),
        Said::Words(words) => new_item(words),
    });
    let id = &format!("{CONSULT}{tag}");
    let event = ClientEvent::ResponseCreate {
        event_id: id,
        response: Box::new(ResponseParams {
            instructions: Some(question.to_owned()),
            metadata: Metadata {
                client_event_id: id,
            },
            aside: Some(Aside {
                conversation: "none",
                input: said.collect(),
                output_modalities: ["text"],
                tool_choice: "none",
            }),
        }),
    };
    event.to_json()
}

fn new_item(item: &NewItem) -> Option<Item<'_>> {
    let message = |role, content| Item::Message {
        id: None,
        role,
        content,
    };
    let item = match item {
        NewItem::AgentText(text) => message("assistant", vec![Part::OutputText { text }]),
        NewItem::Approval { call, denial } => Item::McpApprovalResponse {
            approval_request_id: call.as_str(),
            approve: denial.is_none(),
            reason: denial.as_deref(),
        },
        NewItem::FunctionOutput { call, output } => Item::FunctionCallOutput {
            call_id: call.as_str(),
            output,
        },
        NewItem::Picture {
            item,
            caption,
            picture,
        } => {
            // Before the words that are about it (API guide, images).
            let mut content = vec![Part::InputImage {
                image_url: picture::data_url(picture),
            }];
            content.extend(caption.as_deref().map(|text| Part::InputText { text }));
            Item::Message {
                id: Some(item.as_str()),
                role: "user",
                content,
            }
        }
        NewItem::SystemText(text) => message("system", vec![Part::InputText { text }]),
        NewItem::UserText(text) => message("user", vec![Part::InputText { text }]),
        _ => return None,
    };
    Some(item)
}
