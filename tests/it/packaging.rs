//! What packages and bug reports are made of: the version, completions, manual pages and the list of
//! devices.

use crate::common;

use common::{fails, flowseg, is_wrong_usage, names, succeeds};
use std::fs;
use std::process::Command;

/// What a command prints.
#[track_caller]
fn output(arguments: &[&str]) -> String {
    succeeds(flowseg().args(arguments))
}

/// The commands that the help lists.
fn commands() -> Vec<String> {
    let help = output(&["--help"]);
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let lines = list.lines().take_while(|line| !line.is_empty());
    let named = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let first = |line: &str| line.split_whitespace().next().unwrap().replace(',', "");
    let mut commands: Vec<String> = named.map(first).filter(|name| name != "help").collect();
    commands.sort();
    assert!(commands.len() > 8, "{commands:?}");
    commands
}

#[test]
fn the_version_names_the_build() {
    let version = output(&["--version"]);
    let lines: Vec<&str> = version.lines().collect();
    assert_eq!(lines[0], concat!("flowseg ", env!("CARGO_PKG_VERSION")));
    let value = |line: usize, name: &str| {
        let value = lines[line].strip_prefix(name).unwrap();
        assert!(!value.trim().is_empty(), "{version}");
        value.trim().to_owned()
    };
    assert_ne!(value(1, "commit:"), "");
    assert!(value(2, "target:").contains(std::env::consts::ARCH));
    let embedded = value(3, "features:").contains("embedded-models");
    assert_eq!(embedded, cfg!(feature = "embedded-models"));
    assert_eq!(lines.len(), 4);
    // One line for those who only want the number.
    assert_eq!(output(&["-V"]).trim_end(), lines[0]);
}

#[test]
fn every_shell_gets_a_script_with_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = output(&["completions", shell]);
        for command in commands() {
            assert!(script.contains(&command), "{shell}: {command}");
        }
        assert!(script.contains("skip-existing"), "{shell}");
        assert!(!script.contains("\\u00"), "{shell}: an escaped character");
    }
    is_wrong_usage(flowseg().args(["completions", "csh"]));
}

/// The script in the shell that it is for.
#[cfg(target_os = "linux")]
#[test]
fn bash_completes_commands_options_and_values() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("flowseg.bash");
    fs::write(&script, output(&["completions", "bash"])).unwrap();
    let completed = |words: &str| {
        let line = format!(
            "source '{}'; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _flowseg flowseg \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let output = Command::new("bash").args(["-c", &line]).output().unwrap();
        assert!(output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(completed("flowseg segm").trim(), "segment");
    assert_eq!(
        completed("flowseg segment --skip-e").trim(),
        "--skip-existing"
    );
    assert!(completed("flowseg completions z").contains("zsh"));
}

#[test]
fn manual_pages_describe_every_command_and_option() {
    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("share/man1");
    let shown = pages.to_str().unwrap();
    output(&["man", "-o", shown]);
    let mut expected: Vec<String> = commands()
        .iter()
        .map(|command| format!("flowseg-{command}.1"))
        .collect();
    expected.push("flowseg.1".to_owned());
    expected.sort();
    assert_eq!(names(&pages), expected);
    let read = |name: &str| fs::read_to_string(pages.join(name)).unwrap();
    let main = read("flowseg.1");
    assert!(main.contains("\n.TH flowseg 1"), "{main}");
    assert_eq!(output(&["man"]), main);
    for command in commands() {
        let listed = format!("flowseg\\-{}(1)", command.replace('-', "\\-"));
        assert!(main.contains(&listed), "{command}");
        let page = read(&format!("flowseg-{command}.1"));
        let help = output(&[&command, "--help"]);
        let words = help.split_whitespace();
        for option in words.filter(|word| word.starts_with("--") && word.len() > 3) {
            let option: String = option
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            let roff = option.replace('-', "\\-");
            assert!(page.contains(&roff), "{command}: {option}");
        }
    }
    let settings = read("flowseg-train.1");
    let (_, table) = settings.split_once("\n.nf\n").unwrap();
    assert!(table.contains("\n  train.steps = "), "{table}");
    // A page is not written over a folder, and then no other page is written either.
    for name in &expected {
        fs::remove_file(pages.join(name)).unwrap();
    }
    let taken = "flowseg-view.1";
    fs::create_dir(pages.join(taken)).unwrap();
    fails(flowseg().args(["man", "-o", shown]), &[taken]);
    assert_eq!(names(&pages), [taken]);
}

#[test]
fn devices_are_described_for_people_and_programs() {
    let text = output(&["devices"]);
    let object: serde_json::Value = serde_json::from_str(&output(&["devices", "--json"])).unwrap();
    assert!(text.starts_with("cpu      "), "{text}");
    let auto = object["auto"]["device"].as_str().unwrap();
    assert!(text.contains(&format!("\nauto     {auto}")), "{text}");
    for key in ["version", "commit", "target", "features", "system"] {
        let value = object[key].as_str().unwrap();
        assert!(!value.is_empty() && text.contains(value), "{key}: {value}");
    }
    for adapter in object["adapters"].as_array().unwrap() {
        for key in ["device", "name", "interface", "kind"] {
            let value = adapter[key].as_str().unwrap();
            assert!(!value.is_empty() && text.contains(value), "{key}: {value}");
        }
        let buffer = adapter["limits"]["max_buffer_size"].as_u64().unwrap();
        assert!(buffer > 1 << 20 && text.contains(&format!("max_buffer_size {buffer}")));
        let features: Vec<&str> = adapter["features"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap())
            .collect();
        assert!(!features.contains(&"MAPPABLE_PRIMARY_BUFFERS"));
        assert!(features.iter().all(|name| text.contains(name)));
        for used in adapter["uses"].as_array().unwrap() {
            assert!(text.contains(used["purpose"].as_str().unwrap()));
        }
    }
}
