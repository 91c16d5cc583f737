//! Tests of the configuration.

use super::*;
use std::path::PathBuf;

fn parse(text: &str, overrides: &[&str]) -> Result<Config, String> {
    let overrides: Vec<String> = overrides.iter().map(|s| (*s).to_owned()).collect();
    Config::parse(text, &overrides).map_err(|e| e.to_string())
}

#[test]
fn defaults_survive_the_round_trip() {
    let config = Config::default();
    assert_eq!(parse(&config.to_toml(), &[]).unwrap(), config);
}

#[test]
fn overrides_win_and_need_no_quotes() {
    let config = parse(
        "[train]\nsteps = 5",
        &[
            "train.steps=7",
            "loss.objective=vanilla",
            "data.size=[64, 96]",
            "data.path=a b",
        ],
    )
    .unwrap();
    assert_eq!(config.train.steps, 7);
    assert_eq!(config.loss.objective, Objective::Vanilla);
    assert_eq!(config.data.size, [64, 96]);
    assert_eq!(config.data.path, PathBuf::from("a b").into());
}

#[test]
fn unknown_keys_name_the_nearest() {
    let error = parse("[train]\nlearning_rat = 1", &[]).unwrap_err();
    assert!(error.contains("train.learning_rate"), "{error}");
    let error = parse("", &["loss.objectve=vanilla"]).unwrap_err();
    assert!(error.contains("loss.objective"), "{error}");
    let error = parse("steps = 3", &[]).unwrap_err();
    assert!(error.contains("train.steps"), "{error}");
}

#[test]
fn values_of_the_wrong_kind_are_told_in_words() {
    for (set, word) in [
        ("train.steps=many", "a whole number of at least 0"),
        ("model.preset=gigantic", "`gigantic` must be one of"),
        ("data.size=[96, 128, 3]", "it must be [height, width]"),
        ("data.size=[96]", "it must be [height, width]"),
    ] {
        let error = parse("", &[set]).unwrap_err();
        let key = set.split('=').next().unwrap_or_default();
        assert!(
            error.starts_with(&format!("{key}: ")) && error.contains(word),
            "{set}: {error}"
        );
    }
}

#[test]
fn values_out_of_range_are_refused() {
    for (set, said) in [
        (
            "loss.temperature=0",
            "loss.temperature is 0.0: it must be from 0.001 to 1000",
        ),
        (
            "train.steps=0",
            "train.steps is 0: it must be from 1 to 1000000000",
        ),
        ("train.steps=1000000001", "train.steps is 1000000001"),
        (
            "flow.time_zero=1.5",
            "flow.time_zero is 1.5: it must be from 0 to 1",
        ),
        (
            "model.code_dims=17",
            "model.code_dims is 17: it must be from 3 to 16",
        ),
        ("model.heads=5", "the network's hidden_size"),
    ] {
        let error = parse("", &[set]).unwrap_err();
        assert!(error.contains(said), "{set}: {error}");
    }
}

#[test]
fn every_number_has_a_range_and_is_refused_by_name_outside_of_it() {
    for set in [
        "train.beta1=1.0",
        "train.beta2=1.0",
        "train.beta2=-0.5",
        // 1 in single precision.
        "train.beta2=0.99999999",
        "train.ema=0.99999999",
        "train.ema=nan",
        "train.weight_decay=-1",
        "train.weight_decay=nan",
        "train.weight_decay=11",
        "train.clip=-1",
        "train.clip=nan",
        "train.clip=inf",
        "train.final_rate=-3",
        "train.final_rate=1.5",
        "train.final_rate=nan",
        "train.learning_rate=nan",
        "train.learning_rate=inf",
        "train.memory_gib=nan",
        "train.warmup=18446744073709551615",
        "train.warmup=9000000000000000000",
        "train.steps=9000000000000000000",
        "train.validate_steps=0",
        "train.validate_steps=1001",
        "data.scale=[3.0,0.5]",
        "data.scale=[0,0]",
        "data.scale=[nan,nan]",
        "data.scale=[0.5,inf]",
        "data.balance=nan",
        "data.tint=1.5",
        "data.cache_mib=99999999999999999",
        "data.workers=0",
        "data.workers=257",
        "flow.time_mean=nan",
        "flow.time_mean=-inf",
        "flow.time_deviation=inf",
        "flow.time_exponent=inf",
        "loss.temperature=nan",
        "loss.temperature=inf",
        "loss.temperature=1e-30",
        "loss.temperature=1001",
        "loss.epsilon=inf",
        "loss.class_balance=nan",
        "repa.weight=nan",
        "model.encoder_rate=nan",
        "model.encoder_width=9000000000000000000",
        "model.encoder_blocks=0",
    ] {
        let error = parse("", &[set]).unwrap_err();
        let key = set.split_once('=').unwrap().0;
        assert!(
            error.contains(key) && !error.contains('\n'),
            "{set}: {error}"
        );
    }
    let fine = [
        "train.final_rate=0",
        "train.clip=0",
        "train.weight_decay=0",
        "train.beta1=0",
        "train.ema=0",
        "train.warmup=0",
        "train.validate_steps=1000",
        "loss.temperature=0.001",
        "data.scale=[1,1]",
        "data.cache_mib=0",
        "flow.time_mean=-2",
    ];
    parse("", &fine).unwrap();
}

#[test]
fn paths_are_text_and_whole_in_what_a_run_writes() {
    let config = parse("", &["data.path=2024", "repa.teacher=true", "repa.layer=2"]).unwrap();
    assert_eq!(config.data.path, PathBuf::from("2024").into());
    assert_eq!(config.repa.teacher, Some(PathBuf::from("true")));
    let staged = parse(
        "model.init = 'a/b.safetensors'\n[[stages]]\ndata.path = 'photos'\n[[stages]]\n\
         data.path = 'photos'\n",
        &["stages.1.repa.cache=7", "stages.2.repa.cache=7"],
    )
    .unwrap();
    let here = std::env::current_dir().unwrap();
    let whole = staged.absolute().unwrap();
    assert_eq!(whole.model.init, Some(here.join("a/b.safetensors")));
    // Scenes are in no folder.
    assert_eq!(whole.data.path, PathBuf::from("scenes:20").into());
    for stage in whole.plan().unwrap() {
        assert_eq!(stage.config.data.path, here.join("photos").into());
        assert_eq!(stage.config.repa.cache, Some(here.join("7")));
    }
    assert_eq!(whole.absolute().unwrap(), whole);
    assert_eq!(parse(&whole.to_toml(), &[]).unwrap(), whole);
}

#[test]
fn names_of_models_stay_where_a_model_is_expected() {
    let config = parse("", &["model.init=street", "data.path=street"]).unwrap();
    let whole = config.absolute().unwrap();
    assert_eq!(whole.model.init, Some(PathBuf::from("street")));
    let here = std::env::current_dir().unwrap();
    assert_eq!(whole.data.path, here.join("street").into());
}

#[test]
fn settings_of_data_that_hold_for_the_whole_run_are_no_stage_s() {
    for set in [
        "stages.2.data.skip_bad=true",
        "stages.2.train.validate_start=true",
    ] {
        let key = set
            .trim_start_matches("stages.2.")
            .trim_end_matches("=true");
        let error = parse(STAGED, &[set]).unwrap_err();
        for word in ["stage 2", key, "during a run"] {
            assert!(error.contains(word), "{set}: {error}");
        }
        parse(STAGED, &[&set["stages.2.".len()..]]).unwrap();
    }
}

#[test]
fn several_data_sets_are_a_list_of_absolute_paths() {
    let config = parse(
        "data.path = ['a', 'scenes:3']\ndata.weights = [1, 0.5]\n[[stages]]\n[[stages]]\n\
         data.weights = [1, 0]\n",
        &[],
    )
    .unwrap();
    let here = std::env::current_dir().unwrap();
    let whole = config.absolute().unwrap();
    assert_eq!(whole.data.path.paths(), [here.join("a"), "scenes:3".into()]);
    assert_eq!(parse(&whole.to_toml(), &[]).unwrap(), whole);
    let weights: Vec<Vec<f64>> = whole
        .plan()
        .unwrap()
        .into_iter()
        .map(|s| s.config.data.weights)
        .collect();
    assert_eq!(weights, [[1.0, 0.5], [1.0, 0.0]]);
    let listed = parse("", &["data.path=['a', 'b']"]).unwrap();
    assert_eq!(
        listed.data.path.paths(),
        [PathBuf::from("a"), PathBuf::from("b")]
    );
    for (sets, word) in [
        (&["data.path=[]"][..], "data.path"),
        (&["data.path=[3]"], "list of folders"),
        (&["data.weights=[1,1]"], "data.weights"),
        (
            &["data.path=['a','b']", "data.weights=[0,0]"],
            "data.weights",
        ),
        (
            &["data.path=['a','b']", "data.weights=[1,-1]"],
            "data.weights",
        ),
        (
            &["data.path=['a','b']", "data.weights=[1,nan]"],
            "data.weights",
        ),
        (&["data.further_classes=drop"], "further_classes"),
    ] {
        let error = parse("", sets).unwrap_err();
        assert!(
            error.contains(word) && !error.contains('\n'),
            "{sets:?}: {error}"
        );
    }
    let changed = "[[stages]]\n[[stages]]\ndata.further_classes = 'ignore'\n";
    assert!(
        parse(changed, &[])
            .unwrap_err()
            .contains("data.further_classes")
    );
}

#[test]
fn what_hands_type_is_answered_with_the_nearest_setting() {
    for (set, word) in [
        ("train.lr=0.1", "train.learning_rate"),
        ("lr=0.1", "train.learning_rate"),
        ("Train.Steps=3", "train.steps"),
        ("train..steps=3", "train.steps"),
        ("=3", "KEY=VALUE"),
        ("train.steps", "KEY=VALUE"),
        ("train.learning_rate=0,001", "train.learning_rate"),
        ("data.flip=yes", "data.flip"),
        ("data.size=[16,24", "data.size"),
        ("train.seed=-1", "train.seed"),
    ] {
        let error = parse("", &[set]).unwrap_err();
        assert!(
            error.contains(word) && !error.contains('\n'),
            "{set}: {error}"
        );
    }
    assert_eq!(parse("", &["train.steps= 1_0 "]).unwrap().train.steps, 10);
}

#[test]
fn every_key_is_documented_and_listed_in_help() {
    let help = help();
    for key in keys() {
        assert!(
            !key.help.trim().is_empty() && help.contains(key.name),
            "{}",
            key.name
        );
    }
    assert!(help.contains("\n  model.encoder = none\n"), "{help}");
}

#[test]
fn numbers_that_single_precision_rounds_to_0_or_to_infinity_are_no_divisors() {
    for value in ["0.0", "1e-60", "1e60"] {
        let error = parse("", &[&format!("loss.epsilon={value}")]).unwrap_err();
        let expected = ["loss.epsilon", "above 0"];
        assert!(expected.iter().all(|word| error.contains(word)), "{error}");
    }
    assert!(parse("", &["loss.epsilon=1e-6"]).is_ok());
}

#[test]
fn the_default_that_help_prints_can_be_given() {
    let defaults = Table::try_from(Config::default()).unwrap();
    for key in keys() {
        let (section, name) = key.name.split_once('.').unwrap();
        let default = defaults[section].get(name).map(Value::to_string);
        let default = default.unwrap_or_else(|| unset_word(key.name).unwrap().to_owned());
        let given = parse("", &[&format!("{}={default}", key.name)]);
        assert_eq!(given, Ok(Config::default()), "{}", key.name);
    }
    // It takes the place of a value from before, also in a file and in a stage.
    let file = "[model]\nencoder = \"none\"\n[repa]\nteacher = \"a.pth\"\n";
    let config = parse(file, &["repa.teacher=none", "model.init=./none"]).unwrap();
    assert_eq!(
        (&config.model.encoder, &config.repa.teacher),
        (&None, &None)
    );
    assert_eq!(config.model.init, Some(PathBuf::from("./none")));
    let staged = "[data]\ntoken_cache = \"kept\"\n[[stages]]\n[[stages]]\n";
    let config = parse(staged, &["stages.2.data.token_cache=tokens in run"]).unwrap();
    let plan = config.absolute().unwrap().plan().unwrap();
    let caches = [0, 1].map(|stage: usize| plan[stage].config.data.token_cache.is_some());
    assert_eq!(caches, [true, false]);
}

const STAGED: &str = "
[train]
batch_size = 64
learning_rate = 1e-4
[[stages]]
data.size = [256, 256]
train.steps = 100
[[stages]]
data.size = [512, 512]
train.batch_size = 16
train.steps = 50
";

#[test]
fn stages_have_their_own_values_and_share_the_rest() {
    let config = parse(STAGED, &[]).unwrap();
    let plan = config.plan().unwrap();
    let spans: Vec<(u64, u64)> = plan.iter().map(|s| (s.first, s.last)).collect();
    assert_eq!(spans, [(0, 100), (100, 150)]);
    assert_eq!(plan[0].config.train.batch_size, 64);
    assert_eq!(plan[1].config.train.batch_size, 16);
    assert_eq!(plan[1].config.data.size, [512, 512]);
    assert!(plan.iter().all(|s| s.config.train.learning_rate == 1e-4));
    assert_eq!(parse(&config.to_toml(), &[]).unwrap(), config);
    // Without stages the run is a single one.
    assert_eq!(Config::default().plan().unwrap().len(), 1);
}

#[test]
fn overrides_reach_every_stage_or_one() {
    let plan = |overrides: &[&str]| parse(STAGED, overrides).unwrap().plan().unwrap();
    let all = plan(&["train.steps=7"]);
    assert_eq!((all[0].last, all[1].last), (7, 14));
    let one = plan(&["stages.2.train.steps=7"]);
    assert_eq!((one[0].last, one[1].last), (100, 107));
    let error = parse(STAGED, &["stages.3.train.steps=7"]).unwrap_err();
    assert!(error.contains("stage 3"), "{error}");
}

#[test]
fn a_stage_that_ends_in_its_warm_up_is_told() {
    let told = |sets: &[&str]| -> Vec<String> {
        let plan = parse(STAGED, sets).unwrap().plan().unwrap();
        warm_up_cautions(&plan, 0)
    };
    // The warm-up's default is 100 steps, as long as the first stage and longer than the second.
    assert_eq!(told(&[]).len(), 2);
    let one = told(&["stages.1.train.warmup=99"]);
    assert_eq!(one.len(), 1);
    assert!(one[0].starts_with("stage 2 takes 50 steps and its warm-up 100"));
    assert!(told(&["train.warmup=49"]).is_empty());
    // One step at the peak.
    assert!(told(&["train.warmup=1", "train.steps=1"]).is_empty());
    assert_eq!(told(&["train.warmup=2", "train.steps=1"]).len(), 2);
    // Not of a stage that is over.
    let plan = parse(STAGED, &[]).unwrap().plan().unwrap();
    for (step, count) in [(99, 2), (100, 1), (150, 0)] {
        assert_eq!(warm_up_cautions(&plan, step).len(), count, "{step}");
    }
    let whole = parse("", &["train.steps=50"]).unwrap().plan().unwrap();
    let one = warm_up_cautions(&whole, 0);
    assert!(one[0].starts_with("the run takes 50 steps"), "{one:?}");
}

#[test]
fn a_stage_may_train_an_encoder_that_was_frozen() {
    let sets = [
        "stages.1.model.encoder_rate=0",
        "stages.2.model.encoder_rate=0.5",
    ];
    let plan = parse(STAGED, &sets).unwrap().plan().unwrap();
    let rates: Vec<f64> = plan.iter().map(|s| s.config.model.encoder_rate).collect();
    assert_eq!(rates, [0.0, 0.5]);
}

#[test]
fn a_stage_with_a_mistake_is_named() {
    for (set, words) in [
        (
            "stages.2.train.batch_size=0",
            ["stage 2", "train.batch_size"],
        ),
        ("stages.2.model.hidden_size=96", ["stage 2", "model"]),
        (
            "stages.2.loss.objective=cross-entropy",
            ["stage 2", "cross-entropy"],
        ),
        (
            "stages.2.loss.objective=variational",
            ["stage 2", "variational"],
        ),
        ("stages.1.train.stepz=3", ["train.stepz", "train.steps"]),
    ] {
        let error = parse(STAGED, &[set]).unwrap_err();
        for word in words {
            assert!(error.contains(word), "{set}: {error}");
        }
    }
    assert!(parse("stages = 3", &[]).unwrap_err().contains("[[stages]]"));
}

#[test]
fn settings_that_contradict_each_other_are_refused() {
    for (sets, word) in [
        (
            vec!["loss.objective=cross-entropy", "loss.mask_ignored=false"],
            "loss.mask_ignored",
        ),
        (
            vec!["loss.objective=variational", "loss.mask_ignored=false"],
            "loss.mask_ignored",
        ),
        (
            vec!["loss.objective=cross-entropy", "flow.source=noise"],
            "flow.source",
        ),
        (
            vec!["flow.source=noise", "model.condition=none"],
            "flow.source",
        ),
        (vec!["model.prediction=logits"], "model.prediction"),
        (
            vec!["loss.objective=cross-entropy", "flow.states=rollout"],
            "flow.states is \"rollout\"",
        ),
        (vec!["train.accumulate=9"], "train.accumulate"),
        (vec!["repa.teacher=t", "repa.layer=7"], "repa.layer"),
        (
            vec!["repa.teacher=t", "repa.layer=2", "repa.cache=c"],
            "repa.cache",
        ),
    ] {
        let error = parse("", &sets).unwrap_err();
        assert!(error.contains(word), "{sets:?}: {error}");
    }
    // A stem or an encoder shows the photo, too.
    for seen in ["model.stem_width=8", "model.encoder=e"] {
        parse("", &["flow.source=noise", "model.condition=none", seen]).unwrap();
    }
    let flips = [
        "repa.teacher=t",
        "repa.layer=2",
        "repa.cache=c",
        "data.crop=false",
        "data.photometric=false",
    ];
    parse("", &flips).unwrap();
    let tints = [&flips[..], &["data.tint=0.5"]].concat();
    let error = parse("", &tints).unwrap_err();
    assert!(error.contains("repa.cache"), "{error}");
}

#[test]
fn the_presets_of_the_package_are_valid() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/presets");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // Tables of runs are files of `flowseg ablate`, which has a test of its own.
        if path.to_string_lossy().contains("ablate-") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let config = parse(&text, &[]).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let plan = config.plan().unwrap();
        assert!(!plan.is_empty());
        if path.to_string_lossy().contains("256-512") {
            let sizes: Vec<_> = plan
                .iter()
                .map(|s| (s.config.data.size, s.config.train.batch_size))
                .collect();
            assert_eq!(
                sizes,
                [([256, 256], 64), ([512, 512], 16)],
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn validations_are_compared_with_those_at_the_same_size_and_settings() {
    let toml = "[[stages]]\n[[stages]]\n[[stages]]\n";
    let after = |set: &str, step: u64| {
        let plan = parse(toml, &["train.steps=10", set]).unwrap().plan();
        comparable_after(&plan.unwrap(), step)
    };
    for set in [
        "stages.1.data.size=[32,32]",
        "stages.1.data.crop=false",
        "stages.1.train.validate_steps=1",
        "stages.1.train.validate_samples=3",
    ] {
        // The validation at the end of a stage is that stage's.
        let found = [0, 10, 11, 20, 25, 99].map(|step| after(set, step));
        let expected = [None, None, Some(10), Some(10), Some(10), Some(10)];
        assert_eq!(found, expected, "{set}");
    }
    assert_eq!(after("stages.3.data.size=[32,32]", 20), None);
    assert_eq!(after("stages.3.data.size=[32,32]", 21), Some(20));
    assert_eq!(after("stages.1.train.batch_size=3", 25), None);
    // A stage that is not validated has no scores.
    let toml =
        "[[stages]]\n[[stages]]\ntrain.validate_every = 0\ndata.size = [32, 32]\n[[stages]]\n";
    let plan = parse(toml, &["train.steps=10"]).unwrap().plan().unwrap();
    assert_eq!(
        [10, 15, 25].map(|step| comparable_after(&plan, step)),
        [None; 3]
    );
}
