//! What must hold of every output, whatever was told before.

use std::time::Duration;

use dialog::{
    Output,
    model::{ItemId, NewItem, Order, Said},
    note::Note,
    output::{CloseReason, PlayoutOrder, Publish},
};

use super::{Item, World, index};

impl World {
    pub(super) fn check(&mut self, output: Output) {
        match output {
            Output::Finished(reason) => {
                assert!(matches!(
                    reason,
                    CloseReason::CallerLeft
                        | CloseReason::CallerSilent
                        | CloseReason::Drained
                        | CloseReason::AgentEnded
                ));
                assert!(self.open_segments.is_empty(), "a segment was left open");
                let is_silent = reason == CloseReason::CallerSilent;
                assert!(!(is_silent && self.open_turn), "a turn is not silence");
                self.is_finished = true;
            }
            Output::Model(order) => {
                assert!(self.is_up, "an order without connection: {order:?}");
                self.check_order(order);
            }
            Output::Note(note) => self.check_note(&note),
            Output::Playout(order) => self.check_playout(order),
            Output::Publish(publish) => self.check_publish(publish),
            Output::RunTool(call) => {
                assert!(self.ran.insert(call.call), "a call ran twice");
            }
            _ => {}
        }
    }

    fn check_playout(&mut self, order: PlayoutOrder) {
        match order {
            PlayoutOrder::Drop { response } => {
                let response = index(response.as_str());
                let of_it = |item: &&mut Item| item.response == response;
                for item in self.items.iter_mut().filter(of_it) {
                    item.is_flushed = true;
                }
            }
            PlayoutOrder::Flush { keep, .. } => {
                let keep = keep.map(|response| index(response.as_str()));
                let is_cut = |item: &&mut Item| Some(item.response) != keep;
                for item in self.items.iter_mut().filter(is_cut) {
                    item.is_flushed = true;
                }
                self.flushes.push_back(keep);
            }
            PlayoutOrder::Pause => {
                assert!(!self.is_paused, "paused twice");
                self.is_paused = true;
            }
            PlayoutOrder::PlayClip(_) => self.is_clip_heard = true,
            PlayoutOrder::Resume => self.is_paused = false,
            PlayoutOrder::StopClip => assert!(self.is_clip_heard, "there is no clip"),
            other => panic!("{other:?} was not asked for"),
        }
    }

    fn check_order(&mut self, order: Order) {
        match order {
            Order::Cancel { response } => {
                let response = index(response.expect("cancels are by id").as_str());
                self.stopped.insert(response);
            }
            Order::Consult { tag, about, .. } => {
                for said in about {
                    if let Said::Item(item) = said {
                        assert!(!self.taken_back.contains(&item), "told what was taken back");
                    }
                }
                self.questions.push(tag);
            }
            Order::Create { tag, .. } => {
                assert!(self.asked.is_none(), "two responses asked for at once");
                assert!(self.live.is_none(), "asked while a response is active");
                self.open_turn = false;
                self.last_tag = Some(tag.clone());
                self.asked = Some(tag);
            }
            Order::Delete { item } if item.as_str().starts_with("picture") => {
                assert!(self.pictures.remove(&item), "nobody sees it");
            }
            Order::Delete { item } if self.is_shrinking => self.give_up_item(&item),
            Order::Delete { item } if item.as_str().starts_with('u') => {
                assert!(self.taken_back.insert(item), "taken back twice");
            }
            Order::Delete { item } => {
                let item = self.settle(&item);
                let was_heard = item.advanced.min(item.counted) >= Duration::from_millis(1);
                assert!(!was_heard, "deleted although it was heard");
            }
            Order::HearAgain(items) => {
                for item in items {
                    assert!(self.heard_again.insert(item), "heard again twice");
                }
            }
            Order::Item(NewItem::Approval { call, denial }) => {
                assert!(
                    denial.is_some() || self.ran.contains(&call),
                    "nobody looked at it"
                );
                assert!(self.decided.insert(call.clone()), "decided twice");
                assert!(
                    index(call.as_str()) >= self.first_call,
                    "of a lost connection"
                );
            }
            Order::Item(NewItem::Picture { item, .. }) => {
                assert!(self.pictures.insert(item), "shown twice");
                assert!(self.pictures.len() <= 3, "too many pictures");
            }
            Order::Truncate { item, heard } => {
                let item = self.settle(&item);
                assert!(heard <= item.counted, "cut beyond what was received");
                let floor = item.advanced.min(item.counted);
                assert!(
                    heard + Duration::from_millis(1) > floor,
                    "cut before what was heard"
                );
                assert_eq!(
                    heard.subsec_nanos() % 1_000_000,
                    0,
                    "not whole milliseconds"
                );
            }
            _ => {}
        }
    }

    /// Old items may go although they were heard; nothing may be ordered about them afterwards.
    fn give_up_item(&mut self, item: &ItemId) {
        if item.as_str().starts_with('a') {
            let item = &mut self.items[index(item.as_str())];
            assert!(!item.is_of_lost_link, "of a lost connection");
            item.is_settled = true;
        }
    }

    /// The item of an order about what was heard: there is one such order per item, and none about
    /// items of a lost connection.
    fn settle(&mut self, item: &ItemId) -> &mut Item {
        let item = &mut self.items[index(item.as_str())];
        assert!(!item.is_settled, "an item was cut twice");
        assert!(
            !item.is_of_lost_link,
            "an item of a lost connection was touched"
        );
        item.is_settled = true;
        item
    }

    fn check_note(&mut self, note: &Note) {
        match note {
            Note::ResponseLost { .. } => self.give_up(),
            Note::SilencePrompted { .. } => assert!(!self.open_turn, "a turn is not silence"),
            Note::TurnCommitted { .. } => {
                let answer = self.behind_pause;
                self.open_turn = answer.is_none_or(|answer| self.stopped.contains(&answer));
            }
            Note::TurnContinued | Note::TurnUnanswered => self.open_turn = false,
            _ => {}
        }
    }

    /// What was asked for is given up before what is being generated.
    fn give_up(&mut self) {
        if self.asked.take().is_none() {
            self.stopped.extend(self.live.take());
        }
    }

    fn check_publish(&mut self, publish: Publish) {
        match publish {
            Publish::AgentState(state) => {
                assert_ne!(
                    self.state.replace(state),
                    Some(state),
                    "a state was published twice"
                );
            }
            Publish::AgentText { segment, text } => {
                assert!(
                    !self.ended_segments.contains(&segment),
                    "text after the end"
                );
                *self.open_segments.entry(segment).or_default() += text.len();
            }
            Publish::AgentTextEnd { segment, .. } => {
                assert!(
                    self.open_segments.remove(&segment).is_some(),
                    "an end without text"
                );
                self.ended_segments.insert(segment);
            }
            _ => {}
        }
    }
}
