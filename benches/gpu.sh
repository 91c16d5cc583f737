#!/usr/bin/env bash
# Reports what this machine's GPU can do, in Markdown: devices, the numerical check, and the times of kernels,
# network, training, segmentation and drawing. If a part fails, the report says so and the next part follows.
#   bash benches/gpu.sh [-d DEVICE] [-o REPORT] [-t SECONDS] [PART...]
# Parts, all of them by default, in this order:
#   machine selftest train segment viewer kernels network street tests
# DEVICE defaults to wgpu, REPORT to gpu.md and SECONDS, the total time, to 240. Every part has its share of it;
# a software adapter needs 3600.
# Without Cargo, these variables are the paths of the built programs; a bench without one is skipped:
#   FLOWSEG=flowseg KERNELS=kernels-HASH NETWORK=network-HASH FIELD=field-HASH
# BEFORE is the kernels bench of another version, to compare the neural field with; TESTS is the library's test
# binary, of which the tests of kernels and drawing run. DATA is a data folder (CamVid; by default scenes), DINO
# the street model's encoder, STEPS the number of training steps, PHOTOS the number of photos to segment, and
# MODEL the model for them.
set -uo pipefail
for file in FLOWSEG KERNELS NETWORK FIELD BEFORE TESTS DATA DINO; do
    [ -z "${!file:-}" ] || printf -v "$file" '%s' "$(realpath -m -- "${!file}")"
done
target="${CARGO_TARGET_DIR:-target}"
device=wgpu report=gpu.md total=240
while getopts d:o:t: option; do
    case "$option" in
    d) device="$OPTARG" ;;
    o) report="$OPTARG" ;;
    t) total="$OPTARG" ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
report="$(realpath -m -- "$report")"
cd "$(dirname "$0")/.." || exit
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(machine selftest train segment viewer kernels network street tests)

# bench NAME: prints the path of a bench's newest executable.
bench() {
    ls -t "$target"/release/deps/"$1"-???????????????? 2>/dev/null | head -n 1
}
program="${FLOWSEG:-$target/release/flowseg}"
if [ ! -x "$program" ]; then
    cargo build --release --bins --benches || exit
fi
kernels="${KERNELS:-$(bench kernels)}"
network="${NETWORK:-$(bench network)}"
field="${FIELD:-$(bench field)}"
data="${DATA:-../shared/data/camvid}"
[ -d "$data" ] || data=scenes:11
dino="${DINO:-../shared/weights/dinov2-small.safetensors}"
steps="${STEPS:-200}"
count="${PHOTOS:-33}"
model="${MODEL:-street}"
export FLOWSEG_BENCH_DEVICE="$device"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
exec 3>&1 >"$report"

left() {
    echo $((total - SECONDS))
}

# run LIMIT COMMAND...: runs a command for at most its share of the time: LIMIT of 240 seconds.
# Writes its output to $work/said and the seconds that it took to $took; returns its status.
run() {
    local limit="$1" start="$EPOCHREALTIME" status
    shift
    limit=$((limit * total / 240))
    [ "$limit" -le "$(left)" ] || limit="$(left)"
    took=0
    if [ "$limit" -lt 1 ]; then
        echo "skipped: out of time" >"$work/said"
        return 1
    fi
    # A subshell, so that no message about a killed job appears on the terminal.
    (timeout --kill-after=5 "$limit" "$@" >"$work/said" 2>&1 </dev/null; exit $?) 2>/dev/null
    status=$?
    took="$(awk -v a="$start" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.1f", b - a }')"
    case "$status" in
    0) ;;
    124 | 137) echo "stopped after $limit s" >>"$work/said" ;;
    *) echo "FAILED with status $status" >>"$work/said" ;;
    esac
    return "$status"
}

# said [LINES]: prints the end of the last command's output as a code block.
said() {
    printf '```\n'
    sed 's/\x1b\[[0-9;?]*[A-Za-z]//g; s/.*\r//' "$work/said" | tail -n "${1:-100}"
    printf '```\n\n'
}

# show LIMIT COMMAND...: runs a command and prints its output.
show() {
    run "$@"
    shift
    printf '`%s`, %s s:\n\n' "$(basename "$1") ${*:2}" "$took"
    said
}

# show_bench NAME FILE LIMIT ARGUMENT...: runs a bench and prints its output.
show_bench() {
    local name="$1" file="$2" limit="$3"
    shift 3
    if [ -x "$file" ]; then
        show "$limit" "$file" --bench "$@"
    else
        printf 'The bench %s is not built.\n\n' "$name"
    fi
}

# rate SECONDS_OF_ONE SECONDS_OF_MANY COUNT: photos per second, excluding startup.
rate() {
    awk -v one="$1" -v many="$2" -v count="$3" 'BEGIN {
        if (many > one) printf "%.1f", (count - 1) / (many - one); else printf "-"
    }'
}

# train TITLE LIMIT ARGUMENT...: trains, and prints the speed and the first and last loss.
train() {
    local title="$1" limit="$2" out="$work/run-$1"
    shift 2
    run "$limit" "$program" train --device "$device" --out "$out" "$@" --set train.log_every=10 \
        --set train.validate_every=0 --set train.checkpoint_every=1000000 --set "train.steps=$steps"
    printf '%s, %s steps of 8 photos of %s: %s s including startup and saving.\n\n' \
        "$title" "$steps" "$data" "$took"
    [ -s "$out/metrics.jsonl" ] || { said 20; return; }
    printf '| steps to | loss | photos/s | steps/s | waiting for data |\n|---|---|---|---|---|\n'
    awk '
        function value(key,   text) {
            if (!match($0, "\"" key "\":[-+.0-9eE]+")) return "-"
            text = substr($0, RSTART, RLENGTH)
            sub(/.*:/, "", text)
            return text
        }
        /"loss"/ {
            row = sprintf("| %d | %.4f | %.1f | %.2f | %.0f %% |", value("step"), value("loss"),
                value("photos_per_second"), value("photos_per_second") / 8, 100 * value("waiting"))
            rows[++count] = row
        }
        END { for (i = 1; i <= count; i++) if (i <= 2 || i > count - 2 || i % 5 == 0) print rows[i] }
    ' "$out/metrics.jsonl"
    printf '\n'
    sed 's/.*\r//' "$work/said" | grep -E 'FAILED|stopped after|flowseg:' && printf '\n'
}

# measure LIMIT DEVICE STEPS ARGUMENT...: the cost of a training step.
measure() {
    local limit="$1" on="$2" count="$3"
    shift 3
    run "$limit" "$program" train --device "$on" --dry-run --measure "$count" "$@"
    printf 'A step on %s:\n\n' "$on"
    said 6
}

# Photos of one size to segment: the data's, or noise.
photos() {
    local found
    found="$(find "$data" -path '*images*' -type f 2>/dev/null | sort | head -n "$count")"
    if [ -n "$found" ]; then
        printf '%s\n' "$found"
        return
    fi
    local number
    for number in $(seq "$count"); do
        { printf 'P6 480 360 255\n'; head -c 518400 /dev/urandom; } >"$work/photo-$number.ppm"
        echo "$work/photo-$number.ppm"
    done
}

# segment_on DEVICE COUNT LIMIT: a row of the segmentation table.
segment_on() {
    local on="$1" count="$2" limit="$3" one
    [ "$count" -le "${#list[@]}" ] || count="${#list[@]}"
    if ! run "$limit" "$program" segment --model "$model" --device "$on" -o "$work/one" "${list[0]}"; then
        printf '| %s | %s |\n' "$on" "$(tail -n 2 "$work/said" | tr '\n' ' ')"
        return
    fi
    one="$took"
    local masks="$work/masks-${on%%:*}" photos=("${list[@]:0:$count}")
    if run "$limit" "$program" segment --model "$model" --device "$on" -o "$masks" "${photos[@]}"; then
        printf '| %s | %s | %s | %s | %s |\n' "$on" "$one" "$count" "$took" "$(rate "$one" "$took" "$count")"
    else
        printf '| %s | %s | %s |\n' "$on" "$one" "$(tail -n 2 "$work/said" | tr '\n' ' ')"
    fi
}

part() {
    case "$1" in
    machine)
        printf '%s; %s threads; %s\n\n' "$(uname -srm)" "$(nproc)" \
            "$(awk '/^MemTotal/ { printf "%.0f GiB memory", $2 / 1048576 }' /proc/meminfo)"
        sed -n '/^model name/ { s/.*: //p; q }' /proc/cpuinfo
        printf '\n'
        if command -v nvidia-smi >/dev/null; then
            show 15 nvidia-smi --query-gpu=name,driver_version,memory.total,power.limit,clocks.max.sm \
                --format=csv,noheader
        fi
        show 15 "$program" --version
        show 30 "$program" devices
        ;;
    selftest) show 60 "$program" selftest --device "$device" ;;
    train)
        local preset=(--config assets/presets/camvid-small.toml --data "$data")
        measure 30 "$device" 20 "${preset[@]}"
        measure 20 cpu 3 "${preset[@]}"
        train camvid-small 60 "${preset[@]}"
        ;;
    street)
        if [ ! -f "$dino" ]; then
            printf 'The encoder %s is not there.\n\n' "$dino"
            return
        fi
        local preset=(--config assets/presets/street.toml --data "$data" --set "model.encoder=$dino")
        measure 40 "$device" 10 "${preset[@]}"
        measure 30 cpu 2 "${preset[@]}"
        train street 60 "${preset[@]}"
        ;;
    segment)
        local list same=0 all=0 mask
        mapfile -t list < <(photos)
        printf 'The model %s, photos of %s:\n\n' "$model" "$(dirname "${list[0]}")"
        printf '| device | s for one photo | photos | s for all | photos/s without the start |\n'
        printf '|---|---|---|---|---|\n'
        segment_on "$device" "${#list[@]}" 30
        segment_on cpu 9 30
        for mask in "$work"/masks-cpu/*.png; do
            [ -f "$mask" ] || continue
            all=$((all + 1))
            ! cmp -s "$mask" "$work/masks-${device%%:*}/${mask##*/}" || same=$((same + 1))
        done
        printf '\nOf %s masks %s are the same files on both.\n\n' "$all" "$same"
        ;;
    viewer)
        show_bench field "$field" 30 frame_of
        show_bench field "$field" 15 computing
        ;;
    kernels)
        show_bench kernels "$kernels" 40 --max-time 1
        if [ -n "${BEFORE:-}" ]; then
            printf 'The neural field of the other version, and again of this one:\n\n'
            show_bench before "$BEFORE" 15 --max-time 1 neural_field
            show_bench kernels "$kernels" 15 --max-time 1 neural_field
        fi
        ;;
    network) show_bench network "$network" 50 --max-time 3 ;;
    tests)
        if [ -x "${TESTS:-}" ]; then
            show 40 "$TESTS" gpu:: kernels::
        else
            printf 'Not built.\n\n'
        fi
        ;;
    *) printf 'There is no such part: %s\n\n' "${parts[*]}" ;;
    esac
}

printf '# flowseg on a GPU, %s\n\n' "$(date -u '+%Y-%m-%d %H:%M')"
for name in "${parts[@]}"; do
    printf '## %s\n\n' "$name"
    echo "$name, $(left) s left" >&3
    part "$name"
done
printf 'It took %s s.\n' "$SECONDS"
echo "wrote $report" >&3
