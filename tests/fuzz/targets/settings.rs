//! The settings of a training: a file, and after a line `--set` the settings of a command line.
#![no_main]

use flowseg::train::config::Config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let (file, settings) = text.split_once("\n--set\n").unwrap_or((text, ""));
    let settings: Vec<String> = settings.lines().map(str::to_owned).collect();
    if let Ok(config) = Config::parse(file, &settings) {
        let again = Config::parse(&config.to_toml(), &[]).expect("its own text can be read");
        assert_eq!(again.to_toml(), config.to_toml());
    }
});
