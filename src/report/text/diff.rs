//! Differences for people.

use crate::error::printable;
use crate::report::diff::{Change, Difference, LibraryDifference, Side};
use crate::report::text::{Paint, counted, moment};

/// One difference, on one line.
pub fn difference(one: &Difference, paint: Paint) -> String {
    let (mark, words) = match (one.change, &one.old, &one.new) {
        (Change::Expiry, Some(old), Some(new)) => (
            paint.doubtful("~"),
            format!("expiry {} -> {}", time(old), time(new)),
        ),
        (_, Some(old), Some(new)) if old.of != new.of => (
            paint.doubtful("~"),
            format!("{} -> {}", about(old), about(new)),
        ),
        (_, Some(old), Some(new)) if about(old) == about(new) => (paint.doubtful("~"), about(new)),
        (_, Some(old), Some(new)) => (
            paint.doubtful("~"),
            format!("{} -> {}", about(old), about(new)),
        ),
        (_, Some(old), None) => (paint.bad("-"), about(old)),
        (_, _, Some(new)) => (paint.good("+"), about(new)),
        (_, None, None) => (String::new(), String::new()),
    };
    let change = one.change.name();
    format!(
        "{mark} {change:<7} [{}] \"{}\" {words}\n",
        one.db,
        printable(&one.key)
    )
}

/// One function library that differs, on one line.
pub fn library_difference(one: &LibraryDifference, paint: Paint) -> String {
    let mark = match one.change {
        Change::Added => paint.good("+"),
        Change::Removed => paint.bad("-"),
        Change::Changed | Change::Expiry => paint.doubtful("~"),
    };
    let (change, name) = (one.change.name(), printable(&one.name));
    format!("{mark} {change:<7} function library \"{name}\"\n")
}

fn about(side: &Side) -> String {
    let elements = match side.of {
        crate::record::DataType::String => counted(side.elements, "byte"),
        _ => counted(side.elements, "element"),
    };
    format!("{} of {elements}", side.of.name())
}

fn time(side: &Side) -> String {
    side.expires_at.map_or("none".to_owned(), moment)
}
