//! The page in a real browser, where there is one: `REDKIT_CHROMIUM`, or a Chromium in the PATH.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::support::dump::redkit_ok;
use crate::support::{TempFolder, starting};
use crate::{from_json, hostile, text};

/// The names that it goes by.
const NAMES: [&str; 5] = [
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
];

/// Where it is. One that is named must be there.
fn browser() -> Option<PathBuf> {
    if let Some(path) = env::var_os("REDKIT_CHROMIUM").filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let folders: Vec<_> = env::split_paths(&env::var_os("PATH")?).collect();
    let paths = NAMES
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = paths.into_iter().find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: no Chromium in the PATH, and REDKIT_CHROMIUM names none");
    }
    found
}

/// Runs it on a page, and gives what it prints.
#[track_caller]
fn run(browser: &Path, folder: &TempFolder, page: &Path, more: &[&str]) -> Vec<u8> {
    let profile = folder.path().join("profile");
    let mut command = Command::new(browser);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args([
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--window-size=1200,1600",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(more)
        .arg(format!("file://{}", page.display()))
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    let output = starting(|| command.output()).unwrap();
    assert!(output.status.success(), "{command:?}: {}", output.status);
    output.stdout
}

#[track_caller]
fn dom(browser: &Path, folder: &TempFolder, page: &Path) -> String {
    String::from_utf8(run(browser, folder, page, &["--dump-dom"])).unwrap()
}

/// Width and height of a PNG, and its bytes.
#[track_caller]
fn screenshot(
    browser: &Path,
    folder: &TempFolder,
    page: &Path,
    more: &[&str],
) -> (u32, u32, Vec<u8>) {
    let path = folder.path().join("page.png");
    let shot = format!("--screenshot={}", path.display());
    run(browser, folder, page, &[&[shot.as_str()], more].concat());
    let png = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20), png)
}

#[test]
fn a_browser_shows_the_page_light_and_dark() {
    let Some(browser) = browser() else {
        return;
    };
    let folder = TempFolder::new();
    let mut lines = String::new();
    for i in 0..300 {
        let (of, value) = match i % 3 {
            0 => ("string", format!("\"{}\"", "x".repeat(i))),
            1 => ("list", "[\"a\",\"b\"]".to_owned()),
            _ => ("hash", "{\"f\":\"v\"}".to_owned()),
        };
        lines.push_str(&format!(
            "{{\"db\":0,\"key\":\"part{}:{i}\",\"type\":\"{of}\",\"expire_at_ms\":{},\"value\":{value}}}\n",
            i % 7,
            5_000_000_000_000u64 + 7_000_000 * i as u64
        ));
    }
    let path = from_json(&folder, "shown", &lines);
    let page = folder.path().join("page.html");
    let now = ["--now", "5000000500000"];
    redkit_ok(
        &[
            &["stats", "-q", text(&path), "--html", text(&page)],
            &now[..],
        ]
        .concat(),
    );
    let shown = dom(&browser, &folder, &page);
    // It reads the page as it was written: all tables, drawings and rows are there.
    let written = fs::read_to_string(&page).unwrap();
    for tag in [
        "<section", "<svg", "<rect", "<table", "<tr>", "<text", "<title>",
    ] {
        let of = |text: &str| text.matches(tag).count();
        assert!(of(&written) > 1, "{tag}");
        assert_eq!(of(&shown), of(&written), "{tag}");
    }
    assert!(shown.contains("part0:") && shown.contains("Bytes by prefix and type"));
    let light = screenshot(&browser, &folder, &page, &[]);
    let dark = ["--blink-settings=preferredColorScheme=0"];
    let dark = screenshot(&browser, &folder, &page, &dark);
    for (width, height, png) in [&light, &dark] {
        // A blank page of this size takes a tenth of that.
        assert!(
            (*width, *height) == (1200, 1600) && png.len() > 40_000,
            "{}",
            png.len()
        );
    }
    assert_ne!(light.2, dark.2);
}

#[test]
fn nothing_runs_in_a_page_of_hostile_names() {
    let Some(browser) = browser() else {
        return;
    };
    let folder = TempFolder::new();
    let path = hostile(&folder);
    let page = folder.path().join("hostile.html");
    let top = ["--depth", "2", "--top", "100"];
    redkit_ok(
        &[
            &["stats", "-q", text(&path), "--html", text(&page)],
            &top[..],
        ]
        .concat(),
    );
    let shown = dom(&browser, &folder, &page);
    for tag in ["<script", "<img", "<svg onload", "onerror=\"", "<iframe"] {
        assert!(!shown.contains(tag), "{tag}");
    }
    let title = shown.split("<title>").nth(1).unwrap();
    assert!(
        title
            .split("</title>")
            .next()
            .unwrap()
            .ends_with("redkit stats"),
        "{title}"
    );
    // What stands in the table is the name.
    assert!(shown.contains("&lt;script&gt;document.title='x'&lt;/script&gt;:1</td>"));
    let written = fs::read_to_string(&page).unwrap();
    assert_eq!(shown.matches("<td").count(), written.matches("<td").count());
    assert_eq!(
        shown.matches("<rect").count(),
        written.matches("<rect").count()
    );
    // The browser that would run a script in such a page does so here.
    let runs = folder.path().join("runs.html");
    fs::write(
        &runs,
        "<!doctype html><title>a</title><script>document.title='x'</script>",
    )
    .unwrap();
    assert!(dom(&browser, &folder, &runs).contains("<title>x</title>"));
}
