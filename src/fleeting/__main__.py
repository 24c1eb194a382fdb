"""``python -m fleeting``."""

from fleeting.app.cli import run

if __name__ == "__main__":
    run()
