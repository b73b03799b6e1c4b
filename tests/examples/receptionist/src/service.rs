//! Adapter: the book over HTTP.
//!
//!     GET  /slots?day=2026-11-24     what is free on that day; `next`: the first free ones
//!     POST /appointments             {"slot", "name", "reason"?} with an `Idempotency-Key`
//!     GET  /appointments             everything that is booked
//!
//! Every refusal is a JSON object with an `error` in words that whoever asked can act on, and slots to go
//! on with where there are some. One request at a time is at the book; the others wait as open
//! connections. Does not know who calls: it listens on loopback and is no example of a login.

use std::{sync::Arc, time::SystemTime};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{
        DefaultBodyLimit, Query, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use chrono::NaiveDate;
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    book::{Appointment, Book, Refusal, Trouble, Wish},
    calendar::{self, Slot},
};

/// An appointment is three short texts.
const LARGEST_BODY: usize = 4 << 10;
/// In characters.
const LONGEST_NAME: usize = 100;
const LONGEST_REASON: usize = 300;
/// In bytes.
const LONGEST_KEY: usize = 128;
/// Slots that are told at once: a whole day, or a choice of the first ones.
const MOST_OF_DAY: u32 = 20;
const MOST_NEXT: u32 = 6;

/// Locked by threads that may wait, never across an await.
type Shared = Arc<Mutex<Book>>;

/// The routes.
pub(crate) fn router(book: Book) -> Router {
    Router::new()
        .route("/slots", get(slots))
        .route("/appointments", get(appointments).post(book_appointment))
        .fallback(async || Refused::new(StatusCode::NOT_FOUND, "there is no such page"))
        .method_not_allowed_fallback(async || {
            Refused::new(StatusCode::METHOD_NOT_ALLOWED, "not with this method")
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .with_state(Arc::new(Mutex::new(book)))
}

/// A refusal on its way out.
#[derive(Debug)]
struct Refused {
    status: StatusCode,
    body: Value,
}

impl Refused {
    fn new(status: StatusCode, error: &str) -> Self {
        let body = json!({"error": error});
        Self { status, body }
    }

    fn bad(error: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    fn with_free(mut self, free: &[Slot]) -> Self {
        self.body["free"] = free.iter().map(ToString::to_string).collect();
        self
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

impl From<Trouble> for Refused {
    fn from(trouble: Trouble) -> Self {
        eprintln!("booking-service: {trouble}");
        let error = "the book cannot be read or written now; ask again with the same key";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Taken(free) => {
                Self::new(StatusCode::CONFLICT, "that slot was just taken").with_free(&free)
            }
            Refusal::NoSlot(free) => {
                Self::new(StatusCode::NOT_FOUND, "there is no such slot").with_free(&free)
            }
            Refusal::Past => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "that time has passed; offer a later one",
            ),
            Refusal::KeyOfAnother => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "this Idempotency-Key was used to book something else",
            ),
            Refusal::Broken(trouble) => trouble.into(),
        }
    }
}

/// Asks the book on a thread that may wait for the disk.
async fn at_book<T: Send + 'static>(
    book: Shared,
    ask: impl FnOnce(&mut Book) -> T + Send + 'static,
) -> Result<T, Refused> {
    let asked = tokio::task::spawn_blocking(move || ask(&mut book.lock()));
    asked
        .await
        .map_err(|_| Refused::new(StatusCode::INTERNAL_SERVER_ERROR, "an internal error"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Day {
    day: String,
}

async fn slots(
    State(book): State<Shared>,
    query: Result<Query<Day>, QueryRejection>,
) -> Result<Json<Value>, Refused> {
    const WANTED: &str = "name a day such as 2026-11-24, or next for the first free slots";
    let Query(Day { day }) = query.map_err(|_| Refused::bad(WANTED))?;
    let now = now();
    if day == "next" {
        let free = at_book(book, move |book| book.free(now, end_of_time(), MOST_NEXT)).await??;
        return Ok(Json(json!({"day": day, "free": told(&free)})));
    }
    let date = calendar::day(&day).ok_or_else(|| Refused::bad(WANTED))?;
    if date < now.day() {
        return Err(Refusal::Past.into());
    }
    let (free, after) = at_book(book, move |book| of_day(book, now, date)).await??;
    let mut answer = json!({"day": day, "free": told(&free)});
    if free.is_empty() {
        answer["after"] = told(&after);
        answer["note"] = "Nothing is free on that day. These are the first ones after it.".into();
    }
    Ok(Json(answer))
}

/// What is free on a day, and the first ones after it.
fn of_day(book: &Book, now: Slot, date: NaiveDate) -> Result<(Vec<Slot>, Vec<Slot>), Trouble> {
    let Some((from, to)) = calendar::span(date) else {
        return Ok((Vec::new(), Vec::new()));
    };
    Ok((
        book.free(from.max(now), to, MOST_OF_DAY)?,
        book.free(to, end_of_time(), MOST_NEXT)?,
    ))
}

async fn appointments(State(book): State<Shared>) -> Result<Json<Value>, Refused> {
    let booked = at_book(book, |book| book.appointments()).await??;
    let booked: Vec<Value> = booked.iter().map(confirmation).collect();
    Ok(Json(json!({"appointments": booked})))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    slot: String,
    name: String,
    #[serde(default)]
    reason: Option<String>,
}

async fn book_appointment(
    State(book): State<Shared>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Value>), Refused> {
    let key = key(&headers)?;
    let body = body.map_err(|_| Refused::bad("the body is too long, or broke off"))?;
    let wish = wish(&body)?;
    let booked = at_book(book, move |book| book.book(now(), &key, &wish)).await??;
    Ok((StatusCode::CREATED, Json(confirmation(&booked))))
}

fn key(headers: &HeaderMap) -> Result<String, Refused> {
    let key = headers.get("idempotency-key");
    let key = key.and_then(|key| key.to_str().ok()).unwrap_or_default();
    if key.is_empty() || key.len() > LONGEST_KEY {
        return Err(Refused::bad(
            "send an Idempotency-Key of 1 to 128 characters",
        ));
    }
    Ok(key.to_owned())
}

fn wish(body: &[u8]) -> Result<Wish, Refused> {
    let asked: Asked =
        serde_json::from_slice(body).map_err(|error| Refused::bad(&error.to_string()))?;
    let slot = Slot::parse(&asked.slot);
    let slot = slot.ok_or_else(|| Refused::bad("slot is a time such as 2026-11-24T09:30:00Z"))?;
    let name = asked.name.trim();
    if name.is_empty() || !is_plain(name, LONGEST_NAME) {
        return Err(Refused::bad("name is one line of 1 to 100 characters"));
    }
    let reason = asked.reason.as_deref().map(str::trim);
    let reason = reason.filter(|reason| !reason.is_empty());
    if reason.is_some_and(|reason| !is_plain(reason, LONGEST_REASON)) {
        return Err(Refused::bad("reason is one line of at most 300 characters"));
    }
    Ok(Wish {
        slot,
        name: name.to_owned(),
        reason: reason.map(str::to_owned),
    })
}

fn is_plain(text: &str, longest: usize) -> bool {
    text.chars().count() <= longest && !text.chars().any(char::is_control)
}

/// The same for the same appointment, whenever it is asked for.
fn confirmation(Appointment { number, wish }: &Appointment) -> Value {
    json!({
        "number": number,
        "slot": wish.slot.to_string(),
        "say": wish.slot.said(),
        "name": wish.name,
    })
}

fn told(slots: &[Slot]) -> Value {
    let told = |slot: &Slot| json!({"slot": slot.to_string(), "say": slot.said()});
    slots.iter().map(told).collect()
}

fn now() -> Slot {
    Slot::at(SystemTime::now().into())
}

/// After every slot of a book.
fn end_of_time() -> Slot {
    Slot::parse("9999-12-31T23:59:59Z").expect("a time")
}
