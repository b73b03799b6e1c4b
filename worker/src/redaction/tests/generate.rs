//! People who say personal things, and businesses that say numbers. All of it is made up.

use std::ops::Range;

use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

/// A sentence with one personal thing in it.
pub(crate) struct Sample {
    pub(crate) text: String,
    /// Where, in bytes.
    pub(crate) personal: Range<usize>,
    /// What somebody else asked before.
    pub(crate) question: Option<String>,
}

fn one<'a>(rng: &mut StdRng, of: &[&'a str]) -> &'a str {
    of.choose(rng).expect("something to choose from")
}

/// `{}` in the template is the personal thing; a `|` ends the question of the other side.
fn sample(template: &str, personal: &str) -> Sample {
    let (question, sentence) = match template.split_once('|') {
        Some((question, sentence)) => (Some(question.to_owned()), sentence),
        None => (None, template),
    };
    let (before, after) = sentence.split_once("{}").expect("a place for it");
    Sample {
        text: format!("{before}{personal}{after}"),
        personal: before.len()..before.len() + personal.len(),
        question,
    }
}

pub(crate) fn cards(rng: &mut StdRng, is_spoken: bool) -> Sample {
    let digits = card(rng);
    let template = one(
        rng,
        &[
            "my card number is {}",
            "it's {}",
            "yeah sure, {} okay",
            "charge it to {} please",
            "the visa is {} and the name is Smith",
            "okay so the number on the card is, um, {}",
            "{}",
            "What is your card number?|{}",
            "I ordered two of them, take {} for that",
            "number {}, got it?",
        ],
    );
    let shape: &[usize] = match digits.len() {
        15 => &[4, 6, 5],
        _ => &[4, 4, 4, 4],
    };
    let personal = if is_spoken {
        say(rng, &digits, shape)
    } else {
        write(rng, &digits, shape, &["", " ", "-", " ", ""])
    };
    sample(template, &personal)
}

pub(crate) fn ssns(rng: &mut StdRng, is_spoken: bool) -> Sample {
    let area = loop {
        let area = rng.random_range(1..900);
        if area != 666 {
            break area;
        }
    };
    let (group, serial) = (rng.random_range(1..100), rng.random_range(1..10_000));
    let digits = format!("{area:03}{group:02}{serial:04}");
    let template = one(
        rng,
        &[
            "my social security number is {}",
            "my social is {}",
            "SSN: {}",
            "sure, {}",
            "Can you tell me your social security number?|yes it's {}",
            "What is your social?|{}",
            "the ssn on file should be {} I think",
            "{} is my social",
            "I was born in Ohio and it is {}",
        ],
    );
    let personal = if is_spoken {
        say(rng, &digits, &[3, 2, 4])
    } else {
        write(rng, &digits, &[3, 2, 4], &["-", "-", " ", ""])
    };
    sample(template, &personal)
}

pub(crate) fn phones(rng: &mut StdRng, is_spoken: bool) -> Sample {
    let (area, exchange) = (rng.random_range(201..990), rng.random_range(200..1000));
    let line = rng.random_range(0..10_000);
    let digits = format!("{area}{exchange}{line:04}");
    let template = one(
        rng,
        &[
            "you can call me at {}",
            "my phone number is {}",
            "{}",
            "it's {} thanks",
            "reach me on my cell, {}, after five",
            "What number can we call you back on?|{}",
            "the number is {}",
            "text {} when it is ready",
            "fax it to {} please",
        ],
    );
    if is_spoken {
        let personal = say(rng, &digits, &[3, 3, 4]);
        return sample(template, &personal);
    }
    let (a, e, l) = (&digits[..3], &digits[3..6], &digits[6..]);
    let personal = match rng.random_range(0..9) {
        0 => format!("({a}) {e}-{l}"),
        1 => format!("{a}-{e}-{l}"),
        2 => format!("{a}.{e}.{l}"),
        3 => format!("+1 {a} {e} {l}"),
        4 => format!("+1{digits}"),
        5 => format!("1-{a}-{e}-{l}"),
        6 => format!("{a} {e} {l}"),
        7 => format!("+44 20 {e}4 {l}"),
        _ => digits.clone(),
    };
    sample(template, &personal)
}

const NAMES: &[&str] = &[
    "jane", "john", "maria", "ahmed", "li", "olga", "peter", "sofia", "kwame", "ines", "bob",
    "priya", "tom", "lucas", "emma", "mark", "will", "grace", "hope", "rose",
];
const FAMILIES: &[&str] = &[
    "doe", "smith", "garcia", "khan", "wang", "petrov", "miller", "rossi", "mensah", "silva",
    "baker", "young", "brown", "page",
];
const HOSTS: &[&str] = &[
    "example", "gmail", "outlook", "bluedoor", "acme", "yahoo", "proton", "harbor",
];
const ENDS: &[&str] = &["com", "org", "net", "io", "edu", "de"];

pub(crate) fn emails(rng: &mut StdRng, is_spoken: bool) -> Sample {
    let template = one(
        rng,
        &[
            "my email is {}",
            "you can write to {} any time",
            "{}",
            "it's {}, all lower case",
            "send it to {} please",
            "What is your e-mail address?|{}",
            "sure that would be {}",
            "the address is {}",
            "send the invoice for order 4839 to {}",
        ],
    );
    let (name, family) = (one(rng, NAMES), one(rng, FAMILIES));
    let (host, end) = (one(rng, HOSTS), one(rng, ENDS));
    let year = rng.random_range(1..100).to_string();
    let personal = if is_spoken {
        let local = match rng.random_range(0..7) {
            0 => format!("{name} dot {family}"),
            1 => format!("{name} underscore {family}"),
            2 => format!("{name}{family}"),
            3 => format!("{name} {}", digits_said(rng, &year)),
            4 => spelled(name),
            5 => format!("{} dot {family}", &name[..1]),
            _ => format!("{name} dash {family} {year}"),
        };
        let host = match rng.random_range(0..4) {
            0 if host.len() > 5 => spelled(host),
            1 => format!("mail dot {host}"),
            _ => host.to_owned(),
        };
        let at = one(rng, &["at", "at", "at", "at sign"]);
        format!("{local} {at} {host} dot {end}")
    } else {
        let local = match rng.random_range(0..6) {
            0 => format!("{name}.{family}"),
            1 => format!("{name}_{family}{year}"),
            2 => format!("{name}+{family}"),
            3 => format!("{}{}", name.to_uppercase(), year),
            4 => format!("{name}-{family}"),
            _ => name.to_owned(),
        };
        let host = match rng.random_range(0..3) {
            0 => format!("mail.{host}"),
            1 => format!("{host}-{family}"),
            _ => host.to_owned(),
        };
        format!("{local}@{host}.{end}")
    };
    sample(template, &personal)
}

fn spelled(word: &str) -> String {
    let letters: Vec<String> = word.chars().map(String::from).collect();
    letters.join(" ")
}

/// A number that an issuer could have given out, with its check digit.
fn card(rng: &mut StdRng) -> String {
    let (prefix, length) = *[
        ("4", 16),
        ("4", 16),
        ("51", 16),
        ("55", 16),
        ("2345", 16),
        ("37", 15),
        ("34", 15),
        ("6011", 16),
        ("65", 16),
    ]
    .choose(rng)
    .expect("an issuer");
    let mut digits = prefix.to_owned();
    while digits.len() < length - 1 {
        digits.push(char::from(b'0' + rng.random_range(0..10)));
    }
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| {
            let digit = u32::from(byte - b'0');
            let weighed = if at % 2 == 0 { digit * 2 } else { digit };
            weighed / 10 + weighed % 10
        })
        .sum();
    digits + &((10 - sum % 10) % 10).to_string()
}

/// In groups, with one of these between them.
fn write(rng: &mut StdRng, digits: &str, shape: &[usize], between: &[&str]) -> String {
    groups(digits, shape).join(one(rng, between))
}

fn groups(digits: &str, shape: &[usize]) -> Vec<String> {
    let mut at = 0;
    let cut = |length: &usize| {
        at += length;
        digits[at - length..at].to_owned()
    };
    shape.iter().map(cut).collect()
}

/// As people say it, with hesitation.
fn say(rng: &mut StdRng, digits: &str, shape: &[usize]) -> String {
    let groups = groups(digits, shape);
    let between = one(
        rng,
        &[" ", ", ", " ", " um ", ", uh, ", ". ", " dash ", "\n"],
    );
    let said: Vec<String> = groups.iter().map(|group| digits_said(rng, group)).collect();
    said.join(between)
}

fn digits_said(rng: &mut StdRng, digits: &str) -> String {
    const ONES: [&str; 10] = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ];
    const TEENS: [&str; 10] = [
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ];
    const TENS: [&str; 8] = [
        "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    ];
    let style = rng.random_range(0..6);
    let values: Vec<usize> = digits
        .bytes()
        .map(|byte| usize::from(byte - b'0'))
        .collect();
    let mut said: Vec<String> = Vec::new();
    let mut at = 0;
    while at < values.len() {
        let rest = &values[at..];
        match (style, rest) {
            (0, [a, b, c, ..]) if a == b && b == c => {
                said.push(format!("triple {}", ONES[*a]));
                at += 3;
            }
            (0, [a, b, ..]) if a == b => {
                said.push(format!("double {}", ONES[*a]));
                at += 2;
            }
            (1, [1, b, ..]) => {
                said.push(TEENS[*b].to_owned());
                at += 2;
            }
            (1, [a @ 2..=9, 0, ..]) => {
                said.push(TENS[a - 2].to_owned());
                at += 2;
            }
            (1, [a @ 2..=9, b, ..]) => {
                let joint = if rng.random_bool(0.5) { "-" } else { " " };
                said.push(format!("{}{joint}{}", TENS[a - 2], ONES[*b]));
                at += 2;
            }
            (2, [0, ..]) => {
                said.push("oh".to_owned());
                at += 1;
            }
            (3, [digit, ..]) => {
                said.push(digit.to_string());
                at += 1;
            }
            (_, [digit, ..]) => {
                said.push(ONES[*digit].to_owned());
                at += 1;
            }
            (_, []) => break,
        }
    }
    said.join(" ")
}

/// A sentence whose numbers are nobody's.
pub(crate) fn business(rng: &mut StdRng) -> String {
    let digits = |rng: &mut StdRng, count: usize| -> String {
        (0..count)
            .map(|_| char::from(b'0' + rng.random_range(0..10)))
            .collect()
    };
    let (year, month, day) = (
        rng.random_range(1990..2031),
        rng.random_range(1..13),
        rng.random_range(1..29),
    );
    match rng.random_range(0..24) {
        0 => format!("order number {} has shipped", digits(rng, 8)),
        1 => format!("your order {}-{} is ready", digits(rng, 3), digits(rng, 7)),
        2 => format!(
            "it was on {year}-{month:02}-{day:02} at {:02}:{:02}",
            day % 24,
            day
        ),
        3 => format!("on {month}/{day}/{year} we close early"),
        4 => format!("that is ${}.{}", digits(rng, 4), digits(rng, 2)),
        5 => format!(
            "the total is 1,{},{} dollars",
            digits(rng, 3),
            digits(rng, 3)
        ),
        6 => format!("tracking number 1Z{}AA{}", digits(rng, 3), digits(rng, 11)),
        7 => format!("the parcel is {}", digits(rng, 22)),
        8 => format!(
            "flight LH {} leaves at gate {}",
            digits(rng, 3),
            digits(rng, 2)
        ),
        9 => format!(
            "server 10.{}.{}.{} runs version {}.{}.{}",
            day, month, day, month, day, day
        ),
        10 => format!("the room is {} on floor {}", digits(rng, 3), day),
        11 => format!(
            "ISBN 978-{}-{}-{}",
            digits(rng, 1),
            digits(rng, 4),
            digits(rng, 5)
        ),
        12 => format!("timestamp 17{} in the log", digits(rng, 11)),
        13 => format!("invoice INV-{year}-{}", digits(rng, 6)),
        14 => format!(
            "we served {} people in {year} and {} in {}",
            digits(rng, 5),
            digits(rng, 5),
            year + 1
        ),
        15 => "twenty five dollars and ninety nine cents for two tickets".to_owned(),
        16 => format!("zip code {} in Ohio", digits(rng, 5)),
        17 => "visit us at example dot com or come by at nine thirty".to_owned(),
        18 => format!("confirmation {} is yours", digits(rng, 6)),
        19 => format!("case number {} was closed", digits(rng, 10)),
        20 => format!("{} bytes in {} ms", digits(rng, 9), digits(rng, 4)),
        21 => format!("your membership id is {}", digits(rng, 9)),
        22 => format!(
            "the address is {} Main Street, apartment {}",
            digits(rng, 4),
            digits(rng, 2)
        ),
        _ => format!(
            "page {day} of {month}, row {}, seat {}",
            digits(rng, 2),
            digits(rng, 2)
        ),
    }
}
