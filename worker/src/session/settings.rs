//! Core: what one agent makes of the worker's settings.
//!
//! The agent's definition wins where it says something; the worker's configuration stands
//! otherwise. It reads no files and resolves no names.

use crate::{
    agents::{Answers, FirstSign, Hears, Interruption, Rendered},
    media::ear,
    model::{SessionSettings, ToolDeclaration, TurnDetection},
};

/// What the model is told for this agent.
pub(super) fn model(
    worker: &SessionSettings,
    agent: &Rendered,
    tools: Vec<ToolDeclaration>,
) -> SessionSettings {
    let mut settings = worker.clone();
    settings.instructions.clone_from(&agent.instructions);
    settings.tools = tools;
    if let Some(voice) = &agent.voice {
        settings.voice.clone_from(voice);
    }
    if let Some(model) = &agent.model {
        settings.model.clone_from(model);
    }
    if let Some(detection) = &agent.turn_detection {
        settings.turn_detection.clone_from(detection);
    }
    if let Some(transcription) = &agent.transcription {
        settings.transcription = transcription.enabled.then(|| transcription.clone());
    }
    if let Some(reduction) = agent.noise_reduction {
        settings.noise_reduction = Some(reduction);
    }
    settings
}

/// Who is heard.
pub(super) fn hears(wanted: Hears) -> dialog::config::Hears {
    match wanted {
        Hears::Caller => dialog::config::Hears::Caller,
        Hears::Everyone => dialog::config::Hears::Everyone,
    }
}

/// How the conversation is held.
pub(super) fn dialog(agent: &Rendered, turns: &TurnDetection) -> dialog::Config {
    let usual = dialog::Config::default();
    dialog::Config {
        answers: match agent.answers {
            Answers::Everything => dialog::config::Answers::Everything,
            Answers::Asked => dialog::config::Answers::Asked(agent.names.clone()),
            Answers::Named => dialog::config::Answers::Named(agent.names.clone()),
        },
        disclosure: agent.disclosure.clone(),
        greeting: agent.greeting.clone(),
        hears: hears(agent.hears),
        interruption: interruption(&agent.interruption),
        presses_to_talk: *turns == TurnDetection::Manual,
        silence: agent.silence.as_ref().map(|silence| dialog::Silence {
            prompt: silence.prompt.clone(),
            prompt_after: silence.prompt_after,
            hang_up_after: silence.hang_up_after,
        }),
        working: agent
            .working
            .clone()
            .unwrap_or_else(|| usual.working.clone()),
        ..usual
    }
}

fn interruption(agent: &Interruption) -> dialog::config::Interruption {
    dialog::config::Interruption {
        first_sign: match agent.first_sign {
            FirstSign::Duck => dialog::config::FirstSign::Duck,
            FirstSign::Pause => dialog::config::FirstSign::Pause,
        },
        min_speech: agent.min_speech,
        words_wait: agent.words_wait,
        edge_lag: ear::EDGE_LAG,
        backchannels: agent.backchannels.clone(),
        protect_greeting: agent.protect_greeting,
        ..dialog::config::Interruption::default()
    }
}
