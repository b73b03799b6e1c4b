//! Core: a small picture of speech: energy per band over time, and how alike two pictures are.

use std::{f32::consts::TAU, sync::LazyLock};

use crate::clips::SAMPLE_RATE;

/// Samples per window: 21 ms, about two pitch periods of a deep voice.
const WINDOW: usize = 512;
/// Samples between windows: 10 ms.
const HOP: usize = 240;
/// The same in seconds.
pub(super) const HOP_SECONDS: f32 = HOP as f32 / SAMPLE_RATE as f32;
/// Bands between `LOWEST` and `HIGHEST`, wider towards the top like hearing.
const BANDS: usize = 18;
const LOWEST: f32 = 150.0;
/// Narrow-band calls end below 4 kHz, and so do we.
const HIGHEST: f32 = 3_900.0;
/// Power that counts as nothing; keeps noise and codec rests out of the comparison.
const FLOOR: f32 = 1e-7;

/// Log energy per band, one row per [`HOP`].
pub(super) struct Picture {
    rows: Vec<[f32; BANDS]>,
}

impl Picture {
    /// The picture of these samples.
    pub(super) fn of(pcm: &[i16]) -> Self {
        let rows = (0..pcm.len().div_ceil(HOP))
            .map(|row| bands(&pcm[row * HOP..]))
            .collect();
        Self { rows }
    }

    /// How alike `wanted` is to the stretch that begins at each row, -1 to 1.
    pub(super) fn scores(&self, wanted: &Self) -> Vec<f32> {
        let length = wanted.rows.len();
        if length == 0 || self.rows.len() < length {
            return Vec::new();
        }
        let (wanted, wanted_norm) = centred(&wanted.rows);
        self.rows
            .windows(length)
            .map(|rows| alike(rows, &wanted, wanted_norm))
            .collect()
    }
}

fn alike(rows: &[[f32; BANDS]], wanted: &[[f32; BANDS]], wanted_norm: f32) -> f32 {
    let mean = mean_of(rows);
    let (mut dot, mut norm) = (0.0f32, 0.0f32);
    for (row, wanted) in rows.iter().zip(wanted) {
        for band in 0..BANDS {
            let value = row[band] - mean[band];
            dot += value * wanted[band];
            norm += value * value;
        }
    }
    // A stretch without any movement is silence and like nothing.
    if norm < 1.0 {
        0.0
    } else {
        dot / (norm * wanted_norm).sqrt()
    }
}

fn centred(rows: &[[f32; BANDS]]) -> (Vec<[f32; BANDS]>, f32) {
    let mean = mean_of(rows);
    let centred: Vec<[f32; BANDS]> = rows
        .iter()
        .map(|row| std::array::from_fn(|band| row[band] - mean[band]))
        .collect();
    let norm = centred.iter().flatten().map(|value| value * value).sum();
    (centred, norm)
}

fn mean_of(rows: &[[f32; BANDS]]) -> [f32; BANDS] {
    let mut mean = [0.0; BANDS];
    for row in rows {
        for band in 0..BANDS {
            mean[band] += row[band];
        }
    }
    mean.map(|sum| sum / rows.len() as f32)
}

fn bands(pcm: &[i16]) -> [f32; BANDS] {
    let mut re = [0.0f32; WINDOW];
    let mut im = [0.0f32; WINDOW];
    for (i, sample) in pcm.iter().take(WINDOW).enumerate() {
        re[i] = f32::from(*sample) / 32_768.0 * TABLES.hann[i];
    }
    transform(&mut re, &mut im);
    std::array::from_fn(|band| {
        let (from, to) = TABLES.edges[band];
        let power: f32 = (from..to)
            .map(|bin| re[bin] * re[bin] + im[bin] * im[bin])
            .sum();
        (power / (WINDOW * WINDOW) as f32 + FLOOR).ln()
    })
}

struct Tables {
    hann: [f32; WINDOW],
    cos: [f32; WINDOW / 2],
    sin: [f32; WINDOW / 2],
    edges: [(usize, usize); BANDS],
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let angle = |i: usize| TAU * i as f32 / WINDOW as f32;
    Tables {
        hann: std::array::from_fn(|i| 0.5 - 0.5 * angle(i).cos()),
        cos: std::array::from_fn(|i| angle(i).cos()),
        sin: std::array::from_fn(|i| angle(i).sin()),
        edges: std::array::from_fn(|band| (edge(band), edge(band + 1).max(edge(band) + 1))),
    }
});

fn edge(band: usize) -> usize {
    let mel = |hertz: f32| (1.0 + hertz / 700.0).ln();
    let at = mel(LOWEST) + (mel(HIGHEST) - mel(LOWEST)) * band as f32 / BANDS as f32;
    let hertz = 700.0 * (at.exp() - 1.0);
    (hertz * WINDOW as f32 / SAMPLE_RATE as f32).round() as usize
}

/// Fourier transform in place, decimation in time.
fn transform(re: &mut [f32; WINDOW], im: &mut [f32; WINDOW]) {
    let bits = WINDOW.trailing_zeros();
    for i in 0..WINDOW {
        let j = i.reverse_bits() >> (usize::BITS - bits);
        if i < j {
            re.swap(i, j);
            im.swap(i, j);
        }
    }
    let mut half = 1;
    while half < WINDOW {
        let stride = WINDOW / (2 * half);
        for start in (0..WINDOW).step_by(2 * half) {
            for k in 0..half {
                let (cos, sin) = (TABLES.cos[k * stride], -TABLES.sin[k * stride]);
                let (a, b) = (start + k, start + k + half);
                let (x, y) = (re[b] * cos - im[b] * sin, re[b] * sin + im[b] * cos);
                (re[b], im[b]) = (re[a] - x, im[a] - y);
                (re[a], im[a]) = (re[a] + x, im[a] + y);
            }
        }
        half *= 2;
    }
}
