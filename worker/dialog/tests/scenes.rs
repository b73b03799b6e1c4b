//! Ring: hermetic. Conversations in virtual time, told as scenes; each file is one subject.

mod addressing;
mod answers_in_doubt;
mod audience;
mod barge_in;
mod chat;
mod close;
mod commands;
mod context;
mod disclosure;
mod echo;
mod false_interruption;
mod gap;
mod heard_again;
mod hour;
mod late_words;
mod many_voices;
mod picture;
mod press;
mod reconnect;
mod rotation;
mod scene;
mod silence;
mod tool_flow;
mod tools_in_doubt;
mod truncation;
mod turn_end;
