"""Time a pass over a folder of images: Keryx's data set of files, Keras's through Grain (on JAX) and tf.data.

    benchmarks/setup.sh keras-jax keras-tf && python benchmarks/loading.py --json loading.json

JPEGs of as many sizes as there are images, as photographs come, resized to 256 x 256 in batches of 32. Needs Pillow.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from harness import load, machine, note, report, run_child, table, take_turns

FRAMEWORKS = ["keryx", "keras-jax", "keras-tf"]
FIGURES = {"first": "first pass, images a second", "second": "second pass, images a second"}
COUNT = 300


def make_images(folder: Path) -> None:
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for i in range(COUNT):
        height, width = rng.integers(200, 600, 2)
        rough = rng.integers(0, 256, (height // 8, width // 8, 3)).astype("uint8")
        path = folder / "ab"[i % 2] / f"{i}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rough).resize((int(width), int(height)), Image.Resampling.BICUBIC).save(path)


def measure(framework: str, folder: str) -> dict:
    K, _ = load(framework)
    options = {"keras-jax": {"format": "grain"}, "keras-tf": {"format": "tf"}}.get(framework, {})
    data = K.utils.image_dataset_from_directory(folder, image_size=(256, 256), seed=0, verbose=False, **options)
    rates = {}
    for name in FIGURES:
        begin = perf_counter()
        assert sum(len(images) for images, _ in data) == COUNT
        rates[name] = COUNT / (perf_counter() - begin)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frameworks", nargs="+", choices=FRAMEWORKS, default=FRAMEWORKS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--child", nargs=2, metavar=("FRAMEWORK", "FOLDER"), help="measure here, print JSON")
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measure(*options.child)))
        return
    host = machine()
    with tempfile.TemporaryDirectory() as folder:
        make_images(Path(folder))
        results = take_turns(
            ["images"],
            options.frameworks,
            options.rounds,
            lambda _, framework: run_child(__file__, framework, framework, folder),
        )
    found = report(host, results, options.frameworks, options.rounds)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    for figure, title in FIGURES.items():
        print(table(results, figure, title, options.frameworks, {"images": "images of many sizes"}) + "\n")
    print(note(found))
    if any("error" in summary for summary in results["images"].values()):
        sys.exit("failed")


if __name__ == "__main__":
    main()
