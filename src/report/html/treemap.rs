//! A treemap: rectangles inside rectangles, each as large as its share.

use std::fmt::Write;

use crate::report::html::escaped;

/// Width and height of the drawing.
const SIZE: (f64, f64) = (1000.0, 460.0);
/// The strip over a group for its name.
const STRIP: f64 = 18.0;
/// Smaller rectangles carry no name.
const NAMED: (f64, f64) = (44.0, 18.0);
/// About what a letter takes of a line, and one that is twice as wide.
const LETTER: f64 = 6.9;
const WIDE: f64 = 12.5;

/// A rectangle with its name, or a group of them.
pub(super) struct Node {
    /// Stands in it.
    pub(super) name: String,
    /// Stands beside the pointer.
    pub(super) title: String,
    /// How large it is.
    pub(super) weight: u64,
    /// The class that gives it its colour.
    pub(super) class: &'static str,
    /// What it consists of.
    pub(super) inside: Vec<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Rect {
    x: f64,
    y: f64,
    w: f64,
    h: f64,
}

/// The drawing.
pub(super) fn svg(nodes: &[Node], label: &str) -> String {
    let (w, h) = SIZE;
    let label = escaped(label);
    let mut out = format!("<svg viewBox=\"0 0 {w} {h}\" role=\"img\" aria-label=\"{label}\">");
    draw(
        nodes,
        Rect {
            x: 0.0,
            y: 0.0,
            w,
            h,
        },
        &mut out,
    );
    out.push_str("</svg>");
    out
}

fn draw(nodes: &[Node], into: Rect, out: &mut String) {
    let weights: Vec<f64> = nodes.iter().map(|node| node.weight as f64).collect();
    for (node, rect) in nodes.iter().zip(squarified(&weights, into)) {
        // What nobody can see is not drawn.
        if rect.w < 0.5 || rect.h < 0.5 {
            continue;
        }
        let class = match node.inside.is_empty() {
            true => format!("tile {}", node.class),
            false => "group".to_owned(),
        };
        let Rect { x, y, w, h } = rect;
        let title = escaped(&node.title);
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "<g><title>{title}</title><rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" \
             width=\"{w:.1}\" height=\"{h:.1}\"/>"
        );
        if node.inside.is_empty() {
            name(&node.name, rect, "on", out);
            out.push_str("</g>");
            continue;
        }
        let has_strip = h > STRIP * 2.0 && w > NAMED.0;
        let strip = if has_strip { STRIP } else { 0.0 };
        if has_strip {
            name(&node.name, Rect { h: STRIP, ..rect }, "head", out);
        }
        out.push_str("</g>");
        let inside = Rect {
            x: x + 2.0,
            y: y + strip + 1.0,
            w: w - 4.0,
            h: h - strip - 3.0,
        };
        if inside.w > 0.0 && inside.h > 0.0 {
            draw(&node.inside, inside, out);
        }
    }
}

/// Writes a name, as much of it as there is room for.
fn name(name: &str, rect: Rect, class: &str, out: &mut String) {
    if rect.w < NAMED.0 || rect.h < NAMED.1 {
        return;
    }
    let mut room = rect.w - 12.0;
    let mut short = String::new();
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        let width = if letter < '\u{1100}' { LETTER } else { WIDE };
        let rest = if letters.peek().is_some() {
            LETTER
        } else {
            0.0
        };
        if room < width + rest {
            short.push('…');
            break;
        }
        room -= width;
        short.push(letter);
    }
    let (x, y) = (rect.x + 6.0, rect.y + 13.5);
    let text = escaped(&short);
    let _ = write!(
        out,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"
    );
}

/// Divides a rectangle by weights, the largest first, so that the parts are about square: along the
/// shorter side, row by row, each row as long as that makes its parts less oblong.
fn squarified(weights: &[f64], into: Rect) -> Vec<Rect> {
    let total: f64 = weights.iter().sum();
    if total <= 0.0 {
        return Vec::new();
    }
    let scale = into.w * into.h / total;
    let areas: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
    let mut rects = Vec::with_capacity(areas.len());
    let mut left = into;
    let mut rest: &[f64] = &areas;
    while !rest.is_empty() {
        let side = left.w.min(left.h);
        let mut count = 1;
        while count < rest.len() && worst(rest, count + 1, side) <= worst(rest, count, side) {
            count += 1;
        }
        let (row, after) = rest.split_at(count);
        rest = after;
        let area: f64 = row.iter().sum();
        if side <= 0.0 {
            rects.extend(row.iter().map(|_| Rect {
                w: 0.0,
                h: 0.0,
                ..left
            }));
            continue;
        }
        // What is too small for its numbers does not get out of its place.
        let thick = (area / side).min(left.w.max(left.h));
        let mut along = 0.0;
        for part in row {
            let long = if area > 0.0 { side * part / area } else { 0.0 };
            rects.push(match left.w >= left.h {
                true => Rect {
                    x: left.x,
                    y: left.y + along,
                    w: thick,
                    h: long,
                },
                false => Rect {
                    x: left.x + along,
                    y: left.y,
                    w: long,
                    h: thick,
                },
            });
            along += long;
        }
        left = match left.w >= left.h {
            true => Rect {
                x: left.x + thick,
                w: (left.w - thick).max(0.0),
                ..left
            },
            false => Rect {
                y: left.y + thick,
                h: (left.h - thick).max(0.0),
                ..left
            },
        };
    }
    rects
}

/// How oblong the most oblong part of a row of so many would be.
fn worst(areas: &[f64], count: usize, side: f64) -> f64 {
    let row = areas.get(..count).unwrap_or(areas);
    let sum: f64 = row.iter().sum();
    let thick = sum / side;
    let oblong = |area: &f64| {
        let long = area / thick;
        (long / thick).max(thick / long)
    };
    let all = row.iter().map(oblong);
    all.fold(
        0.0,
        |a, b| if b.is_nan() { f64::INFINITY } else { a.max(b) },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_their_share_lie_inside_and_do_not_overlap() {
        let into = Rect {
            x: 3.0,
            y: 5.0,
            w: 100.0,
            h: 40.0,
        };
        for weights in [
            &[1.0][..],
            &[6.0, 6.0, 4.0, 3.0, 2.0, 2.0, 1.0],
            &[1e15, 1.0, 1.0, 0.0],
            &[1.0; 50],
        ] {
            let rects = squarified(weights, into);
            assert_eq!(rects.len(), weights.len());
            let total: f64 = weights.iter().sum();
            for (i, (rect, weight)) in rects.iter().zip(weights).enumerate() {
                let area = weight / total * into.w * into.h;
                assert!((rect.w * rect.h - area).abs() < 1e-6, "{rect:?} {area}");
                assert!(
                    rect.x >= into.x - 1e-6 && rect.y >= into.y - 1e-6,
                    "{rect:?}"
                );
                assert!(rect.x + rect.w <= into.x + into.w + 1e-6, "{rect:?}");
                assert!(rect.y + rect.h <= into.y + into.h + 1e-6, "{rect:?}");
                for other in &rects[..i] {
                    let across = (rect.x + rect.w).min(other.x + other.w) - rect.x.max(other.x);
                    let down = (rect.y + rect.h).min(other.y + other.h) - rect.y.max(other.y);
                    assert!(across.max(0.0) * down.max(0.0) < 1e-6, "{rect:?} {other:?}");
                }
            }
        }
        assert!(squarified(&[], into).is_empty());
        assert!(squarified(&[0.0, 0.0], into).is_empty());
    }

    #[test]
    fn a_name_is_cut_to_its_room_and_breaks_out_of_nothing() {
        let node = |name: &str, weight| Node {
            name: name.to_owned(),
            title: name.to_owned(),
            weight,
            class: "t-string",
            inside: Vec::new(),
        };
        let drawn = svg(
            &[node("</title><script>x", 9), node("y", 1), node("z", 0)],
            "\"a\"",
        );
        assert!(
            drawn.contains("&lt;/title&gt;&lt;script&gt;x</title>"),
            "{drawn}"
        );
        assert!(!drawn.contains("<script") && drawn.contains("aria-label=\"&quot;a&quot;\""));
        let mut out = String::new();
        let rect = Rect {
            x: 0.0,
            y: 0.0,
            w: 60.0,
            h: 20.0,
        };
        name("0123456789", rect, "on", &mut out);
        assert!(out.contains(">01234…<"), "{out}");
    }
}
