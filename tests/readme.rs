//! The README's examples print what the README says.

use std::process::Command;

#[test]
fn every_example_prints_what_the_readme_says() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let binary = std::path::Path::new(env!("CARGO_BIN_EXE_redkit"));
    let folders = std::env::join_paths(
        std::iter::once(binary.parent().unwrap().to_owned())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    )
    .unwrap();
    let mut tried = 0;
    for block in text.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        let mut examples: Vec<(String, String)> = Vec::new();
        for line in block.lines() {
            match (line.strip_prefix("$ "), examples.last_mut()) {
                (Some(command), _) => examples.push((command.to_owned(), String::new())),
                (None, Some((_, output))) => {
                    output.push_str(line);
                    output.push('\n');
                }
                (None, None) => panic!("output without a command: {line}"),
            }
        }
        for (command, expected) in examples {
            let run = Command::new("sh")
                .args(["-c", &format!("( {command} ) 2>&1")])
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .env("PATH", &folders)
                .output()
                .unwrap();
            assert_eq!(String::from_utf8_lossy(&run.stdout), expected, "{command}");
            tried += 1;
        }
    }
    assert!(tried >= 5, "{tried} examples");
}
