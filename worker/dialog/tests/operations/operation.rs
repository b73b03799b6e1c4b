//! One thing that happens in the hostile world.

use bolero::TypeGenerator;

/// Whom the agent answers.
#[derive(Clone, Copy, Debug, PartialEq, TypeGenerator)]
pub(crate) enum Kind {
    Asked,
    Disclosing,
    Named,
    Pressed,
    Usual,
}

/// What an ear hears.
#[derive(Clone, Copy, Debug, TypeGenerator)]
pub(crate) enum Edge {
    Echoed,
    Started,
    Stopped,
}

/// What somebody with authority asks.
#[derive(Clone, Copy, Debug, TypeGenerator)]
pub(crate) enum Command {
    Equip,
    GoOn,
    HearCaller,
    HearEveryone,
    Instruct,
    Interject,
    Say,
    Silence,
}

/// One thing that happens. Small numbers choose among the few newest ids.
#[derive(Clone, Debug, TypeGenerator)]
pub(crate) enum Operation {
    /// A response begins, speaks and is heard for a while: what chance alone would rarely build.
    Answer {
        millis: u16,
        heard: u16,
        is_over: bool,
    },
    Advance {
        back: u8,
        millis: u16,
    },
    AudioDone {
        back: u8,
    },
    AudioNewItem {
        back: u8,
        millis: u16,
    },
    AudioMore {
        back: u8,
        millis: u16,
    },
    Call {
        back: u8,
        is_whole: bool,
    },
    Chat {
        who: u8,
    },
    Commit,
    Consulted {
        back: u8,
        is_meant: bool,
    },
    Created {
        is_ours: bool,
    },
    CreatedLate,
    Done {
        back: u8,
        status: u8,
    },
    /// Ends the conversation, so it is rare.
    Drain {
        chance: u8,
    },
    Drained,
    Shrink,
    Flushed,
    Join {
        who: u8,
        is_agent: bool,
    },
    Leave {
        who: u8,
        chance: u8,
    },
    LinkDown,
    LinkUp {
        creates: bool,
        truncates: bool,
    },
    Refused {
        is_busy: bool,
        is_named: bool,
    },
    RoomAway {
        is_away: bool,
    },
    Press {
        who: u8,
        is_down: bool,
    },
    RoomReady,
    Shows {
        who: u8,
    },
    Command(Command),
    /// An ear hears somebody begin or end to speak.
    Speech {
        who: u8,
        what: Edge,
    },
    SpeechStarted,
    SpeechStopped,
    Start {
        back: u8,
    },
    Text {
        back: u8,
    },
    CallOfProvider {
        back: u8,
    },
    McpCallDone {
        back: u8,
    },
    ToolApproved {
        back: u8,
    },
    ToolFinished {
        back: u8,
        ends: bool,
    },
    UserText {
        is_final: bool,
        is_company: bool,
    },
    Wait {
        millis: u16,
    },
}
