"""check_info.py FOLDER JSON: what `kcap info --json` says agrees with the machine that crashed."""

import json
import os
import sys


def strings(value):
    """Every string anywhere in the answer."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


def main(folder, text):
    answer = json.loads(text)
    with open(os.path.join(folder, "info"), encoding="ascii") as file:
        release = next(line.split()[1] for line in file if line.startswith("kernel "))
    said = strings(answer)
    if release not in said:
        print(f"  the kernel {release} is not named in {text}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
