//! Adapter: the tools every agent can have: small and complete examples.
//!
//! `current_time` is pure but for the clock it is given; `end_call` only says what it wants.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::{
    call::{ToolName, ValidCall},
    function::parameters,
    policy::{Marks, Rules},
    tool::{Answer, Context, Effect, Then, Tool, ToolError, ToolSpec},
};

/// Neither of them waits for anything.
const DEADLINE: Duration = Duration::from_secs(1);

/// All of them.
pub fn all() -> Vec<Arc<dyn Tool>> {
    vec![
        Arc::new(CurrentTime::default()),
        Arc::new(EndCall::default()),
        Arc::new(EscalateToHuman::default()),
        Arc::new(SwitchAgent::default()),
    ]
}

/// Tells the date and the time of day.
#[derive(Debug)]
pub struct CurrentTime {
    spec: ToolSpec,
    clock: fn() -> SystemTime,
}

/// Arguments of `current_time`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CurrentTimeArguments {
    /// Minutes the caller's clock is ahead of UTC, for example 60 for Paris in winter. Leave it
    /// out for UTC.
    #[serde(default)]
    #[schemars(range(min = -840, max = 840))]
    utc_offset_minutes: i32,
}

impl CurrentTime {
    /// With a clock of one's own.
    pub fn with_clock(clock: fn() -> SystemTime) -> Self {
        let description = "Tells the current date, weekday and time of day. Use it whenever the \
                           answer depends on now.";
        Self {
            spec: spec::<CurrentTimeArguments>("current_time", description),
            clock,
        }
    }
}

impl Default for CurrentTime {
    fn default() -> Self {
        Self::with_clock(SystemTime::now)
    }
}

#[async_trait]
impl Tool for CurrentTime {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn run(&self, call: &ValidCall, _context: &Context) -> Result<Answer, ToolError> {
        let arguments: CurrentTimeArguments = call
            .parse()
            .map_err(|error| ToolError::new(error.to_string()))?;
        let since = (self.clock)()
            .duration_since(UNIX_EPOCH)
            .map_err(|_| ToolError::new("the clock of this machine is wrong"))?;
        let offset = arguments.utc_offset_minutes;
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX / 2);
        let local = Civil::new(seconds + i64::from(offset) * 60);
        Ok(Answer::new(json!({
            "time": format!("{local}{}", Offset(offset)),
            "weekday": local.weekday(),
        })))
    }
}

/// Ends the conversation.
#[derive(Debug)]
pub struct EndCall {
    spec: ToolSpec,
}

/// Arguments of `end_call`: none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EndCallArguments {}

impl Default for EndCall {
    fn default() -> Self {
        let description = "Ends the conversation. Say goodbye first, then call this. Use it only \
                           when the caller wants to end or has said goodbye.";
        Self {
            spec: spec::<EndCallArguments>("end_call", description),
        }
    }
}

#[async_trait]
impl Tool for EndCall {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn run(&self, _call: &ValidCall, _context: &Context) -> Result<Answer, ToolError> {
        let value = json!("The conversation ends as soon as the goodbye was heard.");
        Ok(Answer {
            value,
            then: Then::EndConversation,
        })
    }
}

/// Asks a person to join the conversation.
#[derive(Debug)]
pub struct EscalateToHuman {
    spec: ToolSpec,
}

/// Arguments of `escalate_to_human`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EscalateArguments {
    /// Why a person is needed, in one sentence, for that person to read.
    #[schemars(length(min = 1, max = 300))]
    reason: String,
}

impl Default for EscalateToHuman {
    fn default() -> Self {
        let description = "Asks a colleague, who is a person, to join. Use it when the caller asks \
                           for a person, when you cannot help, or when somebody may be in danger.";
        Self {
            spec: ToolSpec {
                // A record that takes nothing must not keep help away, so it does not wait for one. Who carries it
                // out asks once for one reason.
                ..spec::<EscalateArguments>("escalate_to_human", description)
            },
        }
    }
}

#[async_trait]
impl Tool for EscalateToHuman {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn run(&self, call: &ValidCall, _context: &Context) -> Result<Answer, ToolError> {
        let EscalateArguments { reason } = call
            .parse()
            .map_err(|error| ToolError::new(error.to_string()))?;
        let value = json!(
            "A colleague was asked to join. Tell the caller so, and stay with them until somebody comes."
        );
        Ok(Answer {
            value,
            then: Then::Escalate { reason },
        })
    }
}

/// Hands the conversation to another agent.
#[derive(Debug)]
pub struct SwitchAgent {
    spec: ToolSpec,
}

/// Arguments of `switch_agent`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SwitchArguments {
    /// Name of the other agent, as your instructions tell it.
    #[schemars(length(min = 1, max = 64))]
    agent: String,
}

impl Default for SwitchAgent {
    fn default() -> Self {
        let description = "Hands the conversation to another agent, who knows what was said. Tell \
                           the caller in a few words before you call it.";
        Self {
            spec: spec::<SwitchArguments>("switch_agent", description),
        }
    }
}

#[async_trait]
impl Tool for SwitchAgent {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn run(&self, call: &ValidCall, context: &Context) -> Result<Answer, ToolError> {
        let SwitchArguments { agent } = call
            .parse()
            .map_err(|error| ToolError::new(error.to_string()))?;
        if !context.colleagues.contains(&agent) {
            return Err(ToolError::new(match &*context.colleagues {
                [] => "there is nobody to hand over to".to_owned(),
                names => format!("you can hand over to {} only", names.join(", ")),
            }));
        }
        let value = json!("You are the other agent now. Go on from what was said.");
        Ok(Answer {
            value,
            then: Then::SwitchAgent { agent },
        })
    }
}

fn spec<A: JsonSchema>(name: &str, description: &str) -> ToolSpec {
    ToolSpec {
        name: ToolName::parse(name).expect("built-in names are tool names"),
        description: description.to_owned(),
        parameters: {
            let mut parameters = parameters::<A>();
            // The doc comment of the argument type is for us, not for the model.
            if let Some(fields) = parameters.as_object_mut() {
                fields.remove("description");
            }
            parameters
        },
        effect: Effect::Pure,
        deadline: DEADLINE,
        most_runs: None,
        marks: Marks::default(),
        rules: Rules::default(),
    }
}

/// A point in time as people write it.
#[derive(Debug)]
struct Civil {
    days: i64,
    second_of_day: i64,
}

const SECONDS_PER_DAY: i64 = 86_400;
const WEEKDAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];

impl Civil {
    fn new(seconds: i64) -> Self {
        Self {
            days: seconds.div_euclid(SECONDS_PER_DAY),
            second_of_day: seconds.rem_euclid(SECONDS_PER_DAY),
        }
    }

    /// The first day of 1970 was a Thursday.
    fn weekday(&self) -> &'static str {
        let index = usize::try_from(self.days.rem_euclid(7)).expect("a remainder of 7 is small");
        WEEKDAYS[index]
    }

    /// Year, month and day of the proleptic Gregorian calendar, counted in eras of 400 years that
    /// begin in March, so that the leap day is the last one of its year.
    fn date(&self) -> (i64, i64, i64) {
        let days = self.days + 719_468;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let march_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * march_month + 2) / 5 + 1;
        let month = if march_month < 10 {
            march_month + 3
        } else {
            march_month - 9
        };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        (year, month, day)
    }
}

impl fmt::Display for Civil {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let (hour, rest) = (self.second_of_day / 3600, self.second_of_day % 3600);
        let (minute, second) = (rest / 60, rest % 60);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )
    }
}

/// An offset in the form of RFC 3339, in minutes.
struct Offset(i32);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("Z"),
            minutes => {
                let sign = if minutes < 0 { '-' } else { '+' };
                let minutes = minutes.abs();
                write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let cases = [
            (0, "1970-01-01T00:00:00", "Thursday"),
            (951_782_399, "2000-02-28T23:59:59", "Monday"),
            (951_782_400, "2000-02-29T00:00:00", "Tuesday"),
            (1_709_164_800, "2024-02-29T00:00:00", "Thursday"),
            (1_735_689_599, "2024-12-31T23:59:59", "Tuesday"),
            (1_795_262_400, "2026-11-21T12:00:00", "Saturday"),
            (4_107_542_400, "2100-03-01T00:00:00", "Monday"),
            (-1, "1969-12-31T23:59:59", "Wednesday"),
        ];
        for (seconds, text, weekday) in cases {
            let civil = Civil::new(seconds);
            assert_eq!(
                (civil.to_string().as_str(), civil.weekday()),
                (text, weekday)
            );
        }
    }

    #[test]
    fn offsets_are_written_as_rfc_3339_says() {
        let written = [0, 60, -210, 840].map(|minutes| Offset(minutes).to_string());
        assert_eq!(written, ["Z", "+01:00", "-03:30", "+14:00"]);
    }
}
