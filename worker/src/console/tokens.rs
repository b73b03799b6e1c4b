//! Adapter: the signed keys of links, and the room tokens they are good for.
//!
//! A key is an HS256 JWT made with the LiveKit API secret: `{iss: API key, sub: "talk", room, exp}`.
//! It opens this console for one room and nothing at the LiveKit server. No API secret leaves this
//! process.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use livekit_api::access_token::{AccessToken, VideoGrants};
use livekit_protocol as proto;
use serde::{Deserialize, Serialize};

use crate::config::{LiveKit, Secret};

/// How long a room token works for joining; a connected participant gets fresh ones.
const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);
/// What a key of ours is for. A room token has another subject, so it is no key.
const SUBJECT: &str = "talk";

#[derive(Debug, Deserialize, Serialize)]
struct Claims {
    iss: String,
    sub: String,
    room: String,
    exp: u64,
}

/// Why a key opens nothing. The words are for the person who holds the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// It was good once.
    #[error("this link has expired; ask for a new one")]
    Expired,
    /// Not signed by us, or not for talking.
    #[error("this link is not valid here; ask for a new one")]
    Invalid,
}

/// Makes and checks keys, and makes room tokens.
#[derive(Clone, Debug)]
pub struct Tokens {
    api_key: Secret,
    api_secret: Secret,
}

impl Tokens {
    /// With the keys of this server.
    pub fn new(livekit: &LiveKit) -> Self {
        Self {
            api_key: livekit.api_key.clone(),
            api_secret: livekit.api_secret.clone(),
        }
    }

    /// A key for a link.
    ///
    /// # Errors
    /// When the secret cannot sign.
    pub fn key(&self, room: &str, now: SystemTime, lifetime: Duration) -> Result<Secret, KeyError> {
        let expires = now + lifetime;
        let claims = Claims {
            iss: self.api_key.expose().to_owned(),
            sub: SUBJECT.to_owned(),
            room: room.to_owned(),
            exp: expires
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs(),
        };
        let secret = EncodingKey::from_secret(self.api_secret.expose().as_bytes());
        let signed = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret);
        signed.map(Secret::new).map_err(|_| KeyError::Invalid)
    }

    /// The room a key opens.
    ///
    /// # Errors
    /// When it opens none.
    pub fn room_of(&self, key: &str) -> Result<String, KeyError> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[self.api_key.expose()]);
        rules.set_required_spec_claims(&["exp", "iss", "sub"]);
        rules.sub = Some(SUBJECT.to_owned());
        rules.leeway = 0;
        rules.validate_aud = false;
        let secret = DecodingKey::from_secret(self.api_secret.expose().as_bytes());
        match jsonwebtoken::decode::<Claims>(key, &secret, &rules) {
            Ok(token) if !token.claims.room.is_empty() => Ok(token.claims.room),
            Ok(_) => Err(KeyError::Invalid),
            Err(error) => match error.kind() {
                jsonwebtoken::errors::ErrorKind::ExpiredSignature => Err(KeyError::Expired),
                _ => Err(KeyError::Invalid),
            },
        }
    }

    /// Lets one person into one room, with microphone and chat, for an hour; brings the agent when
    /// the join creates the room.
    ///
    /// # Errors
    /// When the secret cannot sign.
    pub fn caller(
        &self,
        room: &str,
        identity: &str,
        name: &str,
        agent_name: &str,
    ) -> Result<Secret, KeyError> {
        let grants = VideoGrants {
            room_join: true,
            room: room.to_owned(),
            can_publish: Some(true),
            can_publish_sources: vec!["microphone".to_owned()],
            can_publish_data: Some(true),
            can_subscribe: Some(true),
            can_update_own_metadata: Some(false),
            ..Default::default()
        };
        let agent = proto::RoomAgentDispatch {
            agent_name: agent_name.to_owned(),
            ..Default::default()
        };
        let config = proto::RoomConfiguration {
            agents: vec![agent],
            ..Default::default()
        };
        AccessToken::with_api_key(self.api_key.expose(), self.api_secret.expose())
            .with_ttl(TOKEN_LIFETIME)
            .with_identity(identity)
            .with_name(name)
            .with_grants(grants)
            .with_room_config(config)
            .to_jwt()
            .map(Secret::new)
            .map_err(|_| KeyError::Invalid)
    }
}

#[cfg(test)]
mod tests {
    use livekit_api::access_token::TokenVerifier;

    use super::*;

    fn tokens(secret: &str) -> Tokens {
        Tokens {
            api_key: Secret::new("devkey"),
            api_secret: Secret::new(secret),
        }
    }

    const DAY: Duration = Duration::from_secs(86_400);

    #[test]
    fn a_key_opens_its_room() {
        let tokens = tokens("secret");
        let key = tokens.key("kitchen", SystemTime::now(), DAY).unwrap();
        assert_eq!(tokens.room_of(key.expose()).unwrap(), "kitchen");
    }

    #[test]
    fn keys_of_others_old_keys_and_nonsense_open_nothing() {
        let ours = tokens("secret");
        let theirs = tokens("guess")
            .key("kitchen", SystemTime::now(), DAY)
            .unwrap();
        assert_eq!(ours.room_of(theirs.expose()), Err(KeyError::Invalid));
        let old = ours
            .key("kitchen", SystemTime::now() - 2 * DAY, DAY)
            .unwrap();
        assert_eq!(ours.room_of(old.expose()), Err(KeyError::Expired));
        let mut issuer = ours.clone();
        issuer.api_key = Secret::new("other");
        let other = issuer.key("kitchen", SystemTime::now(), DAY).unwrap();
        assert_eq!(ours.room_of(other.expose()), Err(KeyError::Invalid));
        let nowhere = ours.key("", SystemTime::now(), DAY).unwrap();
        assert_eq!(ours.room_of(nowhere.expose()), Err(KeyError::Invalid));
        for nonsense in ["", "a.b.c", "eyJhbGciOiJub25lIn0.e30."] {
            assert_eq!(ours.room_of(nonsense), Err(KeyError::Invalid));
        }
    }

    #[test]
    fn a_room_token_is_no_key_and_a_key_is_no_room_token() {
        let tokens = tokens("secret");
        let token = tokens.caller("kitchen", "guest-1", "Ann", "").unwrap();
        assert_eq!(tokens.room_of(token.expose()), Err(KeyError::Invalid));
        let key = tokens.key("kitchen", SystemTime::now(), DAY).unwrap();
        let verifier = TokenVerifier::with_api_key("devkey", "secret");
        assert!(
            verifier.verify(key.expose()).is_err_and(|_| true) || {
                let claims = verifier.verify(key.expose()).unwrap();
                !claims.video.room_join && !claims.video.room_admin
            }
        );
    }

    #[test]
    fn a_caller_may_speak_in_one_room_for_an_hour_and_administer_nothing() {
        let token = tokens("secret")
            .caller("kitchen", "guest-1", "Ann", "desk")
            .unwrap();
        let verifier = TokenVerifier::with_api_key("devkey", "secret");
        let claims = verifier.verify(token.expose()).unwrap();
        assert_eq!(
            (claims.sub.as_str(), claims.name.as_str()),
            ("guest-1", "Ann")
        );
        assert_eq!(claims.video.room, "kitchen");
        assert!(claims.video.room_join && !claims.video.room_admin && !claims.video.agent);
        assert_eq!(claims.video.can_publish_sources, ["microphone"]);
        assert_eq!(claims.room_config.unwrap().agents[0].agent_name, "desk");
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        assert!(claims.exp as u64 - now <= 3600);
    }
}
