//! Ring: hermetic. Attacks that the tool plane has to withstand, one named test for each.
//!
//! The numbers are those of a list of such attacks: S1–S4 addresses, S5, S10 and S11 tools of MCP servers,
//! S6 and S7 arguments, S8 and S9 effects, S31 templates, S32 rules, S33 answers. What is tested here under
//! the attack's name is not tested again under another one.

#[path = "negative/addresses.rs"]
mod addresses;
#[path = "negative/answers.rs"]
mod answers;
#[path = "negative/arguments.rs"]
mod arguments;
#[path = "negative/effects.rs"]
mod effects;
#[path = "negative/hostile.rs"]
mod hostile;
#[path = "negative/plane.rs"]
mod plane;
#[expect(dead_code, reason = "other tests use more of it")]
mod probe;
mod request;
#[path = "negative/rules.rs"]
mod rules;
#[expect(dead_code, reason = "other tests use more of it")]
mod service;
#[path = "negative/templates.rs"]
mod templates;
