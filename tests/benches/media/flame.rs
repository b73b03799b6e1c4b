//! Core: a flame graph as one SVG without a script: width is time, and what is called lies above its caller.
//! Functions narrower than a two-thousandth are left out; names show when the pointer rests on them.

use std::{collections::BTreeMap, fmt::Write};

use crate::stacks::{self, Stack};

const WIDTH: f64 = 1_400.0;
const ROW: f64 = 15.0;
/// For the title and the legend.
const HEAD: f64 = 40.0;
/// Narrower than this share of everything is not drawn.
const NARROWEST: f64 = 0.000_5;
/// A letter of the font.
const LETTER: f64 = 6.2;

const COLOURS: [(&str, &str); 10] = [
    ("codec", "#e4572e"),
    ("engine", "#f3a712"),
    ("livekit crate", "#a8c686"),
    ("ears and mixer", "#669bbc"),
    ("model link", "#8e7dbe"),
    ("playout", "#f7aef8"),
    ("telemetry", "#72ddf7"),
    ("session", "#c9ada7"),
    ("ciphers", "#b08968"),
    ("runtime", "#ced4da"),
];
const OTHER: &str = "#e9ecef";

#[derive(Default)]
struct Node {
    samples: u32,
    above: BTreeMap<String, Self>,
}

/// Draws the stacks.
pub(crate) fn draw(title: &str, stacks: &[Stack]) -> String {
    let mut root = Node::default();
    for stack in stacks {
        root.add(stack);
    }
    let rows = root.depth(f64::from(root.samples) * NARROWEST);
    let height = HEAD + rows as f64 * ROW + 10.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"monospace\" font-size=\"10\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
         <text x=\"4\" y=\"14\" font-size=\"12\">{}</text>\n",
        escape(title)
    );
    for (at, (owner, colour)) in COLOURS.iter().enumerate() {
        let x = 4.0 + 135.0 * at as f64;
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"22\" width=\"10\" height=\"10\" fill=\"{colour}\"/>\
             <text x=\"{}\" y=\"31\">{owner}</text>",
            x + 14.0
        );
    }
    let scale = WIDTH / f64::from(root.samples.max(1));
    root.draw_above(&mut svg, (0.0, height - 5.0), scale);
    svg.push_str("</svg>\n");
    svg
}

impl Node {
    fn add(&mut self, stack: &[String]) {
        self.samples += 1;
        if let Some((frame, rest)) = stack.split_first() {
            self.above.entry(frame.clone()).or_default().add(rest);
        }
    }

    fn depth(&self, narrowest: f64) -> usize {
        let drawn = self
            .above
            .values()
            .filter(|node| f64::from(node.samples) >= narrowest);
        drawn
            .map(|node| 1 + node.depth(narrowest))
            .max()
            .unwrap_or(0)
    }

    /// `from`: left end and lower edge.
    fn draw_above(&self, svg: &mut String, (mut x, below): (f64, f64), scale: f64) {
        for (frame, node) in &self.above {
            let width = f64::from(node.samples) * scale;
            if width >= WIDTH * NARROWEST {
                node.draw(svg, frame, (x, below - ROW), (width, 100.0 * width / WIDTH));
                node.draw_above(svg, (x, below - ROW), scale);
            }
            x += width;
        }
    }

    fn draw(&self, svg: &mut String, frame: &str, (x, y): (f64, f64), (width, share): (f64, f64)) {
        let owner = stacks::owner_of(frame);
        let colour = COLOURS.iter().find(|(known, _)| Some(*known) == owner);
        let colour = colour.map_or(OTHER, |(_, colour)| colour);
        let shown: String = frame.chars().take(160).collect();
        let letters = (width / LETTER) as usize;
        let label: String = if letters < 4 {
            String::new()
        } else {
            shown.chars().take(letters).collect()
        };
        let _ = write!(
            svg,
            "<g><title>{} ({share:.2} %)</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" \
             height=\"{}\" fill=\"{colour}\"/>",
            escape(&shown),
            (width - 0.3).max(0.2),
            ROW - 1.0,
        );
        if !label.is_empty() {
            let _ = write!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x + 2.0,
                y + 10.5,
                escape(&label)
            );
        }
        svg.push_str("</g>\n");
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_as_wide_as_its_share() {
        let stack = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let stacks: Vec<Stack> = vec![stack(&["a", "opus_encode<f>"]), stack(&["a"])];
        let svg = draw("two samples", &stacks);
        assert!(svg.contains("opus_encode&lt;f&gt; (50.00 %)"));
        assert!(svg.contains("<title>a (100.00 %)</title>"));
    }
}
