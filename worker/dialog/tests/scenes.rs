//! Ring: hermetic. Conversations in virtual time, told as scenes; each file is one subject.

mod addressing;
mod audience;
mod barge_in;
mod chat;
mod close;
mod commands;
mod context;
mod echo;
mod false_interruption;
mod hour;
mod many_voices;
mod press;
mod reconnect;
mod rotation;
mod scene;
mod silence;
mod tool_flow;
mod truncation;
mod turn_end;
