use super::*;
use crate::model::link::Timings;

#[tokio::test]
async fn a_refused_key_ends_the_link_without_another_attempt() {
    let model = FakeModel::start().await;
    for (status, reason) in [(401, "invalid_api_key"), (403, "permission_error")] {
        let session = Session::start(&model);
        model.refuse(status, "").await;
        assert_eq!(
            session.exhausted().await,
            (reason.to_owned(), Blame::Config)
        );
        assert!(!model.is_knocked());
    }
}

#[tokio::test]
async fn an_unknown_model_is_named_by_the_provider_s_code() {
    let model = FakeModel::start().await;
    let session = Session::start(&model);
    model
        .refuse(
            404,
            r#"{"error":{"code":"model_not_found","message":"no such thing"}}"#,
        )
        .await;
    assert_eq!(
        session.exhausted().await,
        ("model_not_found".to_owned(), Blame::Config)
    );
}

#[tokio::test]
async fn an_overloaded_provider_is_asked_again() {
    let model = FakeModel::start().await;
    let mut session = Session::start(&model);
    for status in [429, 500, 503] {
        model.refuse(status, "").await;
    }
    let (_peer, update) = model.accept_configured().await;
    assert!(
        matches!(session.next().await, LinkEvent::Up { .. }),
        "no loss before the first up"
    );
    let detection = &update["session"]["audio"]["input"]["turn_detection"];
    assert_eq!(
        detection["create_response"], true,
        "it is still the first connection"
    );
}

#[tokio::test]
async fn a_model_that_is_not_there_is_given_up_after_a_while() {
    let model = FakeModel::start().await;
    let mut settings = fake::settings(&model.config());
    drop(model);
    settings.give_up_after = GIVEN;
    let session = Session::start_with(settings, Timings::default());
    assert_eq!(
        session.exhausted().await,
        ("unreachable".to_owned(), Blame::Network)
    );
}

#[tokio::test]
async fn a_model_that_never_answers_is_given_up_after_a_while() {
    let model = FakeModel::start().await;
    let mut settings = fake::settings(&model.config());
    settings.give_up_after = GIVEN;
    let timings = Timings {
        connect: Duration::from_millis(50),
        ..Timings::default()
    };
    let session = Session::start_with(settings, timings);
    assert_eq!(
        session.exhausted().await,
        ("timeout".to_owned(), Blame::Network)
    );
}

#[tokio::test]
async fn settings_the_model_refuses_end_the_link_with_its_code() {
    let model = FakeModel::start().await;
    let session = Session::start(&model);
    let mut peer = model.accept().await;
    peer.send(&fake::created()).await;
    assert_eq!(peer.next().await["type"], "session.update");
    peer.send(&json!({"type": "error", "error": {
        "type": "invalid_request_error", "code": "unknown_parameter", "message": "no",
        "param": "session.audio.input.turn_detection.eagerness", "event_id": "configure"}}))
        .await;
    assert_eq!(
        session.exhausted().await,
        (
            "unknown_parameter(session.audio.input.turn_detection.eagerness)".to_owned(),
            Blame::Config
        )
    );
    assert!(!model.is_knocked());
}

#[tokio::test]
async fn an_account_without_money_ends_the_link_in_the_middle_of_a_session() {
    let model = FakeModel::start().await;
    let (mut session, mut peer) = Session::up(&model).await;
    peer.send(
        &json!({"type": "response.done", "response": {"id": "r", "status": "failed",
        "status_details": {"type": "failed", "error": {"code": "insufficient_quota"}}}}),
    )
    .await;
    assert!(matches!(
        session.next_fact().await,
        Event::ResponseDone { .. }
    ));
    assert_eq!(
        session.next().await,
        LinkEvent::Down {
            reason: DownReason::Refused
        }
    );
    assert_eq!(
        session.exhausted().await,
        ("insufficient_quota".to_owned(), Blame::Config)
    );
}

#[tokio::test]
async fn an_expired_client_secret_is_told_by_the_first_event() {
    let model = FakeModel::start().await;
    let session = Session::start(&model);
    let mut peer = model.accept().await;
    peer.send(&json!({"type": "error", "error": {"code": "invalid_api_key"}}))
        .await;
    assert_eq!(
        session.exhausted().await,
        ("invalid_api_key".to_owned(), Blame::Config)
    );
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_named_as_that() {
    let model = FakeModel::start().await;
    let mut config = model.config();
    config.url.set_scheme("wss").unwrap();
    let mut settings = fake::settings(&config);
    settings.give_up_after = Duration::ZERO;
    let session = Session::start_with(settings, Timings::default());
    model.say("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    assert_eq!(session.exhausted().await, ("tls".to_owned(), Blame::Config));
}
