"""A prompt becomes an asset: the whole job from Python, with a look over its shoulder.

    python examples/02_generate.py ["a yellow duck"] [FOLDER] [STEPS]

Prints now and then how far the render is from what the prior asks for, then where the asset
is, and reads it back. Fewer steps than the recipe's own give a rougher object sooner.
"""

import sys

import splatsmith

prompt = sys.argv[1] if len(sys.argv) > 1 else "a yellow duck"
folder = sys.argv[2] if len(sys.argv) > 2 else "runs/examples/duck"
changes = [f"shape.steps={sys.argv[3]}"] if len(sys.argv) > 3 else []


def watch(info: splatsmith.StepInfo) -> None:
    if info.step % max(1, info.steps // 5) == 0:
        print(f"step {info.step}/{info.steps}: off by {info.distance:.3f}")


result = splatsmith.generate(
    prompt, seed=0, out=folder, overwrite=True, overrides=changes, callback=watch
)
print(f"{result.prompt!r} took {result.metrics['seconds']:.0f} s")
for name, path in result.paths.items():
    print(f"{name:10} {path}")

scene = splatsmith.load(result.paths["scene"])
print(f"read back: {scene.count} splats")
