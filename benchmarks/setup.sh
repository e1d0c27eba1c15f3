#!/usr/bin/env bash
# Virtual environments of the peers, one each, so that no framework loads another's libraries.
#   benchmarks/setup.sh                      into benchmarks/.venvs
#   KERYX_BENCH_VENVS=/fast/disk benchmarks/setup.sh keras-jax keras-torch
# An environment that already holds what is asked for is left as it is.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
venvs="${KERYX_BENCH_VENVS:-$here/.venvs}"
python="${PYTHON:-python3}"

make() { # name, then what pip installs
    local venv="$venvs/$1" wanted="${*:2}"
    if [[ -x "$venv/bin/python" && "$(cat "$venv/installed" 2>/dev/null)" == "$wanted" ]]; then
        echo "$1: there"
        return
    fi
    echo "$1: installing ${wanted}"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "${@:2}"
    echo "$wanted" >"$venv/installed"
}

(($#)) || set -- keras-jax keras-tf keras-torch
for peer in "$@"; do
    case "$peer" in
    keras-jax) make keras-jax keras==3.15.1 jax==0.10.2 pillow grain ;;
    keras-tf) make keras-tf keras==3.15.1 tensorflow-cpu==2.21.0 ;;
    keras-torch) make keras-torch keras==3.15.1 torch==2.13.0 ;;
    *) echo "no peer '$peer'; there are keras-jax, keras-tf, keras-torch" >&2 && exit 2 ;;
    esac
done
