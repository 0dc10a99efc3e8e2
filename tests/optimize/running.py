"""What tests of whole runs share: stopping one, and all of its bytes."""


class Stop(Exception):
    """Ends a run from its callback, as abruptly as the test can."""


def stop_at(step, action=None):
    def callback(info):
        if info.step == step:
            if action is None:
                raise Stop
            action()

    return callback


def contents(folder):
    """Every byte that must not depend on interruptions."""
    volatile = {"report.json", "turntable.mp4"}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if path.name not in volatile
    }
