"""The line that every benchmark starts with."""

from fleeting.experiments import machine, versions


def print_machine() -> None:
    facts, found = machine(), versions()
    print(f"{facts['processor']}, {facts['cores']} cores, {facts['system']}")
    print(", ".join(f"{name} {found[name]}" for name in ("python", "fleeting", "torch", "opencv-python-headless")))
    print()
