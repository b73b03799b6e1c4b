//! S32: rules that are missing, broken, or too dear.

use serde_json::{Value, json};
use tools::{
    Context, Facts, Marks, Rules,
    policy::{RuleForm, RuleProblem},
};

use crate::probe::{Probe, numbered};

const BROKEN: &str = "a rule of this tool could not be applied";

fn rules(require: &str) -> Result<Rules, Vec<RuleProblem>> {
    Rules::read(&[RuleForm {
        require: Some(require.to_owned()),
        refuse: Some("No.".to_owned()),
        ..RuleForm::default()
    }])
}

/// What the model is told of a call with these arguments, and whether it ran.
async fn judged(probe: Probe, arguments: &Value) -> (String, bool) {
    let parameters = json!({"type": "object", "properties": {"n": {}, "all": {"type": "array"}}});
    let (gateway, log) = probe.with_parameters(parameters).gateway();
    let context = Context {
        facts: Facts {
            caller: json!({"attributes": {"tenant": "north"}}),
            ..Facts::default()
        },
        ..Context::default()
    };
    let call = numbered("c", &arguments.to_string());
    let outcome = gateway.invoke(&call, &context).await;
    (outcome.text_for_model(), log.started() > 0)
}

#[tokio::test(start_paused = true)]
async fn s32_what_no_rule_can_decide_does_not_run() {
    let call = json!({"n": 1, "all": ["noon"]});

    // An engine that errs, or does not say yes or no.
    for broken in [
        "args.nothing == 1",
        "args.n",
        "'yes'",
        "timestamp(args.all[0]) > now",
        "1 / 0 == 1",
        "args.all[7] == 'x'",
        "args.n + 'x' == 'y'",
        "9223372036854775807 + args.n > 0",
        "args.all[0].matches('(')",
        "caller.attributes.tenant.attributes == 1",
        "now - now",
    ] {
        let (told, ran) =
            judged(Probe::new().with_rules(rules(broken).expect(broken)), &call).await;
        assert!(!ran && told.contains(BROKEN), "{broken}: {told}");
    }

    // No rule, where there has to be one.
    for (money, personal) in [(true, false), (false, true)] {
        let (told, ran) = judged(Probe::new().with_marks(Marks { money, personal }), &call).await;
        assert!(
            !ran && told.contains("nobody has set a rule for it"),
            "{told}"
        );
    }

    // Longer, or deeper, than anybody writes: told when the plane is built.
    let long = format!("args.n == 1 || {}", "args.n == 2 || ".repeat(200) + "false");
    let deep = format!("{}args.n == 1{}", "(".repeat(900), ")".repeat(900));
    let sums = format!("args.n == 1{}", " + 1".repeat(450));
    let members = format!("args{} == 1", ".a".repeat(900));
    let nots = format!("{}(args.n == 1)", "!(".repeat(150) + &")".repeat(150));
    let lists = format!("args.n in {}1{}", "[".repeat(900), "]".repeat(900));
    let other = "true ? true : ".repeat(140) + "true";
    for endless in [long, deep, sums, members, nots, lists, other] {
        let problems = rules(&endless).expect_err("it is not taken");
        assert_eq!(
            (problems[0].index, problems[0].key),
            (0, "require"),
            "{problems:?}"
        );
    }

    // Loops within loops, over what the model sent, and what doubles itself.
    let many = json!({"n": 1, "all": vec!["x"; 5_000]});
    let some = json!({"n": 1, "all": vec!["x"; 200]});
    let doubles = "size(".to_owned()
        + &"[".repeat(5)
        + "args.all"
        + &"].map(x, x + x)[0]".repeat(5)
        + ") > 0";
    let cases = [
        ("args.all.all(x, x == 'x')", &some, true),
        ("args.all.filter(x, x == 'x').size() == 200", &some, true),
        ("args.all.all(x, args.all.all(y, x == y))", &some, false),
        ("args.all.all(x, x in args.all)", &some, false),
        ("args.all.all(x, x.matches('x'))", &some, false),
        ("args.all.all(x, x == 'x')", &many, false),
        (
            "args.all.all(x, args.all.all(y, args.all.all(z, x == z)))",
            &many,
            false,
        ),
        (doubles.as_str(), &call, false),
        ("args.n == 1", &many, true),
    ];
    for (require, arguments, runs) in cases {
        let probe = Probe::new().with_rules(rules(require).expect(require));
        let (told, ran) = judged(probe, arguments).await;
        assert_eq!(ran, runs, "{require}: {told}");
        assert!(ran || told.contains(BROKEN), "{require}: {told}");
    }
}
