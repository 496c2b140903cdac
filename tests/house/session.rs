//! A session of the program as a picture: commands of a file, run in a shell, drawn as a terminal shows
//! what comes of them.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

/// Width of the terminal; longer lines are broken, as terminals do.
const COLUMNS: usize = 110;
/// Size of a cell in the picture.
const CELL: (f64, f64) = (8.4, 18.0);
const MARGIN: f64 = 16.0;

/// Text in one style.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    style: &'static str,
    text: String,
}

type Line = Vec<Run>;

/// The picture of the session that is written down in `docs/demo/session.txt`.
pub(crate) fn picture() -> String {
    let session = include_str!("../../docs/demo/session.txt");
    let mut lines: Vec<Line> = Vec::new();
    for command in session.lines().filter(|line| !line.starts_with('#')) {
        let prompt = Run {
            style: "p",
            text: "$ ".to_owned(),
        };
        let typed = Run {
            style: "b",
            text: command.to_owned(),
        };
        lines.push(vec![prompt, typed]);
        lines.extend(styled(&output_of(command)));
        lines.push(Vec::new());
    }
    lines.pop();
    svg(&lines.iter().flat_map(broken).collect::<Vec<_>>())
}

/// What a command prints to a terminal, in both streams.
fn output_of(command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_redkit")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::iter::once(program.to_owned()).chain(std::env::split_paths(&path));
    // Its output goes to a pipe here, so it is told that it may use colours.
    let command = command.replace("redkit check-aof", "redkit check-aof --color always");
    let output = Command::new("sh")
        .args(["-c", &format!("( {command} ) 2>&1")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", std::env::join_paths(path).unwrap())
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Lines of text with the styles that their escape sequences set.
fn styled(text: &str) -> Vec<Line> {
    let mut style = "t";
    let line = |line: &str| {
        let mut runs = Vec::new();
        for (at, piece) in line.split("\x1b[").enumerate() {
            let text = match (at, piece.split_once('m')) {
                (0, _) => piece,
                (_, Some((code, text))) => {
                    style = match code {
                        "0" => "t",
                        "1" => "b",
                        "31" | "1;31" => "r",
                        "32" | "1;32" => "g",
                        "33" | "1;33" => "y",
                        "36" => "c",
                        other => panic!("no style for {other}"),
                    };
                    text
                }
                (_, None) => panic!("an escape sequence of another kind: {piece}"),
            };
            if !text.is_empty() {
                runs.push(Run {
                    style,
                    text: text.to_owned(),
                });
            }
        }
        runs
    };
    text.lines().map(line).collect()
}

/// A line in pieces that fit.
fn broken(line: &Line) -> Vec<Line> {
    let mut lines = vec![Line::new()];
    let mut used = 0;
    for run in line {
        for c in run.text.chars() {
            if used == COLUMNS {
                lines.push(Line::new());
                used = 0;
            }
            used += 1;
            let last = lines.last_mut().unwrap();
            match last.last_mut().filter(|before| before.style == run.style) {
                Some(before) => before.text.push(c),
                None => last.push(Run {
                    style: run.style,
                    text: c.to_string(),
                }),
            }
        }
    }
    lines
}

fn svg(lines: &[Line]) -> String {
    let width = MARGIN * 2.0 + CELL.0 * COLUMNS as f64;
    let height = MARGIN * 2.0 + CELL.1 * lines.len() as f64;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" \
         aria-label=\"A terminal session: redkit checks and mends a log\">\n\
         <style>text{{font:14px ui-monospace,Menlo,Consolas,monospace;white-space:pre;fill:#d8dee4}}\
         .p{{fill:#7d8590}}.b{{fill:#fff;font-weight:700}}.r{{fill:#ff7b72;font-weight:700}}\
         .g{{fill:#7ee787}}.y{{fill:#e3b341}}.c{{fill:#79c0ff}}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    for (row, line) in lines.iter().enumerate() {
        if line.is_empty() {
            continue;
        }
        let y = MARGIN + CELL.1 * (row as f64 + 0.75);
        write!(
            out,
            "<text x=\"{MARGIN}\" y=\"{y:.1}\" xml:space=\"preserve\">"
        )
        .unwrap();
        let mut column = 0;
        for run in line {
            // Each run says where it stands, so that columns hold in any font.
            let x = MARGIN + CELL.0 * column as f64;
            let count = run.text.chars().count();
            let length = CELL.0 * count as f64;
            column += count;
            let text = escaped(&run.text);
            write!(
                out,
                "<tspan class=\"{}\" x=\"{x:.1}\" textLength=\"{length:.1}\">{text}</tspan>",
                run.style
            )
            .unwrap();
        }
        out.push_str("</text>\n");
    }
    out.push_str("</svg>\n");
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
