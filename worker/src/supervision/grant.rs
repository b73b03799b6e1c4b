//! Adapter: signed grants: what their holder may ask of the agents of one room.
//!
//! A grant is an HS256 JWT made with the LiveKit API secret: `{iss: API key, sub: "command", room,
//! commands, exp}`. It lets nobody into a room and opens nothing at the LiveKit server.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};

use super::command::Verb;
use crate::config::{LiveKit, Secret};

/// What a grant is for. A room token has another subject, so it is no grant.
const SUBJECT: &str = "command";

#[derive(Debug, Deserialize, Serialize)]
struct Claims {
    iss: String,
    sub: String,
    room: String,
    commands: Vec<Verb>,
    exp: u64,
}

/// Why a command is not carried out. The words are for who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It was good once.
    #[error("the grant has expired")]
    Expired,
    /// Not signed by us, or no grant.
    #[error("the grant is not valid here")]
    Invalid,
    /// It is for other commands.
    #[error("the grant does not hold this command")]
    OtherCommands,
    /// It is for another room.
    #[error("the grant is for another room")]
    OtherRoom,
}

/// The secret cannot sign.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("livekit.api_secret: cannot sign a grant")]
pub struct Unsigned;

/// Makes and checks the grants of this server.
#[derive(Clone, Debug)]
pub struct Grants {
    api_key: Secret,
    api_secret: Secret,
}

impl Grants {
    /// With the keys of this server.
    pub fn new(livekit: &LiveKit) -> Self {
        Self {
            api_key: livekit.api_key.clone(),
            api_secret: livekit.api_secret.clone(),
        }
    }

    /// A grant for these commands in one room.
    ///
    /// # Errors
    /// When the secret cannot sign.
    pub fn mint(
        &self,
        room: &str,
        commands: &[Verb],
        now: SystemTime,
        lifetime: Duration,
    ) -> Result<Secret, Unsigned> {
        let expires = now + lifetime;
        let claims = Claims {
            iss: self.api_key.expose().to_owned(),
            sub: SUBJECT.to_owned(),
            room: room.to_owned(),
            commands: commands.to_vec(),
            exp: expires
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs(),
        };
        let secret = EncodingKey::from_secret(self.api_secret.expose().as_bytes());
        let signed = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret);
        signed.map(Secret::new).map_err(|_| Unsigned)
    }

    /// Whether this grant lets its holder ask this in that room, now.
    ///
    /// # Errors
    /// Why it does not.
    pub fn allow(&self, grant: &str, room: &str, verb: Verb) -> Result<(), Refusal> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[self.api_key.expose()]);
        rules.set_required_spec_claims(&["exp", "iss", "sub"]);
        rules.sub = Some(SUBJECT.to_owned());
        rules.leeway = 0;
        rules.validate_aud = false;
        let secret = DecodingKey::from_secret(self.api_secret.expose().as_bytes());
        let claims = match jsonwebtoken::decode::<Claims>(grant, &secret, &rules) {
            Ok(token) => token.claims,
            Err(error) => {
                return Err(match error.kind() {
                    jsonwebtoken::errors::ErrorKind::ExpiredSignature => Refusal::Expired,
                    _ => Refusal::Invalid,
                });
            }
        };
        match () {
            () if claims.room != room => Err(Refusal::OtherRoom),
            () if !claims.commands.contains(&verb) => Err(Refusal::OtherCommands),
            () => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn grants(secret: &str) -> Grants {
        Grants {
            api_key: Secret::new("devkey"),
            api_secret: Secret::new(secret),
        }
    }

    fn for_kitchen(now: SystemTime) -> Secret {
        let verbs = [Verb::Say, Verb::Silence];
        let minted = grants("secret").mint("kitchen", &verbs, now, HOUR);
        minted.unwrap()
    }

    #[test]
    fn a_grant_holds_in_its_room_for_its_commands() {
        let grant = for_kitchen(SystemTime::now());
        let allow = |room, verb| grants("secret").allow(grant.expose(), room, verb);
        assert_eq!(allow("kitchen", Verb::Say), Ok(()));
        assert_eq!(allow("kitchen", Verb::Silence), Ok(()));
        assert_eq!(allow("kitchen", Verb::End), Err(Refusal::OtherCommands));
        assert_eq!(allow("garden", Verb::Say), Err(Refusal::OtherRoom));
    }

    #[test]
    fn an_old_grant_and_one_of_strangers_hold_nowhere() {
        let old = for_kitchen(SystemTime::now() - 2 * HOUR);
        let fresh = for_kitchen(SystemTime::now());
        let ask = |grants: &Grants, grant: &str| grants.allow(grant, "kitchen", Verb::Say);
        assert_eq!(ask(&grants("secret"), old.expose()), Err(Refusal::Expired));
        assert_eq!(
            ask(&grants("another secret"), fresh.expose()),
            Err(Refusal::Invalid)
        );
        assert_eq!(ask(&grants("secret"), "garbage"), Err(Refusal::Invalid));
        assert_eq!(ask(&grants("secret"), ""), Err(Refusal::Invalid));
    }

    #[test]
    fn a_link_to_the_talk_page_is_no_grant() {
        let livekit = LiveKit {
            api_key: Secret::new("devkey"),
            api_secret: Secret::new("secret"),
            ..LiveKit::default()
        };
        let key =
            crate::console::tokens::Tokens::new(&livekit).key("kitchen", SystemTime::now(), HOUR);
        let asked = Grants::new(&livekit).allow(key.unwrap().expose(), "kitchen", Verb::Say);
        assert_eq!(asked, Err(Refusal::Invalid));
    }
}
