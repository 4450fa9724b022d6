"""Check an installed wheel from outside the checkout: data, import and the whole chain on a small case."""

import json
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

import hermite_dual as hd

if __name__ == "__main__":
    package = Path(hd.__file__).resolve().parent
    assert "site-packages" in package.parts, f"{package} is not an installed wheel"
    assert (package / "py.typed").exists()
    assert (package / "data" / "digits.LICENSE").exists()
    assert hd.load_digits()[0].shape == (1797, 64)
    assert metadata.version("hermite-dual") == hd.__version__
    with tempfile.TemporaryDirectory() as folder:
        flags = ["--samples", "40", "--widths", "128,256", "--replicas", "4", "--output", folder]
        subprocess.run([Path(sys.executable).parent / "hermite-dual", "demo", *flags], check=True)
        content = json.loads((Path(folder) / "demo.json").read_text(encoding="utf-8"))
        assert content["validation"]["verdict"] != "DISAGREE"
        assert sorted(path.suffix for path in Path(folder).iterdir()) == [".json", ".png", ".png", ".png"]
    print("the installed wheel works")
