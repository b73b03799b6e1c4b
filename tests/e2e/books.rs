//! The receptionist example: whatever goes wrong on the way, an appointment is booked once.

use std::time::Instant;

use serde_json::{Value, json};
use tests::{
    booking::{AGENT, Booking, Fate},
    child::Scratch,
    eventually::{eventually, eventually_async, expect},
    livekit_server::LivekitServer,
    sim_model::{Script, Side, SimModel},
    stack::{Stack, simulated_model},
    user::User,
    worker::{Settings, Worker},
};

use crate::story::{LATER, QUIET, SOON};

/// The example as it stands, and all that is around it.
struct Practice {
    stack: Stack,
    booking: Booking,
    /// Of its worker.
    settings: Settings,
    _files: Scratch,
    _journal: Scratch,
}

impl Practice {
    async fn open() -> Self {
        let files = Scratch::new("tools").expect("a scratch directory");
        let journal = Scratch::new("audit").expect("a scratch directory");
        let booking = Booking::start().await;
        files
            .write("practice.toml", &booking.tools())
            .expect("a scratch directory");
        let livekit = LivekitServer::start().await;
        let model = simulated_model(Script::default()).await;
        let mut settings = Settings::new(&livekit.url(), &model.url())
            .with("ROOM_AGENT__AGENTS__DEFAULT", "dental-practice");
        settings.config = format!(
            "[tools]\ndir = {:?}\nnetworks = [\"127.0.0.0/8\"]\n[audit]\ndir = {:?}\n",
            files.path(),
            journal.path(),
        );
        settings.agents = vec![("dental-practice.toml".to_owned(), AGENT.to_owned())];
        let worker = Worker::ready(&settings).await;
        let stack = Stack {
            worker,
            model,
            livekit,
        };
        Self {
            stack,
            booking,
            settings,
            _files: files,
            _journal: journal,
        }
    }

    /// Somebody calls and hears the greeting to its end.
    async fn call(&self, identity: &str) -> User {
        let joining = Instant::now();
        let user = self.stack.caller(identity, ROOM).await;
        let told = user.hears("agent-disclosure", joining, SOON).await;
        user.hears("agent-practice", told.ended, SOON).await;
        user.hears_silence(QUIET, SOON).await;
        user
    }

    async fn booked(&self) -> Vec<Value> {
        self.booking.booked().await.expect("the service answers")
    }
}

const ROOM: &str = "practice";

/// The outcome that the model is told after so many others.
async fn outcome(model: &SimModel, before: usize) -> String {
    let output = eventually("the model is told the outcome", LATER, || {
        outputs(model)
            .into_iter()
            .nth(before)
            .ok_or_else(|| "nothing yet".to_owned())
    });
    output.await
}

fn outputs(model: &SimModel) -> Vec<String> {
    let created = model.events(Side::Client, "conversation.item.create");
    let items = created
        .iter()
        .map(|created| &created.event["item"])
        .filter(|item| item["type"] == "function_call_output");
    items
        .map(|item| item["output"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_has_an_appointment_also_when_the_answer_is_lost_on_its_way() {
    let practice = Practice::open().await;
    let ann = practice.call("ann").await;
    let said = ann.say("caller-mountains").await;
    let offer = ann.hears("agent-first-free", said.ended, SOON).await;
    ann.hears("agent-shall-i", offer.ended, SOON).await;
    ann.hears_silence(QUIET, SOON).await;

    practice.booking.next_answer(Fate::Lost);
    let answered = Instant::now();
    ann.write("That one.").await;
    ann.hears("agent-booked", answered, LATER).await;
    let keys = practice.booking.keys();
    assert_eq!(keys.len(), 2, "asked again: {keys:?}");
    assert_eq!(keys[0], keys[1]);
    assert_eq!(keys[0].len(), 32);
    let booked = practice.booked().await;
    assert_eq!(booked.len(), 1, "{booked:?}");
    assert_eq!(booked[0]["name"], "Alex Example");
    let told = outcome(&practice.stack.model, 1).await;
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told, booked[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_between_request_and_answer_has_booked_once_and_does_not_book_again() {
    let mut practice = Practice::open().await;
    let ann = practice.call("ann").await;
    let free = practice.booking.free().await.expect("the service answers");
    let wish = json!({"slot": free[0]["slot"], "name": "Ann"});
    practice.booking.next_answer(Fate::Held);
    ann.write(&format!("call book_appointment {wish}")).await;
    eventually_async("the service has booked", SOON, || async {
        let booked = practice.booking.booked().await?;
        expect(booked.len() == 1, format!("{booked:?}"))
    })
    .await;
    assert_eq!(outputs(&practice.stack.model), Vec::<String>::new());

    practice.stack.worker.signal("KILL").await;
    practice.stack.worker.ended(SOON).await;
    practice.stack.worker = Worker::ready(&practice.settings).await;
    // A room's agent comes with the room.
    let rooms = practice.stack.livekit.rooms();
    rooms.delete_room(ROOM).await.expect("it was there");
    drop(ann);
    let ann = practice.call("ann").await;
    ann.write(&format!("call book_appointment {wish}")).await;
    let told = outcome(&practice.stack.model, 0).await;
    assert!(told.contains("may or may not have had an effect"), "{told}");
    assert_eq!(practice.booking.keys().len(), 1, "it was not asked again");
    assert_eq!(practice.booked().await.len(), 1);
}
