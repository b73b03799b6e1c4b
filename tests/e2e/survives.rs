//! Calls that survive their network: media cut, signal cut, both, another source port, a server
//! that comes back without memory. People listen; nothing is asserted about how long it took.

use tests::{faults::impairment::Impairment, stack::Stack};

use crate::story::{SOON, greeted};

#[tokio::test(flavor = "multi_thread")]
async fn a_call_through_the_relay_is_a_call() {
    let (stack, relay) = Stack::relayed(Impairment::default(), |settings| settings).await;
    let (ann, agent) = greeted(&stack, "ann", "kitchen").await;
    let said = ann.say("caller-apples").await;
    ann.hears("caller-apples", said.ended, SOON).await;
    let counts = relay.counts();
    assert!(counts.to_server.delivered > 100, "{counts:?}");
    assert!(counts.from_server.delivered > 100, "{counts:?}");
    assert_eq!(ann.agents(), [agent]);
}
