//! Why a session ends.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_the_room_says_about_its_end_is_the_reason() {
    for reason in [
        CloseReason::RoomDeleted,
        CloseReason::Removed,
        CloseReason::Duplicate,
    ] {
        let said = reason.clone();
        let (end, _) = play(|world| async move {
            world.room(RoomInput::Gone(said)).await;
            world.settle().await;
            world
        })
        .await;
        assert_eq!(
            end,
            SessionEnd {
                reason,
                error: None
            }
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_room_that_falls_silent_is_lost() {
    let (end, _) = play(|world| async move { world }).await;
    assert_eq!(end.reason, CloseReason::RoomLost);
    assert_eq!(end.error, Some(SessionError::RoomLost("disconnected")));
}

#[tokio::test(start_paused = true)]
async fn a_termination_right_after_the_join_is_left_to_the_room() {
    let (end, _) = play(|world| async move {
        world.ann_comes().await;
        world.stop.send(Stop::Now(CloseReason::Terminated)).unwrap();
        world.settle().await;
        world.room(RoomInput::Gone(CloseReason::Removed)).await;
        world.settle().await;
        world
    })
    .await;
    assert_eq!(end.reason, CloseReason::Removed);
}

#[tokio::test(start_paused = true)]
async fn a_later_termination_is_obeyed() {
    let (end, _) = play(|world| async move {
        world.ann_comes().await;
        advance(EARLY_TERMINATION).await;
        world.stop.send(Stop::Now(CloseReason::Terminated)).unwrap();
        world.stop.closed().await;
        world
    })
    .await;
    assert_eq!(
        end,
        SessionEnd {
            reason: CloseReason::Terminated,
            error: None
        }
    );
}

#[tokio::test(start_paused = true)]
async fn a_model_that_gave_up_fails_the_job_with_its_code() {
    let (end, _) = play(|world| async move {
        world.ann_comes().await;
        let reason = "invalid_api_key".to_owned();
        world
            .model(LinkEvent::Exhausted {
                reason,
                blame: crate::model::Blame::Config,
            })
            .await;
        // The conversation may still say something; whatever it does, it ends.
        world.stop.closed().await;
        world
    })
    .await;
    assert_eq!(
        end.error,
        Some(SessionError::Model("invalid_api_key".to_owned()))
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_ends_the_conversation_after_the_grace() {
    let (end, tally) = play(|world| async move {
        world.ann_comes().await;
        world.settle().await;
        world.room(RoomInput::Left(ParticipantId::new("ann"))).await;
        world.stop.closed().await;
        world
    })
    .await;
    assert_eq!(
        end,
        SessionEnd {
            reason: CloseReason::CallerLeft,
            error: None
        }
    );
    let facts = crate::session::report::Facts {
        job: String::new(),
        agent: String::new(),
        started_at: 0,
        lasted_s: 0.0,
        reason: "",
        error: None,
    };
    assert_eq!(tally.finish(facts).callers, 1);
}

#[tokio::test(start_paused = true)]
async fn a_session_whose_budget_is_spent_says_goodbye_and_ends() {
    let prices = crate::model::Config::default().prices;
    let price = prices.into_iter().next();
    let budget = meter::Config {
        session_usd: Some(0.05),
        ..meter::Config::default()
    };
    let setting = Made {
        meter: Meter::new(price, budget.budget()),
        ..Made::default()
    };
    let (end, _) = play_made(setting, |mut world| async move {
        world.ann_comes().await;
        world.model_up().await;
        world.room(RoomInput::AgentHeard).await;
        let greeting = world.create().await;
        // A thousand tokens of speech are 50 seconds, and cost more than five cents.
        world.answers(greeting, 1_000).await;
        let goodbye = world.create().await;
        world.answers(goodbye, 10).await;
        world.stop.closed().await;
        world
    })
    .await;
    assert_eq!(
        end,
        SessionEnd {
            reason: CloseReason::BudgetSpent,
            error: None
        }
    );
}

#[tokio::test(start_paused = true)]
async fn orders_that_nobody_takes_end_the_session_as_our_bug() {
    let (end, _) = play(|mut world| async move {
        world.orders.close();
        world.ann_comes().await;
        world.model_up().await;
        world.room(RoomInput::AgentHeard).await;
        world.stop.closed().await;
        world
    })
    .await;
    assert_eq!(end.error, Some(SessionError::Overrun("model")));
}
