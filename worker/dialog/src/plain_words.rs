//! Core: text as plain words, so that what a transcriber writes can be compared with what was expected.
//!
//! Spelling is the transcriber's taste: letter case, punctuation and repeated letters do not count.

/// The words of a text, in order.
pub(crate) fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(plain)
        .collect()
}

/// Lower case, each letter once: "Mmm" and "mm" are one word.
fn plain(word: &str) -> String {
    let mut plain = String::new();
    for letter in word.chars().flat_map(char::to_lowercase) {
        if !plain.ends_with(letter) {
            plain.push(letter);
        }
    }
    plain
}
