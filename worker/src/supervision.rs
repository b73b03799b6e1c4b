//! Supervision: what people may ask of an agent in its room, and who may.
//!
//! A command travels as an RPC of the room and carries a signed grant; no name, attribute or kind of a
//! participant gives authority. [`command`] reads what is asked, [`grant`] whether it may be. Calls of tools that
//! wait for somebody's word stand in [`approvals`], which answers over HTTP, too; [`deed`] puts the use of grants
//! on record; [`escalation`] asks for a person.

pub mod approvals;
pub mod command;
pub mod deed;
pub mod escalation;
pub mod grant;
