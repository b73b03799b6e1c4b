//! Core: whose sound and data do not open, so that each person is told of once.
//!
//! With a key of the room (`[livekit] e2ee_key`) everything is sealed end to end. Somebody with another key is
//! heard by nobody who has this one, and does not notice: so the log and the metrics must say it.

use std::collections::HashSet;

use dialog::speaker::ParticipantId;
use livekit::webrtc::native::frame_cryptor::EncryptionState;

use crate::telemetry::event::SealFault;

/// Who fails now.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    /// Only people in the room: who leaves is forgotten.
    failing: HashSet<ParticipantId>,
}

impl Sealed {
    /// What is to be told of somebody's new state.
    pub(super) fn on_state(
        &mut self,
        participant: ParticipantId,
        state: EncryptionState,
    ) -> Option<SealFault> {
        let fault = match state {
            EncryptionState::DecryptionFailed => SealFault::WrongKey,
            EncryptionState::MissingKey => SealFault::NoKey,
            EncryptionState::EncryptionFailed | EncryptionState::InternalError => SealFault::Broken,
            EncryptionState::New | EncryptionState::Ok | EncryptionState::KeyRatcheted => {
                return None;
            }
        };
        self.failing.insert(participant).then_some(fault)
    }

    pub(super) fn on_left(&mut self, participant: &ParticipantId) {
        self.failing.remove(participant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_person_is_told_of_once_until_they_leave() {
        let mut sealed = Sealed::default();
        let ann = || ParticipantId::new("ann");
        let mut after = |state| sealed.on_state(ann(), state);
        assert_eq!(after(EncryptionState::Ok), None);
        let wrong = Some(SealFault::WrongKey);
        assert_eq!(after(EncryptionState::DecryptionFailed), wrong);
        assert_eq!(after(EncryptionState::Ok), None);
        assert_eq!(after(EncryptionState::DecryptionFailed), None, "once");
        let other = sealed.on_state(ParticipantId::new("bob"), EncryptionState::MissingKey);
        assert_eq!(other, Some(SealFault::NoKey));
        sealed.on_left(&ann());
        assert_eq!(
            sealed.on_state(ann(), EncryptionState::DecryptionFailed),
            wrong
        );
    }
}
