#!/usr/bin/env bash
# Measures the cost of a training step on this machine's CPU, as a table: every preset, and how time
# and memory grow with the batch, the photo's size and the number of classes.
#   bash benches/steps.sh presets|large|growth|classes [STEPS]
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"
program="${FLOWSEG:-$target/release/flowseg}"
[ -x "$program" ] || cargo build --release
steps="${2:-3}"

# row PRESET CLASSES SIDE BATCH [SETTING...]
row() {
    local preset="$1" classes="$2" side="$3" batch="$4" text
    shift 4
    local settings=() setting
    for setting in "model.preset=$preset" "data.size=[$side,$side]" "train.batch_size=$batch" "$@"; do
        settings+=(--set "$setting")
    done
    text="$("$program" train --device cpu --data "scenes:$classes@${side}x$side" \
        --dry-run --measure "$steps" "${settings[@]}" 2>/dev/null)" || text="does not fit"
    printf '%s\n' "$text" | awk -v row="| $preset | $classes | $side x $side | $batch | ${*:-} |" '
        / M parameters/ { parameters = $1 " M" }
        /expected peak/ { expected = $(NF - 1) " GiB" }
        / s per step, / {
            seconds = $3
            peak = $0; sub(/.*peak memory /, "", peak); sub(/,.*/, "", peak)
            reshaping = $0; sub(/.*reshaping /, "", reshaping); sub(/ per step/, "", reshaping)
        }
        END { print row, parameters, "|", (seconds ? seconds : "-"), "|", (peak ? peak : "does not fit"), "|", expected, "|", (reshaping ? reshaping : "-"), "|" }'
}

echo "| preset | classes | size | batch | settings | parameters | s per step | peak | expected | reshaping |"
echo "|---|---|---|---|---|---|---|---|---|---|"
case "${1:-presets}" in
presets)
    row tiny 11 128 8
    row small 11 256 2
    row base 11 256 2
    ;;
large)
    # A measurement saves nothing, so it needs less memory than a run, which would be refused.
    row large 171 256 1 train.memory_gib=64
    row xlarge 171 256 1 train.memory_gib=64
    ;;
growth)
    for batch in 2 4 8 16 32; do row tiny 59 128 "$batch"; done
    for side in 64 128 192 256; do row tiny 59 "$side" 4; done
    ;;
classes)
    for classes in 11 59 150 171; do row tiny "$classes" 128 8; done
    for classes in 11 59 150 171; do row small "$classes" 256 2; done
    row tiny 171 128 32
    ;;
*)
    echo "presets, large, growth or classes, not $1" >&2
    exit 2
    ;;
esac
