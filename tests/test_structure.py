"""The rooms of the house: who may import whom, and which library lives where."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "inrcodec"

FLOORS = (
    ("errors", "limits", "pixels", "atomic", "strict_json", "recipes"),
    ("net", "metrics", "image"),
    ("coding",),
    ("format",),
    ("decoder",),
    ("encoder", "fit"),
    ("api",),
    ("__init__",),
    ("plugin",),
    ("bench",),
    ("cli",),
    ("__main__",),
)
"""From the ground up. Nothing imports from a floor above its own; those of one floor may import each other."""

FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def _modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def _name(path: Path) -> str:
    """``coding/law.py`` for the module of that path."""
    return path.relative_to(PACKAGE).as_posix()


def _room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def _imports(path: Path, *, on_import: bool = False) -> Iterator[str]:
    """Full names of what a module imports, inside functions too unless only those ``on_import`` are asked for."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if on_import else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_name(path)} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _importers(library: str, *, on_import: bool = False) -> set[str]:
    return {
        _name(path)
        for path in _modules()
        if any(name.split(".")[0] == library for name in _imports(path, on_import=on_import))
    }


def _rooms_below(path: Path) -> set[str]:
    """Rooms of the package that a module imports from."""
    names = [name.split(".") for name in _imports(path) if name.split(".")[0] == "inrcodec"]
    rooms = {parts[1] if len(parts) > 1 else "__init__" for parts in names}
    return {room if room in FLOOR else "__init__" for room in rooms}


def test_every_room_has_its_floor() -> None:
    assert {_room(path) for path in _modules()} == set(FLOOR)


@pytest.mark.parametrize("path", _modules(), ids=_name)
def test_nothing_imports_from_above(path: Path) -> None:
    if _room(path) == "__init__":
        assert {name for name in _imports(path, on_import=True) if "inrcodec" in name} <= {
            name for name in _imports(path) if name.startswith("inrcodec.errors.")
        }
    above = {room for room in _rooms_below(path) if FLOOR[room] > FLOOR[_room(path)]}
    assert not above


def test_the_light_half_does_not_know_the_encoder() -> None:
    light = {"errors", "limits", "pixels", "atomic", "net", "coding", "format", "decoder", "image", "metrics"}
    for path in _modules():
        if _room(path) in light:
            assert _rooms_below(path) <= light, _name(path)


def test_one_file_knows_the_range_coder() -> None:
    assert _importers("constriction") == {"coding/rangecoder.py"}


def test_one_file_knows_cooper() -> None:
    assert _importers("cooper") == {"fit/problem.py"}


def test_torch_lives_in_one_room() -> None:
    adapter = "bench/codecs/compressai_jpeg.py"  # has to put torch right before compressai can be imported
    assert {name.split("/")[0] for name in _importers("torch") - {adapter}} == {"fit"}
    assert adapter not in _importers("torch", on_import=True)


@pytest.mark.parametrize("library", ["compressai", "dask", "distributed", "matplotlib", "pillow_jxl"])
def test_extras_are_imported_by_those_who_use_them_when_they_do(library: str) -> None:
    assert {name.split("/")[0] for name in _importers(library)} <= {"bench"}
    assert not _importers(library, on_import=True)


KERNELS = (
    "activations", "block_kernel", "context_kernel", "filter_kernel", "kernel", "laplace", "latent_kernel", "micro",
    "residual_kernel", "stencil", "strips", "synthesis_kernel", "upsample_kernel",
)  # fmt: skip
LAYOUTS = ("context_plan", "plan", "synthesis_plan")


def test_kernels_live_in_one_closet() -> None:
    closet = {f"fit/engine/{name}.py" for name in KERNELS}
    assert _importers("numba") == closet
    assert _importers("llvmlite") <= closet


def test_kernels_are_imported_by_those_who_run_them_only() -> None:
    """Whoever imports the engines has torch; numba comes when somebody asks for the kernels."""
    closet = tuple(f"inrcodec.fit.engine.{name}" for name in (*KERNELS, *LAYOUTS, "fused"))
    knowing = {
        _name(path)
        for path in _modules()
        for name in _imports(path)
        if name.rpartition(".")[0] in closet or name in closet
    }
    runners = {f"fit/grid/{name}.py" for name in ("context", "ladder", "latents", "own_filter", "synthesis")}
    assert knowing - runners <= {f"fit/engine/{name}.py" for name in (*KERNELS, *LAYOUTS, "fused")}
    handles = {
        f"inrcodec.fit.grid.{name}" for name in ("context", "ladder", "latents", "own_filter", "synthesis", "kernels")
    }
    users = {_name(path) for path in _modules() for name in _imports(path) if name.rpartition(".")[0] in handles}
    assert users <= runners | {"fit/grid/kernels.py"}


def test_pillow_stays_with_pictures() -> None:
    rooms = {name.split("/")[0] for name in _importers("PIL", on_import=True)}
    assert rooms <= {"image", "plugin.py", "bench", "cli"}
    assert rooms >= {"image"}


def test_the_decoding_path_knows_only_numpy_and_the_coder() -> None:
    import sys

    for path in _modules():
        if _room(path) in {"errors", "limits", "pixels", "net", "coding", "format", "decoder"}:
            libraries = {name.split(".")[0] for name in _imports(path)} - {"inrcodec", *sys.stdlib_module_names}
            coders = {"constriction", "brotli"} if _name(path) == "coding/bytewise.py" else {"constriction"}
            assert libraries <= {"numpy"} | coders, _name(path)


def test_no_transcendental_function_touches_the_entropy_tables() -> None:
    """The path from the transmitted integers to the coder's tables is ``+ - * /`` alone."""
    tree = ast.parse((PACKAGE / "coding" / "law.py").read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    allowed = {"np.array", "np.concatenate", "range", "weights.append", "ratio", "_magnitudes", "lru_cache"}
    for name in ("step_size", "ratio", "largest_symbol", "_magnitudes", "table"):
        calls = {ast.unparse(node.func) for node in ast.walk(functions[name]) if isinstance(node, ast.Call)}
        assert calls <= allowed, name
        assert "float32" not in ast.unparse(functions[name])
